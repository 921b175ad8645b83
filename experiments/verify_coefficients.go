package experiments

import (
	"errors"
	"io/fs"
	"math"
)

// verifyCoefficients checks, of a machine with coefficients, that Σ_{c′} a·K^p is
// the contribution of every training sample.
func (v *verifier) verifyCoefficients(name string, d Decomposition) {
	subject := "machine " + name
	_, a, err := v.array(name+"/coefficients", v.M, v.C, v.N, v.C)
	if errors.Is(err, fs.ErrNotExist) {
		return // a trace kernel, or none; a file that the manifest lists is missed there
	}
	if err != nil {
		v.add(StatusFailed, subject, "coefficients: %v", err)
		return
	}
	_, kernel, err := v.array(name+"/path_kernel", v.M, v.C, v.N, v.C)
	if err != nil {
		v.add(StatusFailed, subject, "path_kernel: %v", err)
		return
	}
	// Each side is a sum over steps and products of its own: some thousand roundings.
	const tolerance = 1e-9
	off, scale := 0.0, maxAbs(d.Contributions)
	for i, q := range d.Contributions {
		sum := 0.0
		for k := i * d.C; k < (i+1)*d.C; k++ {
			sum += a[k] * kernel[k]
		}
		if math.IsInf(sum, 0) || math.IsNaN(sum) {
			continue // a coefficient over a kernel of 0, which means nothing
		}
		off = max(off, math.Abs(sum-q))
	}
	limit := tolerance * scale
	if v.single {
		limit = 1e-4 * scale
	}
	if off > limit {
		v.add(StatusFailed, subject, "coefficients times path kernel are off the contributions by %.3g", off)
		return
	}
	v.add(StatusOK, subject, "coefficients times path kernel are the contributions, to %.2g", off)
}
