package graphs

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/compute"
)

// Method says how Jacobians are evaluated.
type Method int

const (
	// Stacked is the method of this package: one forward pass and one pullback of
	// stacked cotangents for all samples, factors instead of Jacobians.
	Stacked Method = iota
	// Plain forms every row of every sample's Jacobian with Gorgonia's own
	// operations and Grad, a graph for each, in float64. It is slow and shares no
	// numerical code with Stacked: the oracle.
	Plain
)

// JacobianFactors evaluates the factors of J(x_n; w) for all C outputs of N samples.
type JacobianFactors[T Float] interface {
	SetInputs(x []T) error // copies x (N, d)
	Run(w []T) error       // at weights w (P)
	Outputs() []T          // f (N, C) of the last run
	Factors() []Factor[T]  // of the last run
}

// NewJacobianFactors returns an evaluator of the given method for N = rows samples.
func NewJacobianFactors[T Float](method Method, n *Network, engine compute.Engine, rows int) (JacobianFactors[T], error) {
	switch method {
	case Stacked:
		return NewJacobian[T](n, engine, rows)
	case Plain:
		if rows < 1 {
			return nil, fmt.Errorf("graphs: evaluate the Jacobians of %d samples: there must be at least 1", rows)
		}
		return &plainJacobian[T]{network: n, rows: rows}, nil
	}
	return nil, fmt.Errorf("graphs: no method of evaluating Jacobians is numbered %d; there are Stacked and Plain", method)
}

// plainJacobian is the method Plain. Its factor is one of explicit gradients.
type plainJacobian[T Float] struct {
	network *Network
	rows    int
	inputs  []T
	outputs []T // (N, C)
	rowsOf  []T // (N, C, P)
}

// SetInputs implements JacobianFactors.
func (p *plainJacobian[T]) SetInputs(x []T) error {
	if d := p.network.input.Size(); len(x) != p.rows*d {
		return fmt.Errorf("graphs: set the inputs of %d samples of %d values: found %d values", p.rows, d, len(x))
	}
	p.inputs = slices.Clone(x)
	return nil
}

// Run implements JacobianFactors.
func (p *plainJacobian[T]) Run(w []T) error {
	n := p.network
	d, c := n.input.Size(), n.Outputs()
	if len(w) != n.Parameters() || p.inputs == nil {
		return fmt.Errorf("graphs: evaluate a network of %d weights: found %d, and inputs for %d values", n.Parameters(), len(w), len(p.inputs))
	}
	p.outputs, p.rowsOf = p.outputs[:0], p.rowsOf[:0]
	for r := range p.rows {
		for k := range c {
			pick := make([]float64, c)
			pick[k] = 1
			f, gradient, err := plainGradient(n, wide(w), wide(p.inputs[r*d:(r+1)*d]), func(f *G.Node) (*G.Node, error) {
				picked, err := G.HadamardProd(f, plainVector(f.Graph(), "pick", pick))
				if err != nil {
					return nil, err
				}
				return G.Sum(picked)
			})
			if err != nil {
				return fmt.Errorf("graphs: the plain Jacobian of sample %d, output %d: %w", r, k, err)
			}
			if k == 0 {
				p.outputs = append(p.outputs, narrowed[T](f)...)
			}
			p.rowsOf = append(p.rowsOf, narrowed[T](gradient)...)
		}
	}
	return nil
}

// Outputs implements JacobianFactors.
func (p *plainJacobian[T]) Outputs() []T { return p.outputs }

// Factors implements JacobianFactors.
func (p *plainJacobian[T]) Factors() []Factor[T] {
	return []Factor[T]{{Layer: "all", Rows: p.rows, Stacks: p.network.Outputs(), Positions: 1, OutWidth: p.network.Parameters(), Bias: -1, Cotangent: p.rowsOf}}
}

func narrowed[T Float](values []float64) []T {
	out := make([]T, len(values))
	convert(out, values)
	return out
}

// plainGradient returns the outputs of one sample and the gradient (P) of a scalar
// function of them, by Gorgonia's own operations and Grad on a fresh graph: a second
// Grad on one graph adds up the first's derivatives.
func plainGradient(n *Network, w, x []float64, scalar func(f *G.Node) (*G.Node, error)) (f, gradient []float64, err error) {
	b := &plainBuilder{graph: G.NewGraph(), w: w}
	h, err := b.sequence(n.layers, b.image("x", n.input, x))
	if err != nil {
		return nil, nil, err
	}
	s, err := scalar(h)
	if err != nil {
		return nil, nil, err
	}
	grads, err := G.Grad(s, b.leaves...)
	if err != nil {
		return nil, nil, err
	}
	values := make([]G.Value, len(grads)+1)
	G.Read(h, &values[0])
	for i, grad := range grads {
		G.Read(grad, &values[i+1])
	}
	machine := G.NewTapeMachine(b.graph)
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		return nil, nil, err
	}
	gradient = make([]float64, n.Parameters())
	for i, p := range b.places {
		copy(View(gradient, p), values[i+1].(*tensor.Dense).Float64s())
	}
	return slices.Clone(values[0].(*tensor.Dense).Float64s()), gradient, nil
}
