package pathkernel

// Float is the precision of factors. Sums are float64 in either case.
type Float interface{ float32 | float64 }

// Factor holds one layer's share of the Jacobians of N samples for K stacked
// seeds, without forming them. For a dense layer (Positions 1) it is an outer product:
//
//	∂(v_k·f(x_n))/∂W[j,i] = Cotangent[n,k,j]·Input[n,i]
//	∂(v_k·f(x_n))/∂b[j]   = Cotangent[n,k,j]              where Bias ≥ 0
//
// For a layer that shares its weights between T = Positions places (a convolution)
// it is a sum of them, with the unfolded input U_n (d_in, T):
//
//	∂(v_k·f(x_n))/∂W[j,i] = Σ_t Cotangent[n,k,j,t]·U_n[i,t]
//	∂(v_k·f(x_n))/∂b[j]   = Σ_t Cotangent[n,k,j,t]        where Bias ≥ 0
//
// For a layer whose gradient is neither it holds the gradient itself: Input is nil,
// InWidth 0, Cotangent[n,k,j] = ∂(v_k·f(x_n))/∂w[Weight+j].
//
// With the unit vectors for seeds it holds all of J(x_n), with ℓ′_n it holds g_n.
// The fields are those of graphs.Factor, so that one converts to the other.
type Factor[T Float] struct {
	Layer     string
	Rows      int // N
	Stacks    int // K
	Positions int // T
	InWidth   int // d_in
	OutWidth  int // d_out
	Input     []T // (N, d_in); with Unfold the images before unfolding, (N, size)
	Cotangent []T // (N, K, d_out, T)

	// Unfold writes U_n (d_in, T) of an image to u; nil for dense layers.
	Unfold func(image, u []T)

	Weight int // offset of W (d_out, d_in) in the flat weight vector
	Bias   int // offset of b (d_out), or −1

	// FixedInput: Input is data and does not change with the weights.
	FixedInput bool
	// Unit: Cotangent[n,k,j] is 1 where j = k and 0 elsewhere.
	Unit bool
	// Shared (K, d_out) and Scale (N, d_out), where they are not nil:
	// Cotangent[n,k,j] = Shared[k,j]·Scale[n,j].
	Shared, Scale []T
}

// kind of a factor's gradient.
type kind int

const (
	outerProduct  kind = iota // dense
	sharedWeights             // a sum of outer products
	formedAlready             // explicit
)

func (f *Factor[T]) kind() kind {
	switch {
	case f.Input == nil:
		return formedAlready
	case f.Unfold != nil:
		return sharedWeights
	}
	return outerProduct
}

// bias returns what the layer's bias adds to the product of two inputs.
func (f *Factor[T]) bias() T {
	if f.Bias >= 0 {
		return 1
	}
	return 0
}

// image returns the input of sample n.
func (f *Factor[T]) image(n int) []T {
	size := len(f.Input) / f.Rows
	return f.Input[n*size : (n+1)*size]
}

// gradientWidth returns the number of elements of the layer's formed gradient.
func (f *Factor[T]) gradientWidth() int {
	if f.kind() == formedAlready {
		return f.OutWidth
	}
	width := f.OutWidth * f.InWidth
	if f.Bias >= 0 {
		width += f.OutWidth
	}
	return width
}

// Rows returns the factors of count samples from first on, without copying.
func Rows[T Float](factors []Factor[T], first, count int) []Factor[T] {
	block := make([]Factor[T], len(factors))
	for l, f := range factors {
		part := func(v []T) []T {
			size := len(v) / f.Rows
			return v[first*size : (first+count)*size]
		}
		f.Cotangent = part(f.Cotangent)
		if f.Input != nil {
			f.Input = part(f.Input)
		}
		if f.Scale != nil {
			f.Scale = part(f.Scale)
		}
		f.Rows = count
		block[l] = f
	}
	return block
}
