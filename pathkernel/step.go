package pathkernel

import "fmt"

// Diagonal is a diagonal matrix of P elements: Vector, or Scalar everywhere where
// Vector is nil.
type Diagonal struct {
	Scalar float64
	Vector []float64 // (P)
}

// at returns element i.
func (d Diagonal) at(i int) float64 {
	if d.Vector != nil {
		return d.Vector[i]
	}
	return d.Scalar
}

// LinearStep is a step of an optimizer as a linear function of the gradients of its
// batch. With ḡ = (1/B)Σ_{i∈batch} g_i(w_s),
//
//	ĝ_s = Clip·ḡ + L2·w_s
//	u_s = Beta·u_{s−1} + A⊙ĝ_s,   u_{−1} = 0
//	Δ_s = −(E⊙u_s + F⊙ĝ_s) − Decay·w_s
//
// which is gradient descent, momentum, Nesterov's, Adam's and their kin. What A, E, F
// and Clip themselves owe to the samples (Adam's second moments, the norm that clips) is
// attributed to none of them.
type LinearStep[T Float] struct {
	Clip, L2, Beta, Decay float64
	A, E, F               Diagonal

	Weights  []T         // w_s (P)
	Batch    []int       // samples of the batch; nil: all, in order
	Gradient []Factor[T] // of g_i(w_s) for the samples of the batch, not divided by B: one stack
	Nodes    [][]Factor[T]
	// of the query's Jacobian at w_s + t_kΔ_s for the nodes t_k of the rule, seeded with the unit vectors

	Refined []Refinement[T] // of the queries for which it stands in for the rule
}

// sample returns the index of the i-th sample of the batch.
func (s *LinearStep[T]) sample(i int) int {
	if s.Batch == nil {
		return i
	}
	return s.Batch[i]
}

// check reports steps that do not fit a machine of M queries, C outputs and N samples.
func (s *LinearStep[T]) check(rule Rule, queries, outputs, samples, parameters int) error {
	switch {
	case len(s.Nodes) != len(rule.Nodes):
		return fmt.Errorf("pathkernel: a step with the query's factors at %d nodes for the rule %s of %d", len(s.Nodes), rule.Name, len(rule.Nodes))
	case len(s.Weights) != parameters:
		return fmt.Errorf("pathkernel: a step of %d weights in a path of %d", len(s.Weights), parameters)
	case s.Nodes[0][0].Rows != queries || s.Nodes[0][0].Stacks != outputs:
		return fmt.Errorf("pathkernel: a step with factors of %d queries and %d outputs for a machine of %d and %d", s.Nodes[0][0].Rows, s.Nodes[0][0].Stacks, queries, outputs)
	case s.Gradient[0].Stacks != 1 || s.Batch != nil && len(s.Batch) != s.Gradient[0].Rows || s.Batch == nil && s.Gradient[0].Rows != samples:
		return fmt.Errorf("pathkernel: a step with %d stacks of the gradients of %d samples, of a batch of %d out of %d", s.Gradient[0].Stacks, s.Gradient[0].Rows, len(s.Batch), samples)
	}
	for _, r := range s.Refined {
		if r.Query < 0 || r.Query >= queries || len(r.Weights) != r.Factors[0].Rows {
			return fmt.Errorf("pathkernel: refine query %d of %d with %d weights for %d nodes", r.Query, queries, len(r.Weights), r.Factors[0].Rows)
		}
	}
	for _, i := range s.Batch {
		if i < 0 || i >= samples {
			return fmt.Errorf("pathkernel: sample %d in a batch: there are %d", i, samples)
		}
	}
	return nil
}
