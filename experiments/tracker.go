package experiments

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
	"pkm/training"
)

// tracker is the hook that follows the path of the weights: at every step it
// evaluates the query's Jacobian at the nodes of all machines, and the training
// samples' for the path kernel, and hands the factors to the machines.
type tracker[T graphs.Float] struct {
	engine   compute.Engine
	machines []*pathkernel.Machine
	path     *pathkernel.Path[T]
	kernel   pathkernel.Kernel

	nodes []float64
	query []*graphs.Jacobian[T] // one for each node, which keeps its values
	ended bool                  // the evaluator of node 1 holds the values of the step's start
	point []T                   // scratch (P)
	// streams: contributions are added while training goes on; otherwise an accountant adds
	// them afterwards, and only path kernels are added here.
	streams bool
	refiner *refiner[T]
	watch   int                // the machine whose step residual is reported, −1: none
	after   *graphs.Forward[T] // f(x; w_{s+1}) of the query
	before  []float64          // f(x; w_s) of the query (M, C)

	train  []T // (N, d)
	width  int // d
	blocks []block[T]

	rate           float64   // the step's, times what clips its gradient
	initial, final []float64 // outputs of the query (M, C)
	residual       float64   // the last step's largest |residual| of the watched machine, NaN without one
}

// block is a part of the training set whose Jacobian factors fit into memory.
type block[T graphs.Float] struct {
	first    int
	jacobian *graphs.Jacobian[T] // shared by blocks of one size
}

// blockBytes bounds the memory of the training Jacobian's graph.
const blockBytes = 64 << 20

func newTracker[T graphs.Float](n *graphs.Network, engine compute.Engine, machines []*pathkernel.Machine, kernel pathkernel.Kernel, query, train []T) (*tracker[T], error) {
	path, err := pathkernel.NewPath[T](engine, machines...)
	if err != nil {
		return nil, err
	}
	width := n.Input().Size()
	t := &tracker[T]{engine: engine, machines: machines, path: path, kernel: kernel, nodes: path.Nodes(),
		point: make([]T, n.Parameters()), train: train, width: width, watch: -1, streams: true, residual: math.NaN(),
		refiner: &refiner[T]{network: n, engine: engine, queries: query}}
	queries := len(query) / width
	for range t.nodes {
		j, err := graphs.NewJacobian[T](n, engine, queries)
		if err != nil {
			return nil, err
		}
		if err := j.SetInputs(query); err != nil {
			return nil, err
		}
		t.query = append(t.query, j)
	}
	if t.after, err = graphs.NewForward[T](n, engine, queries); err != nil {
		return nil, err
	}
	if err := t.after.SetInputs(query); err != nil {
		return nil, err
	}
	best := 0
	for i, m := range machines {
		if order := pathkernel.Order(m.Measure); order > best || order == best && m.Adaptive != nil {
			best, t.watch = order, i
		}
	}
	if kernel != pathkernel.NoKernel && len(machines) > 0 {
		size, err := blockSize[T](n, len(train)/width)
		if err != nil {
			return nil, err
		}
		if err := t.cut(n, len(train)/width, size); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// blockSize returns how many training samples fit into a block.
func blockSize[T graphs.Float](n *graphs.Network, samples int) (int, error) {
	one, err := graphs.JacobianBytes[T](n, 1)
	if err != nil {
		return 0, err
	}
	two, err := graphs.JacobianBytes[T](n, 2)
	if err != nil {
		return 0, err
	}
	return min(samples, max(1, blockBytes/(two-one))), nil
}

// cut divides N training samples into blocks of at most size.
func (t *tracker[T]) cut(n *graphs.Network, samples, size int) (err error) {
	jacobians := make(map[int]*graphs.Jacobian[T])
	for first := 0; first < samples; first += size {
		rows := min(size, samples-first)
		if jacobians[rows] == nil {
			if jacobians[rows], err = graphs.NewJacobian[T](n, t.engine, rows); err != nil {
				return err
			}
		}
		t.blocks = append(t.blocks, block[T]{first, jacobians[rows]})
	}
	return nil
}

// begin evaluates the query's outputs at w_0.
func (t *tracker[T]) begin(w []T) error {
	if err := t.after.Run(w); err != nil {
		return err
	}
	t.initial = widen(t.after.Outputs())
	t.before = t.initial
	return nil
}

// Step implements training.Hook.
func (t *tracker[T]) Step(_ context.Context, s *training.Step[T]) error {
	t.rate = s.LearningRate
	if clip := s.Update.Clip; clip > 0 && clip < 1 {
		t.rate *= clip // a clipped gradient is a shorter step
	}
	t.path.Begin(t.rate)
	if err := t.evaluate(s); err != nil {
		return err
	}
	nodes := t.factors(func(j int) int { return j })
	if err := t.certify(nodes, s); err != nil {
		return err
	}
	return t.add(nodes, s)
}

// evaluate runs the query's Jacobian at w_s + tΔ_s for every node t. The end of
// the step before is the start of this one.
func (t *tracker[T]) evaluate(s *training.Step[T]) error {
	for j, at := range t.nodes {
		if at == 0 && t.ended {
			last := len(t.query) - 1
			t.query[j], t.query[last] = t.query[last], t.query[j]
			continue
		}
		for i, w := range s.Weights {
			t.point[i] = w + T(at)*s.Delta[i]
		}
		if err := t.query[j].Run(t.point); err != nil {
			return fmt.Errorf("the query's Jacobian at node %g of step %d: %w", at, s.Index, err)
		}
		if tensor, found := t.query[j].NonFinite(); found {
			return &training.Diverged{Step: s.Index, Tensor: tensor + " (query)", Loss: s.Loss}
		}
	}
	t.ended = len(t.nodes) > 1 && t.nodes[0] == 0 && t.nodes[len(t.nodes)-1] == 1
	return nil
}

// factors returns the query's factors, those of evaluator choose(j) for node j.
func (t *tracker[T]) factors(choose func(int) int) [][]pathkernel.Factor[T] {
	nodes := make([][]pathkernel.Factor[T], len(t.nodes))
	for j := range nodes {
		nodes[j] = convert(t.query[choose(j)].Factors())
	}
	return nodes
}

func convert[T graphs.Float](factors []graphs.Factor[T]) []pathkernel.Factor[T] {
	out := make([]pathkernel.Factor[T], len(factors))
	for i, f := range factors {
		out[i] = pathkernel.Factor[T](f)
	}
	return out
}

// add hands the training side of a step to the machines: gradients as training
// left them, and for a path kernel the samples' Jacobians at w_s, block by block.
func (t *tracker[T]) add(nodes [][]pathkernel.Factor[T], s *training.Step[T]) error {
	gradient := convert(s.Factors())
	switch {
	case !t.streams:
	case s.Batch != nil:
		t.path.AddBatch(nodes, s.Batch, gradient, s.LossDerivatives)
	case len(t.blocks) == 0:
		t.path.Add(nodes, pathkernel.Block[T]{Gradient: gradient, Derivatives: s.LossDerivatives}, s.Size)
		return nil
	}
	classes := len(s.LossDerivatives) / s.Size
	derivatives := s.LossDerivatives
	if s.Batch != nil && len(t.blocks) > 0 {
		derivatives = make([]T, len(t.train)/t.width*classes)
		for j, i := range s.Batch {
			copy(derivatives[i*classes:(i+1)*classes], s.LossDerivatives[j*classes:(j+1)*classes])
		}
	}
	for _, b := range t.blocks {
		rows := b.jacobian.Rows()
		if err := b.jacobian.SetInputs(t.train[b.first*t.width : (b.first+rows)*t.width]); err != nil {
			return err
		}
		if err := b.jacobian.Run(s.Weights); err != nil {
			return fmt.Errorf("the training samples' Jacobians at step %d: %w", s.Index, err)
		}
		block := pathkernel.Block[T]{First: b.first, Derivatives: derivatives[b.first*classes : (b.first+rows)*classes], Jacobian: convert(b.jacobian.Factors())}
		if s.Batch != nil || !t.streams {
			t.path.AddKernel(nodes, block, s.Size)
			continue
		}
		block.Gradient = pathkernel.Rows(gradient, b.first, rows)
		t.path.Add(nodes, block, s.Size)
	}
	return nil
}

// resume takes up the path at the start of a later step, with weights w.
func (t *tracker[T]) resume(w []T) error {
	if err := t.after.Run(w); err != nil {
		return err
	}
	t.before = widen(t.after.Outputs())
	return nil
}

// certify evaluates the query after the step, and what the quadrature of every machine misses
// of it: f(x; w_{s+1}) − f(x; w_s) − Σ_k ω_k J(x; w_s+t_kΔ_s)Δ_s. Adaptive machines are refined.
func (t *tracker[T]) certify(nodes [][]pathkernel.Factor[T], s *training.Step[T]) error {
	for i, w := range s.Weights {
		t.point[i] = w + s.Delta[i]
	}
	if err := t.after.Run(t.point); err != nil {
		return fmt.Errorf("the query's outputs after step %d: %w", s.Index, err)
	}
	after := widen(t.after.Outputs())
	changes := make([][]float64, len(nodes)) // J·Δ at each node (M, C)
	t.engine.Tiles(len(nodes), 1, func(j, _ int) {
		if t.certified(j) {
			changes[j] = pathkernel.Apply(t.engine, nodes[j], s.Delta)
		}
	})
	for i, m := range t.machines {
		rule, exact := m.Rule()
		if !exact || m.Adaptive != nil && !t.streams {
			continue // the accountant's
		}
		at := t.places(rule)
		step := measured[T]{weights: s.Weights, delta: s.Delta, nodes: choose(nodes, at), slopes: choose(changes, at), before: t.before, after: after}
		meshes, refined, err := t.refiner.certify(m, s.Index, &step)
		if err != nil {
			return fmt.Errorf("refine step %d of machine %q: %w", s.Index, m.Name, err)
		}
		if err := t.path.Refine(i, nodes, refined); err != nil {
			return err
		}
		if i == t.watch {
			t.residual = unrefined(step.residuals, meshes, t.refiner.network.Outputs())
		}
	}
	t.before = after
	return nil
}

// certified reports whether a machine that integrates within steps has the node.
func (t *tracker[T]) certified(node int) bool {
	return slices.ContainsFunc(t.machines, func(m *pathkernel.Machine) bool {
		rule, exact := m.Rule()
		return exact && slices.Contains(rule.Nodes, t.nodes[node])
	})
}

// places returns where the nodes of a rule are among all.
func (t *tracker[T]) places(rule pathkernel.Rule) (at []int) {
	for _, node := range rule.Nodes {
		j, _ := slices.BinarySearch(t.nodes, node)
		at = append(at, j)
	}
	return at
}

// choose returns some of a list.
func choose[V any](all []V, at []int) (some []V) {
	for _, j := range at {
		some = append(some, all[j])
	}
	return some
}

// Finish implements training.Hook.
func (t *tracker[T]) Finish(_ context.Context, s *training.Step[T]) error {
	t.final = t.before
	if !t.path.Finish() {
		return nil
	}
	start := 0
	if t.ended {
		start = len(t.query) - 1
	} else if err := t.query[0].Run(s.Weights); err != nil {
		return fmt.Errorf("the query's Jacobian at the final weights: %w", err)
	}
	nodes := t.factors(func(int) int { return start })
	return t.add(nodes, s)
}

// widen returns the values in float64, which is exact.
func widen[T graphs.Float](values []T) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// narrow returns the values in the network's precision.
func narrow[T graphs.Float](values []float64) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = T(v)
	}
	return out
}
