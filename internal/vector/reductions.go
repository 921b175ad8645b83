package vector

// Finite reports whether all values are finite.
func Finite[T Float](values []T) bool { return chosen[T]().finite(values) }

// dotStrides is how many sums Dot64 keeps.
const dotStrides = 16

// Dot64 returns Σ a[i]·b[i] in float64: of float32 the products are exact. The
// order is fixed, whatever the processor: sixteen sums s_j take the products of the
// elements i = j modulo 16 one after the other, and are then added in halves,
//
//	s_j += s_{j+8},  s_j += s_{j+4},  s_j += s_{j+2},  s_0 + s_1
func Dot64[T Float](a, b []T) float64 {
	sameLength("Dot64", len(a), len(b))
	return chosen[T]().dot(a, b)
}
