package graphs

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"pkm/internal/compute"
	"pkm/internal/vector"
)

// Evaluator is a network's graph compiled for a fixed number of samples. It owns
// all memory it needs; a run allocates next to nothing. Not safe for concurrent
// use; different evaluators are independent.
type Evaluator[T Float] struct {
	network *Network
	rows    int
	inputs  []T // (N, d)
	weights []T // (P)
	outputs []T // (N, C)
	factors []Factor[T]
	watched []watched[T]
	calls   []call[T] // all operations, operands first
	size    int       // elements of memory behind all nodes
}

// watched names memory that has to stay finite.
type watched[T Float] struct {
	name   string
	values []T
}

// start begins the graph of an evaluator: memory, leaves and the forward pass. A
// gradient is where the weight gradients go, nil for graphs without them.
func start[T Float](n *Network, engine compute.Engine, rows int, gradient []T) (*builder[T], *Evaluator[T], *G.Node, error) {
	if rows < 1 {
		return nil, nil, nil, fmt.Errorf("graphs: compile a network for %d samples: there must be at least 1", rows)
	}
	bl := newBuilder[T](n, engine, rows)
	bl.gradient, bl.train = gradient, gradient != nil
	e, f, err := bl.begin(n, aligned[T](rows*n.input.Size()), aligned[T](n.Parameters()))
	return bl, e, f, err
}

// newBuilder returns a builder of an empty graph.
func newBuilder[T Float](n *Network, engine compute.Engine, rows int) *builder[T] {
	return &builder[T]{
		graph: G.NewGraph(), engine: engine, rows: rows,
		leaves: make(map[*G.Node][]T), repeated: make(map[*G.Node]*G.Node), pulled: make(map[*G.Node]pulled[T]), scaled: make(map[*G.Node][2]*G.Node),
		sums: make(map[*G.Node]*operation[T]), fixed: make(map[*G.Node]bool), formed: make(map[*G.Node]*G.Node),
	}
}

// begin adds the forward pass for inputs (N, d) and weights (P).
func (b *builder[T]) begin(n *Network, inputs, weights []T) (*Evaluator[T], *G.Node, error) {
	e := &Evaluator[T]{network: n, rows: b.rows, inputs: inputs, weights: weights}
	b.weights = weights
	if !b.dry {
		for _, p := range n.layout {
			e.watched = append(e.watched, watched[T]{p.Name, View(e.weights, p)})
		}
	}
	f, err := b.sequence(n.layers, b.input("x", inputs, b.rows, n.input.Size()))
	return e, f, err
}

// backpropagate pulls the seeds back to every layer with weights and, when the
// builder trains, to the weights. It returns the cotangent of each site. It may be
// called once for a graph.
func (e *Evaluator[T]) backpropagate(b *builder[T], f, seeds *G.Node) (G.Nodes, error) {
	b.seeds = seeds
	var wrt G.Nodes
	for _, s := range b.sites {
		wrt = append(wrt, s.output)
	}
	if b.train {
		for _, s := range b.sites {
			wrt = append(wrt, s.weights...)
		}
	}
	cotangents, err := G.Backpropagate(G.Nodes{f}, G.Nodes{seeds}, wrt)
	if err != nil {
		return nil, fmt.Errorf("graphs: differentiate a network of %d layers: %w", len(e.network.layers), err)
	}
	for i, s := range b.sites {
		if formed := b.formed[s.output]; formed != nil {
			b.watch(s.layer.name("gradients"), formed)
		} else {
			b.watch(s.layer.name("cotangent"), cotangents[i])
		}
	}
	b.keep(cotangents[len(b.sites):]...)
	return cotangents[:len(b.sites)], nil
}

// finish compiles the graph and collects what its runs produce: outputs f and the
// factors of the sites, whose cotangents are given.
func (e *Evaluator[T]) finish(b *builder[T], f *G.Node, cotangents G.Nodes) error {
	b.keep(f)
	if err := e.compile(b); err != nil {
		return err
	}
	e.outputs = b.values(f)
	for _, w := range b.watched {
		e.watched = append(e.watched, watched[T]{w.name, b.values(w.node)})
	}
	for i, δ := range cotangents {
		s := b.sites[i]
		factor := Factor[T]{
			Layer: s.layer.path, Rows: b.rows, Stacks: b.stacks(δ), Positions: 1,
			InWidth: s.layer.in.Size(), OutWidth: s.layer.out.Size(),
			Input: b.values(s.input), Cotangent: b.values(δ),
			Weight: s.layer.parameters[0].Offset, Bias: -1,
			FixedInput: b.isLeaf(s.input) || b.fixed[s.input],
		}
		if s.factor != nil {
			s.factor(&factor, δ)
		}
		e.factors = append(e.factors, factor)
	}
	return nil
}

// run executes the graph's operations one after another in this goroutine. Gorgonia's
// tape machine would do the same in a goroutine and a thread of its own, where a
// panic cannot be caught and every run waits for two thread switches.
func (e *Evaluator[T]) run() (err error) {
	operation := ""
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("operation %s: %v", operation, r)
		}
	}()
	for i := range e.calls {
		c := &e.calls[i]
		operation = c.name
		c.run(c.operands)
	}
	return nil
}

// Rows returns N, the number of samples of a run.
func (e *Evaluator[T]) Rows() int { return e.rows }

// SetInputs copies the samples (N, d) that the following runs evaluate.
func (e *Evaluator[T]) SetInputs(x []T) error {
	if len(x) != len(e.inputs) {
		return fmt.Errorf("graphs: set the inputs of %d samples of %d values: found %d values", e.rows, e.network.input.Size(), len(x))
	}
	copy(e.inputs, x)
	return nil
}

// Run evaluates the graph at weights w (P), which it copies.
func (e *Evaluator[T]) Run(w []T) error {
	if len(w) != len(e.weights) {
		return fmt.Errorf("graphs: evaluate a network of %d weights: found %d", len(e.weights), len(w))
	}
	copy(e.weights, w)
	if err := e.run(); err != nil {
		return fmt.Errorf("graphs: evaluate %d samples: %w", e.rows, err)
	}
	return nil
}

// Outputs returns f (N, C) of the last run, valid until the next.
func (e *Evaluator[T]) Outputs() []T { return e.outputs }

// Factors returns the Jacobian factors of the last run, a layer each from input
// to output, valid until the next.
func (e *Evaluator[T]) Factors() []Factor[T] { return e.factors }

// Bytes returns the memory of the evaluator: inputs, weights, and the values of
// the graph, where those that are not needed at the same time share theirs.
func (e *Evaluator[T]) Bytes() int { return e.size * sizeOf[T]() }

// NonFinite returns the name of the first tensor of the last run, in the order
// weights, layer outputs, slopes, cotangents, that holds a NaN or an infinity. It looks at
// operands and results alike, because matrix products can hide a NaN behind a
// zero. Cost: one pass over the evaluator's memory.
func (e *Evaluator[T]) NonFinite() (tensor string, found bool) {
	for _, w := range e.watched {
		if !Finite(w.values) {
			return w.name, true
		}
	}
	return "", false
}

// Largest returns the name of the tensor of the last run that holds the value of
// largest magnitude, and that magnitude.
func (e *Evaluator[T]) Largest() (tensor string, magnitude float64) {
	for _, w := range e.watched {
		for _, v := range w.values {
			if a := math.Abs(float64(v)); a > magnitude {
				tensor, magnitude = w.name, a
			}
		}
	}
	return tensor, magnitude
}

// Finite reports whether all values are finite.
func Finite[T Float](values []T) bool { return vector.Finite(values) }

// sizeOf returns the bytes of an element.
func sizeOf[T Float]() int {
	if dtypeOf[T]() == tensor.Float32 {
		return 4
	}
	return 8
}

// Forward evaluates outputs only.
type Forward[T Float] struct{ *Evaluator[T] }

// NewForward compiles the outputs of N = rows samples. Memory: O(N·Σ widths).
func NewForward[T Float](n *Network, engine compute.Engine, rows int) (*Forward[T], error) {
	bl, e, f, err := start[T](n, engine, rows, nil)
	if err != nil {
		return nil, err
	}
	return &Forward[T]{e}, e.finish(bl, f, nil)
}
