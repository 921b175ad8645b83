package pathkernel

import (
	"math"

	"pkm/internal/vector"
)

// Target is what a machine accounts for: a function h of a query's outputs f ∈ ℝ^C with K values,
// and its derivative. The account follows ∂h/∂f·J along the path instead of J.
type Target interface {
	// Size returns K.
	Size() int
	// Evaluate sets values to h(f) (K) and derivatives to ∂h/∂f (K, C) for a query.
	Evaluate(query int, f, values, derivatives []float64)
}

// LogProbability is the target log softmax(f) of all C classes, h_c = f_c − log Σ_k exp f_k, with the
// derivative ∂h_c/∂f_k = [c = k] − p_k.
type LogProbability struct{ Classes int }

// Size implements Target.
func (l LogProbability) Size() int { return l.Classes }

// Evaluate implements Target.
func (l LogProbability) Evaluate(_ int, f, values, derivatives []float64) {
	top := math.Inf(-1)
	for _, v := range f {
		top = max(top, v)
	}
	var total float64
	for _, v := range f {
		total += math.Exp(v - top)
	}
	log := top + math.Log(total)
	for c, v := range f {
		values[c] = v - log
	}
	for c := range f {
		for k := range f {
			derivatives[c*len(f)+k] = -math.Exp(values[k])
		}
		derivatives[c*len(f)+c]++
	}
}

// Combine returns the factors of ∂h/∂f·J (K stacks) from those of J, seeded with the C unit
// vectors, for weights ∂h/∂f (N, K, C). Inputs are shared with the argument, cotangents are new.
// 2·N·K·C·Σ d_out·T FLOPs.
func Combine[T Float](factors []Factor[T], weights []float64) []Factor[T] {
	out := make([]Factor[T], len(factors))
	for l, f := range factors {
		size, c := f.OutWidth*f.Positions, f.Stacks
		stacks := len(weights) / (f.Rows * c)
		cotangent := aligned[T](f.Rows * stacks * size)
		for r := range f.Rows * stacks {
			to := cotangent[r*size : (r+1)*size]
			for j, w := range weights[r*c : (r+1)*c] {
				vector.AddScaled(to, T(w), f.Cotangent[(r/stacks*c+j)*size:][:size])
			}
		}
		f.Stacks, f.Cotangent, f.Unit, f.Shared, f.Scale = stacks, cotangent, false, nil, nil
		out[l] = f
	}
	return out
}
