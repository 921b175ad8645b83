package training

import (
	"fmt"
	"maps"
	"slices"

	"pkm/graphs"
)

// Snapshot is the state of a loop at the start of a step: with the options of the loop,
// all that the rest of the run depends on. (The order of samples depends on the seed and
// the step.)
type Snapshot[T graphs.Float] struct {
	Step      int
	Weights   []T      // w_s (P)
	Optimizer State[T] // of the optimizer, after step s−1
	Limit     float64  // the loss beyond which the run has diverged; 0: not known yet, or none
	// Figures are further numbers that a method of integration goes on from.
	Figures map[string]float64
}

// Clone returns a snapshot that shares nothing with s.
func (s *Snapshot[T]) Clone() *Snapshot[T] {
	c := *s
	c.Weights, c.Figures = slices.Clone(s.Weights), maps.Clone(s.Figures)
	c.Optimizer.Tensors = nil
	for _, t := range s.Optimizer.Tensors {
		c.Optimizer.Tensors = append(c.Optimizer.Tensors, NamedTensor[T]{t.Name, slices.Clone(t.Values)})
	}
	return &c
}

// check reports a snapshot that is none of a loop of P weights and S steps.
func (s *Snapshot[T]) check(parameters, steps int) error {
	if len(s.Weights) != parameters || s.Step < 0 || s.Step > steps {
		return fmt.Errorf("training: continue from step %d of %d with %d weights: the network has %d", s.Step, steps, len(s.Weights), parameters)
	}
	return nil
}
