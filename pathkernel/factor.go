package pathkernel

// Float is the precision of factors. Sums are float64 in either case.
type Float interface{ float32 | float64 }

// Factor holds one layer's share of the Jacobians of N samples for K stacked
// seeds, as an outer product:
//
//	∂(v_k·f(x_n))/∂W[j,i] = Cotangent[k,n,j]·Input[n,i]
//	∂(v_k·f(x_n))/∂b[j]   = Cotangent[k,n,j]              where Bias ≥ 0
//
// With the unit vectors for seeds it holds all of J(x_n), with ℓ′_n it holds g_n.
// The fields are those of graphs.Factor, so that one converts to the other.
type Factor[T Float] struct {
	Layer     string
	Rows      int // N
	Stacks    int // K
	InWidth   int // d_in
	OutWidth  int // d_out
	Input     []T // (N, d_in)
	Cotangent []T // (K, N, d_out)

	Weight int // offset of W (d_out, d_in) in the flat weight vector
	Bias   int // offset of b (d_out), or −1

	// FixedInput: Input is data and does not change with the weights.
	FixedInput bool
	// Unit: Cotangent[k,n,j] is 1 where j = k and 0 elsewhere.
	Unit bool
	// Shared (K, d_out) and Scale (N, d_out), where they are not nil:
	// Cotangent[k,n,j] = Shared[k,j]·Scale[n,j].
	Shared, Scale []T
}

// bias returns what the layer's bias adds to the product of two inputs.
func (f *Factor[T]) bias() T {
	if f.Bias >= 0 {
		return 1
	}
	return 0
}

// Rows returns the factors of count samples from first on, of one stack, without
// copying.
func Rows[T Float](factors []Factor[T], first, count int) []Factor[T] {
	block := make([]Factor[T], len(factors))
	for l, f := range factors {
		f.Input = f.Input[first*f.InWidth : (first+count)*f.InWidth]
		f.Cotangent = f.Cotangent[first*f.OutWidth : (first+count)*f.OutWidth]
		f.Rows, f.Shared, f.Scale = count, nil, nil
		block[l] = f
	}
	return block
}
