package graphs

// Factor holds one layer's share of the Jacobians of N samples for K stacked
// seeds, without forming them. For a dense layer (Positions 1) it is an outer product:
//
//	∂(v_k·f(x_n))/∂W[j,i] = Cotangent[n,k,j]·Input[n,i]
//	∂(v_k·f(x_n))/∂b[j]   = Cotangent[n,k,j]              where Bias
//
// for seed v_k. For a layer that shares its weights between T = Positions places
// (a convolution) it is a sum of them, with the unfolded input U_n (d_in, T):
//
//	∂(v_k·f(x_n))/∂W[j,i] = Σ_t Cotangent[n,k,j,t]·U_n[i,t]
//	∂(v_k·f(x_n))/∂b[j]   = Σ_t Cotangent[n,k,j,t]        where Bias
//
// For a layer whose gradient is neither it holds the gradient itself: Input is nil,
// InWidth 0, Cotangent[n,k,j] = ∂(v_k·f(x_n))/∂w[Weight+j]. The slices belong to the evaluator that
// returned them and are valid until its next run.
type Factor[T Float] struct {
	Layer     string // position of the layer in its network
	Rows      int    // N
	Stacks    int    // K
	Positions int    // T
	InWidth   int    // d_in
	OutWidth  int    // d_out
	Input     []T    // (N, d_in); with Unfold the images before unfolding, (N, size)
	Cotangent []T    // (N, K, d_out, T)

	// Unfold writes U_n (d_in, T) of an image to u, for a layer that shares weights; nil for others.
	Unfold func(image, u []T)

	Weight int // offset of W (d_out, d_in) in the flat weight vector
	Bias   int // offset of b (d_out), or −1 where the layer has none

	// FixedInput: Input is data and does not change with the weights.
	FixedInput bool
	// Unit: Cotangent[n,k,j] is 1 where j = k and 0 elsewhere, because the layer's
	// pre-activations are the network's outputs and the seeds the unit vectors.
	Unit bool
	// Shared (K, d_out) and Scale (N, d_out), where they are not nil, factor the
	// cotangent: Cotangent[n,k,j] = Shared[k,j]·Scale[n,j].
	Shared, Scale []T
}
