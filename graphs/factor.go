package graphs

// Factor holds one layer's share of the Jacobians of N samples for K stacked
// seeds, as an outer product:
//
//	∂(v_k·f(x_n))/∂W[j,i] = Cotangent[k,n,j]·Input[n,i]
//	∂(v_k·f(x_n))/∂b[j]   = Cotangent[k,n,j]              where Bias
//
// for seed v_k. The gradients of a layer with shared weights (Conv2D) are formed,
// and stand as the outer product with an Input of 1: d_in is 1, W and b are
// one vector. The slices belong to the evaluator that returned them and are
// valid until its next run.
type Factor[T Float] struct {
	Layer     string // position of the layer in its network
	Rows      int    // N
	Stacks    int    // K
	InWidth   int    // d_in
	OutWidth  int    // d_out
	Input     []T    // (N, d_in)
	Cotangent []T    // (K, N, d_out)

	Weight int // offset of W (d_out, d_in) in the flat weight vector
	Bias   int // offset of b (d_out), or −1 where the layer has none

	// FixedInput: Input is data and does not change with the weights.
	FixedInput bool
	// Unit: Cotangent[k,n,j] is 1 where j = k and 0 elsewhere, because the layer's
	// pre-activations are the network's outputs and the seeds the unit vectors.
	Unit bool
	// Shared (K, d_out) and Scale (N, d_out), where they are not nil, factor the
	// cotangent: Cotangent[k,n,j] = Shared[k,j]·Scale[n,j].
	Shared, Scale []T
}

// Size returns the number of elements of the factor, a measure of its memory.
func (f *Factor[T]) Size() int { return len(f.Input) + len(f.Cotangent) + len(f.Shared) + len(f.Scale) }
