package vector

// Mul sets dst[i] = a[i]·b[i].
func Mul[T Float](dst, a, b []T) {
	sameLength("Mul", len(dst), len(a), len(b))
	chosen[T]().mul(dst, a, b)
}

// Scale sets dst[i] = w·a[i].
func Scale[T Float](dst []T, w T, a []T) {
	sameLength("Scale", len(dst), len(a))
	chosen[T]().scale(dst, w, a)
}

// Add sets dst[i] += a[i].
func Add[T Float](dst, a []T) {
	sameLength("Add", len(dst), len(a))
	chosen[T]().add(dst, a)
}

// AddScaled sets dst[i] += w·a[i]. The product is rounded before it is added.
func AddScaled[T Float](dst []T, w T, a []T) {
	sameLength("AddScaled", len(dst), len(a))
	chosen[T]().addScaled(dst, w, a)
}

// MulTo sets sum[i] = weight·float64(p[i]·a[i]): the product p·a is rounded to T, the
// other to float64.
func MulTo[T Float](sum []float64, weight float64, p, a []T) {
	sameLength("MulTo", len(sum), len(p), len(a))
	chosen[T]().mulTo(sum, weight, p, a)
}

// MulAddTo sets sum[i] += weight·float64(p[i]·a[i]): the product p·a is rounded to
// T, the other operations are rounded to float64.
func MulAddTo[T Float](sum []float64, weight float64, p, a []T) {
	sameLength("MulAddTo", len(sum), len(p), len(a))
	chosen[T]().mulAddTo(sum, weight, p, a)
}

// MulAddAllTo sets sums[s][i] += weights[s]·float64(p[i]·a[i]) for all s, in the bits
// of a MulAddTo for each s. It takes about a third less time than those do, because
// it reads and multiplies p and a once.
func MulAddAllTo[T Float](sums [][]float64, weights []float64, p, a []T) {
	sameLength("MulAddAllTo", len(sums), len(weights))
	sameLength("MulAddAllTo", len(p), len(a))
	for _, sum := range sums {
		sameLength("MulAddAllTo", len(p), len(sum))
	}
	if len(sums) == 0 {
		return
	}
	// Called directly: the list of sums then need not be on the heap.
	switch p := any(p).(type) {
	case []float32:
		mulAddAllTo32(sums, weights, p, any(a).([]float32))
	case []float64:
		mulAddAllTo64(sums, weights, p, any(a).([]float64))
	}
}

// MulAddColumnsTo sets sum[i] += (weight·columns[i])·float64(p[i]·a[i]): the product
// p·a is rounded to T, the other operations are rounded to float64.
func MulAddColumnsTo[T Float](sum []float64, weight float64, p, a []T, columns []float64) {
	sameLength("MulAddColumnsTo", len(sum), len(p), len(a), len(columns))
	chosen[T]().mulAddColumnsTo(sum, weight, p, a, columns)
}
