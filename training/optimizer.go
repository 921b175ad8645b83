package training

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"pkm/graphs"
)

// Optimizer turns mean gradients into steps. It is not safe for concurrent use.
type Optimizer[T graphs.Float] interface {
	// Update advances by one step with learning rate η ≥ 0 from the weights w (P)
	// and the mean gradient ḡ (P), neither of which it writes to, and writes
	// Δ = w_{s+1} − w_s to delta (P). The arithmetic of every element is in float64;
	// Δ and the state are rounded to T once. On an error (η or ḡ is not finite, η is
	// negative) nothing has changed. Lengths other than P panic. O(P).
	Update(η float64, w []T, gradient []float64, delta []T) (Update, error)
	// State returns the live state: what is written to its tensors is what the next
	// Update starts from.
	State() State[T]
	// Restore copies a state of an optimizer of the same options and P. It refuses
	// other tensors, and then nothing has changed.
	Restore(State[T]) error
}

// State is what the next update depends on besides options, weights and gradient.
type State[T graphs.Float] struct {
	Steps   int              // updates so far
	Tensors []NamedTensor[T] // each (P), named as in a PyTorch optimizer's state, except "momentum" for momentum_buffer
}

// NamedTensor is one tensor of a State.
type NamedTensor[T graphs.Float] struct {
	Name   string
	Values []T // (P)
}

// Diagonal is a diagonal matrix (P, P): Vector (P) on the diagonal, or Scalar
// everywhere where Vector is nil.
type Diagonal struct {
	Scalar float64
	Vector []float64
}

// At returns element i of the diagonal.
func (d Diagonal) At(i int) float64 {
	if d.Vector != nil {
		return d.Vector[i]
	}
	return d.Scalar
}

// Update says what a step is made of. With the mean gradient of the batch
// ḡ = (1/B)Σ_i g_i and u = 0 before the first step,
//
//	ĝ = Clip·ḡ + L2·w
//	u ← Beta·u + A⊙ĝ
//	Δ = −(E⊙u + F⊙ĝ) − Decay·w
//
// where E, F and Decay contain the learning rate. Given these numbers Δ is linear
// in every past g_i and w, which is what attributes a step to samples. The numbers
// themselves may depend on all samples (Clip through the norm of ḡ, the diagonals
// of Adam, RMSprop and Adagrad through its squares); that dependence is attributed
// to none of them. Vectors belong to the optimizer and are valid until its next
// Update.
type Update struct {
	Clip, L2, Beta, Decay float64
	A, E, F               Diagonal
}

// apply writes Δ, and advances u, which is nil where E is 0. O(P).
func apply[T graphs.Float](step Update, w []T, gradient []float64, u, delta []T) {
	for i := range delta {
		g := effective(step, w[i], gradient[i])
		d := step.F.At(i) * g
		if u != nil {
			v := step.Beta*float64(u[i]) + step.A.At(i)*g
			u[i] = T(v)
			d += step.E.At(i) * v
		}
		delta[i] = T(-d - step.Decay*float64(w[i]))
	}
}

// effective returns an element of ĝ.
func effective[T graphs.Float](step Update, w T, gradient float64) float64 {
	return step.Clip*gradient + step.L2*float64(w)
}

// NewOptimizer returns the optimizer of o for P = parameters weights, at its first
// step. Errors name the option, its value and what is allowed.
// Memory: O(P) for each tensor of the state and each Diagonal with a Vector.
func NewOptimizer[T graphs.Float](o Options, parameters int) (Optimizer[T], error) {
	if parameters < 1 {
		return nil, fmt.Errorf("training: optimizer %q: found %d weights to train, at least 1 is needed", o.Kind, parameters)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	b := base[T]{Options: o, parameters: parameters}
	switch o.Kind {
	case SGDName:
		return newSGD(b), nil
	case AdamName, AdamWName:
		return newAdam(b), nil
	case RMSpropName:
		return newRMSprop(b), nil
	}
	return newAdagrad(b), nil
}

// base is what all optimizers share.
type base[T graphs.Float] struct {
	Options
	parameters int
	state      State[T]
}

// tensor adds a tensor to the state, every element of which is start.
func (b *base[T]) tensor(name string, start float64) []T {
	values := make([]T, b.parameters)
	for i := range values {
		values[i] = T(start)
	}
	b.state.Tensors = append(b.state.Tensors, NamedTensor[T]{Name: name, Values: values})
	return values
}

// begin checks the arguments of Update, counts the step and fills in what does not
// depend on the kind: Clip, L2 and Decay.
func (b *base[T]) begin(η float64, w []T, gradient []float64, delta []T) (Update, error) {
	if p := b.parameters; len(w) != p || len(gradient) != p || len(delta) != p {
		panic(fmt.Sprintf("training: an optimizer of %d weights got %d weights, a gradient of %d and an update of %d", p, len(w), len(gradient), len(delta)))
	}
	if !(η >= 0) || math.IsInf(η, 1) {
		return Update{}, fmt.Errorf("training: optimizer %q, step %d: found learning rate %g, it has to be finite and not negative", b.Kind, b.state.Steps, η)
	}
	for i, g := range gradient {
		if math.IsNaN(g) || math.IsInf(g, 0) {
			return Update{}, fmt.Errorf("training: optimizer %q, step %d: element %d of the mean gradient is %g; lower the learning rate", b.Kind, b.state.Steps, i, g)
		}
	}
	step := Update{Clip: clip(gradient, b.ClipNorm)}
	if b.decoupled() {
		step.Decay = η * b.WeightDecay
	} else {
		step.L2 = b.WeightDecay
	}
	b.state.Steps++
	return step, nil
}

// State implements Optimizer.
func (b *base[T]) State() State[T] { return b.state }

// Restore implements Optimizer. The tensors may come in any order.
func (b *base[T]) Restore(s State[T]) error {
	names := func(tensors []NamedTensor[T]) string {
		list := make([]string, len(tensors))
		for i, t := range tensors {
			list[i] = fmt.Sprintf("%q (%d)", t.Name, len(t.Values))
		}
		slices.Sort(list)
		return "[" + strings.Join(list, ", ") + "]"
	}
	if found, want := names(s.Tensors), names(b.state.Tensors); found != want {
		return fmt.Errorf("training: restore optimizer %q: found the tensors %s, its own are %s; restore with the options of the run that wrote the state", b.Kind, found, want)
	}
	if s.Steps < 0 {
		return fmt.Errorf("training: restore optimizer %q: found %d steps, it cannot be negative", b.Kind, s.Steps)
	}
	b.state.Steps = s.Steps
	for _, own := range b.state.Tensors {
		i := slices.IndexFunc(s.Tensors, func(t NamedTensor[T]) bool { return t.Name == own.Name })
		copy(own.Values, s.Tensors[i].Values)
	}
	return nil
}
