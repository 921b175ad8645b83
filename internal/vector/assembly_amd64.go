//go:build amd64 && !purego

package vector

import "golang.org/x/sys/cpu"

// hasAssembly reports whether the processor and the system have AVX2 and FMA.
func hasAssembly() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

func assembly32() *kernels[float32] {
	if !hasAssembly() {
		return nil
	}
	return &kernels[float32]{
		mul:             mulFloat32AVX2,
		add:             addFloat32AVX2,
		scale:           scaleFloat32AVX2,
		addScaled:       addScaledFloat32AVX2,
		copyRows:        copyRowsFloat32AVX2,
		addRows:         addRowsFloat32AVX2,
		mulTo:           mulToFloat32AVX2,
		mulAddTo:        mulAddToFloat32AVX2,
		mulAddColumnsTo: mulAddColumnsToFloat32AVX2,
		mulAddAllTo:     mulAddAllToFloat32AVX2,
		finite:          finiteFloat32AVX2,
		dot:             dotFloat32AVX2,
		exp:             expFloat32AVX2,
		tanh:            tanhFloat32AVX2,
		sigmoid:         sigmoidFloat32AVX2,
		softplus:        softplusFloat32AVX2,
		silu:            siluFloat32AVX2,
		gelu:            geluFloat32AVX2,
		relu:            reluFloat32AVX2,
		tanhSlope:       tanhSlopeFloat32AVX2,
		sigmoidSlope:    sigmoidSlopeFloat32AVX2,
		siluSlope:       siluSlopeFloat32AVX2,
		geluSlope:       geluSlopeFloat32AVX2,
		reluSlope:       reluSlopeFloat32AVX2,
	}
}

func assembly64() *kernels[float64] {
	if !hasAssembly() {
		return nil
	}
	return &kernels[float64]{
		mul:             mulFloat64AVX2,
		add:             addFloat64AVX2,
		scale:           scaleFloat64AVX2,
		addScaled:       addScaledFloat64AVX2,
		copyRows:        copyRowsFloat64AVX2,
		addRows:         addRowsFloat64AVX2,
		mulTo:           mulToFloat64AVX2,
		mulAddTo:        mulAddToFloat64AVX2,
		mulAddColumnsTo: mulAddColumnsToFloat64AVX2,
		mulAddAllTo:     mulAddAllToFloat64AVX2,
		finite:          finiteFloat64AVX2,
		dot:             dotFloat64AVX2,
		exp:             expFloat64AVX2,
		tanh:            tanhFloat64AVX2,
		sigmoid:         sigmoidFloat64AVX2,
		softplus:        softplusFloat64AVX2,
		silu:            siluFloat64AVX2,
		gelu:            geluFloat64AVX2,
		relu:            reluFloat64AVX2,
		tanhSlope:       tanhSlopeFloat64AVX2,
		sigmoidSlope:    sigmoidSlopeFloat64AVX2,
		siluSlope:       siluSlopeFloat64AVX2,
		geluSlope:       geluSlopeFloat64AVX2,
		reluSlope:       reluSlopeFloat64AVX2,
	}
}

func mulAddAllTo32(sums [][]float64, weights []float64, p, a []float32) {
	if hasAssembly() {
		mulAddAllToFloat32AVX2(sums, weights, p, a)
	} else {
		mulAddAllTo(sums, weights, p, a)
	}
}

func mulAddAllTo64(sums [][]float64, weights []float64, p, a []float64) {
	if hasAssembly() {
		mulAddAllToFloat64AVX2(sums, weights, p, a)
	} else {
		mulAddAllTo(sums, weights, p, a)
	}
}
