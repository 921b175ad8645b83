package vector

// portable returns the implementation in Go. Conversions like float64(x*y) keep
// the compiler from fusing a product with a sum, which it may on other processors.
func portable[T Float]() *kernels[T] {
	return &kernels[T]{
		mul: mul[T], add: add[T], scale: scale[T], addScaled: addScaled[T],
		copyRows: copyRows[T], addRows: addRows[T], mulTo: mulTo[T], mulAddTo: mulAddTo[T], mulAddColumnsTo: mulAddColumnsTo[T], mulAddAllTo: mulAddAllTo[T],
		finite: finite[T], dot: dot[T],
		exp:          func(dst, z []T) { apply(dst, z, exp) },
		tanh:         func(dst, z []T) { apply(dst, z, tanh) },
		sigmoid:      func(dst, z []T) { apply(dst, z, sigmoid) },
		softplus:     func(dst, z []T) { apply(dst, z, softplus) },
		silu:         func(dst, z []T) { apply(dst, z, silu) },
		siluSlope:    func(dst, z []T) { apply(dst, z, siluSlope) },
		gelu:         func(dst, z []T) { apply(dst, z, gelu) },
		geluSlope:    func(dst, z []T) { apply(dst, z, geluSlope) },
		tanhSlope:    tanhSlope[T],
		sigmoidSlope: sigmoidSlope[T],
		relu:         relu[T],
		reluSlope:    reluSlope[T],
	}
}

// apply sets dst[i] = φ(z[i]), computed in float64. The conversions are apart: on
// amd64 they wait for what was in their register, so that among the functions they
// would make each element wait for the one before.
func apply[T Float](dst, z []T, φ func(z float64) float64) {
	var block [64]float64
	for len(z) > 0 {
		values := block[:min(len(z), len(block))]
		for i := range values {
			values[i] = float64(z[i])
		}
		for i, z := range values {
			values[i] = φ(z)
		}
		for i, h := range values {
			dst[i] = T(h)
		}
		dst, z = dst[len(values):], z[len(values):]
	}
}

func mul[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func add[T Float](dst, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] += a[i]
	}
}

func scale[T Float](dst []T, w T, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = w * a[i]
	}
}

func addScaled[T Float](dst []T, w T, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] += T(w * a[i])
	}
}

func mulTo[T Float](sum []float64, weight float64, p, a []T) {
	p, a = p[:len(sum)], a[:len(sum)]
	for i := range sum {
		sum[i] = weight * float64(p[i]*a[i])
	}
}

func mulAddTo[T Float](sum []float64, weight float64, p, a []T) {
	p, a = p[:len(sum)], a[:len(sum)]
	for i := range sum {
		sum[i] += float64(weight * float64(p[i]*a[i]))
	}
}

func mulAddColumnsTo[T Float](sum []float64, weight float64, p, a []T, columns []float64) {
	p, a, columns = p[:len(sum)], a[:len(sum)], columns[:len(sum)]
	for i := range sum {
		sum[i] += float64(weight * columns[i] * float64(p[i]*a[i]))
	}
}

func mulAddAllTo[T Float](sums [][]float64, weights []float64, p, a []T) {
	for s, sum := range sums {
		mulAddTo(sum, weights[s], p, a)
	}
}

// finite uses that x−x is 0 for finite x and NaN otherwise; four sums keep the
// adders busy.
func finite[T Float](values []T) bool {
	var s0, s1, s2, s3 T
	i := 0
	for ; i+4 <= len(values); i += 4 {
		v := values[i : i+4 : i+4]
		s0 += v[0] - v[0]
		s1 += v[1] - v[1]
		s2 += v[2] - v[2]
		s3 += v[3] - v[3]
	}
	for ; i < len(values); i++ {
		s0 += values[i] - values[i]
	}
	return s0+s1+s2+s3 == 0
}

func dot[T Float](a, b []T) float64 {
	b = b[:len(a)]
	var s [dotStrides]float64
	for len(a) >= dotStrides {
		x, y := (*[dotStrides]T)(a), (*[dotStrides]T)(b)
		for j := range s {
			s[j] += float64(float64(x[j]) * float64(y[j]))
		}
		a, b = a[dotStrides:], b[dotStrides:]
	}
	for j := range a {
		s[j] += float64(float64(a[j]) * float64(b[j]))
	}
	for half := dotStrides / 2; half > 0; half /= 2 {
		for j := range half {
			s[j] += s[j+half]
		}
	}
	return s[0]
}

func tanhSlope[T Float](dst, h []T) {
	h = h[:len(dst)]
	for i := range dst {
		dst[i] = (1 - h[i]) * (1 + h[i])
	}
}

func sigmoidSlope[T Float](dst, h []T) {
	h = h[:len(dst)]
	for i := range dst {
		dst[i] = h[i] * (1 - h[i])
	}
}

func relu[T Float](dst, z []T) {
	z = z[:len(dst)]
	for i := range dst {
		dst[i] = max(z[i], 0)
	}
}

func reluSlope[T Float](dst, z []T) {
	z = z[:len(dst)]
	for i, z := range z {
		switch {
		case z > 0:
			dst[i] = 1
		case z != z:
			dst[i] = z
		default:
			dst[i] = 0
		}
	}
}
