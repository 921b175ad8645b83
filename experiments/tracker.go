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
	engine  compute.Engine
	queries *queries[T]
	groups  []*group[T]
	kernel  pathkernel.Kernel
	refiner *refiner[T]

	ended bool // the evaluator of node 1 holds the values of the step's start
	// streams: contributions are added while training goes on; otherwise an accountant adds
	// them afterwards, and only path kernels are added here.
	streams bool
	// elsewhere: the whole account is added by others afterwards, from the checkpoints.
	elsewhere bool
	watched   *pathkernel.Machine // whose step residual is reported, or nil
	windows   windows             // that the machines keep shares of

	train  []T // (N, d)
	width  int // d
	blocks []block[T]
	at     int // the step that the only block of the training set was evaluated at, −1: none

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

// newTracker returns the hook of the groups' machines. The path kernel is that of the machines
// that account for the outputs.
func newTracker[T graphs.Float](q *queries[T], groups []*group[T], kernel pathkernel.Kernel, train []T) (*tracker[T], error) {
	n, width := q.network, q.network.Input().Size()
	t := &tracker[T]{engine: q.engine, queries: q, groups: groups, kernel: kernel, train: train, width: width, streams: true, at: -1, residual: math.NaN(),
		refiner: &refiner[T]{network: n, engine: q.engine, queries: q.inputs}}
	best := 0
	for _, g := range groups {
		if err := g.open(q.engine); err != nil {
			return nil, err
		}
		for _, m := range g.machines {
			if order := pathkernel.Order(m.Measure); order > best || order == best && m.Adaptive != nil {
				best, t.watched = order, m
			}
		}
	}
	if kernel != pathkernel.NoKernel && slices.ContainsFunc(groups, func(g *group[T]) bool { return g.target == nil }) {
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
func (t *tracker[T]) begin(w []T) (err error) {
	if t.initial, err = t.queries.all(w); err != nil {
		return err
	}
	for _, g := range t.groups {
		g.initial, _ = g.values(0, t.initial, t.queries.network.Outputs())
		g.before = slices.Clone(g.initial)
	}
	return nil
}

// accounts reports whether the machines hold the account of the steps when training has ended.
func (t *tracker[T]) accounts() bool { return t.streams && !t.elsewhere }

// resume takes up the path at the start of a later step, with weights w.
func (t *tracker[T]) resume(w []T) error {
	f, err := t.queries.all(w)
	if err != nil {
		return err
	}
	for _, g := range t.groups {
		h, _ := g.values(0, f, t.queries.network.Outputs())
		g.before = slices.Clone(h)
	}
	return nil
}

// jump takes up the path at a step that need not follow on the one before, with weights w.
func (t *tracker[T]) jump(w []T) error {
	t.ended, t.at = false, -1
	return t.resume(w)
}

// Step implements training.Hook.
func (t *tracker[T]) Step(_ context.Context, s *training.Step[T]) error {
	t.rate = clipped(s)
	for _, g := range t.groups {
		g.path.Begin(t.rate)
	}
	t.residual = math.NaN()
	if len(t.groups) == 0 || t.elsewhere {
		return nil
	}
	for _, b := range t.queries.blocks() {
		if err := t.evaluate(b, s); err != nil {
			return err
		}
		after, err := t.queries.at(t.queries.moved(s.Weights, s.Delta))
		if err != nil {
			return fmt.Errorf("the query's outputs after step %d: %w", s.Index, err)
		}
		for _, g := range t.groups {
			if err := t.step(g, b, after, s); err != nil {
				return err
			}
		}
	}
	if t.streams && t.windows.ends(s.Index) {
		return t.closeWindow(s.Index)
	}
	return nil
}

// closeWindow counts what the machines were given since the last window as that of a step's.
func (t *tracker[T]) closeWindow(step int) error {
	for _, g := range t.groups {
		for _, m := range g.machines {
			if err := t.windows.close(m, step, queryBlock{0, t.queries.count()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// step hands a block of queries to the machines of a group.
func (t *tracker[T]) step(g *group[T], b queryBlock, after []float64, s *training.Step[T]) error {
	g.path.From(b.first)
	nodes := t.factors(g, func(k int) int { return k })
	if err := t.add(g, nodes, s); err != nil {
		return err
	}
	return t.certify(g, b, nodes, after, s)
}

// evaluate runs the block's Jacobian at w_s + tΔ_s for every node t. The end of
// the step before is the start of this one.
func (t *tracker[T]) evaluate(b queryBlock, s *training.Step[T]) error {
	q := t.queries
	if err := q.turn(b); err != nil {
		return err
	}
	for k, at := range q.nodes {
		if at == 0 && t.ended {
			last := len(q.jacobians) - 1
			q.jacobians[k], q.jacobians[last] = q.jacobians[last], q.jacobians[k]
			continue
		}
		if err := q.run(k, s.Weights, s.Delta); err != nil {
			return fmt.Errorf("step %d: %w", s.Index, err)
		}
		if tensor, found := q.jacobians[k].NonFinite(); found {
			return &training.Diverged{Step: s.Index, Tensor: tensor + " (query)", Loss: s.Loss}
		}
	}
	t.ended = len(q.nodes) > 1 && q.nodes[0] == 0 && q.nodes[len(q.nodes)-1] == 1 && b.count == q.count()
	return nil
}

// factors returns the block's factors at the nodes of a group, those of evaluator choose(k) for node k.
func (t *tracker[T]) factors(g *group[T], choose func(int) int) (nodes [][]pathkernel.Factor[T]) {
	for _, k := range t.queries.places(g.path.Nodes()) {
		factors, f := t.queries.factors(choose(k))
		nodes = append(nodes, g.factors(t.queries.now.first, factors, f))
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
func (t *tracker[T]) add(g *group[T], nodes [][]pathkernel.Factor[T], s *training.Step[T]) error {
	gradient, blocks := convert(s.Factors()), t.blocks
	if g.target != nil {
		blocks = nil
	}
	switch {
	case !t.streams:
	case s.Batch != nil:
		g.path.AddBatch(nodes, s.Batch, gradient, s.LossDerivatives)
	case len(blocks) == 0:
		g.path.Add(nodes, pathkernel.Block[T]{Gradient: gradient, Derivatives: s.LossDerivatives}, s.Size)
		return nil
	}
	classes := len(s.LossDerivatives) / s.Size
	derivatives := s.LossDerivatives
	if s.Batch != nil && len(blocks) > 0 {
		derivatives = make([]T, len(t.train)/t.width*classes)
		for j, i := range s.Batch {
			copy(derivatives[i*classes:(i+1)*classes], s.LossDerivatives[j*classes:(j+1)*classes])
		}
	}
	for _, b := range blocks {
		rows := b.jacobian.Rows()
		if len(blocks) > 1 || t.at != s.Index {
			if err := b.jacobian.SetInputs(t.train[b.first*t.width : (b.first+rows)*t.width]); err != nil {
				return err
			}
			if err := b.jacobian.Run(s.Weights); err != nil {
				return fmt.Errorf("the training samples' Jacobians at step %d: %w", s.Index, err)
			}
			t.at = s.Index
		}
		block := pathkernel.Block[T]{First: b.first, Derivatives: derivatives[b.first*classes : (b.first+rows)*classes], Jacobian: convert(b.jacobian.Factors())}
		if s.Batch != nil || !t.streams {
			g.path.AddKernel(nodes, block, s.Size)
			continue
		}
		block.Gradient = pathkernel.Rows(gradient, b.first, rows)
		g.path.Add(nodes, block, s.Size)
	}
	return nil
}

// certify measures what the quadrature of every machine of a group misses of a step that has been added, at whose end
// the block's outputs are after: h(w_{s+1}) − h(w_s) − Σ_k ω_k ∂h/∂f·J(x; w_s+t_kΔ_s)Δ_s. Adaptive
// machines are refined.
func (t *tracker[T]) certify(g *group[T], b queryBlock, nodes [][]pathkernel.Factor[T], after []float64, s *training.Step[T]) error {
	ended, _ := g.values(b.first, after, t.queries.network.Outputs())
	k := len(ended) / b.count
	before := g.before[b.first*k : (b.first+b.count)*k]
	all := g.path.Nodes()
	changes := make([][]float64, len(nodes)) // ∂h/∂f·J·Δ at each node (n, K)
	t.engine.Tiles(len(nodes), 1, func(j, _ int) {
		if certified(g.machines, all[j]) {
			changes[j] = pathkernel.Apply(t.engine, nodes[j], s.Delta)
		}
	})
	for i, m := range g.machines {
		rule, exact := m.Rule()
		if !exact || m.Adaptive != nil && !t.streams {
			continue // the accountant's
		}
		step := measured[T]{first: b.first, weights: s.Weights, delta: s.Delta, before: before, after: ended}
		for _, node := range rule.Nodes {
			j, _ := slices.BinarySearch(all, node)
			step.nodes, step.slopes = append(step.nodes, nodes[j]), append(step.slopes, changes[j])
		}
		meshes, err := t.refiner.certify(g, m, s.Index, &step, func(refined []pathkernel.Refinement[T]) error {
			if err := g.path.Refine(i, nodes, refined); err != nil {
				return err
			}
			return t.add(g, nodes, s) // once more: the corrections
		})
		if err != nil {
			return fmt.Errorf("refine step %d of machine %q: %w", s.Index, m.Name, err)
		}
		if m == t.watched {
			worst := unrefined(step.residuals, meshes, k)
			if !(t.residual >= worst) {
				t.residual = worst
			}
		}
	}
	copy(before, ended)
	return nil
}

// certified reports whether a machine that integrates within steps has the node.
func certified(machines []*pathkernel.Machine, node float64) bool {
	return slices.ContainsFunc(machines, func(m *pathkernel.Machine) bool {
		rule, exact := m.Rule()
		return exact && slices.Contains(rule.Nodes, node)
	})
}

// Finish implements training.Hook.
func (t *tracker[T]) Finish(_ context.Context, s *training.Step[T]) (err error) {
	if t.final, err = t.queries.all(s.Weights); err != nil {
		return fmt.Errorf("the query's outputs at the final weights: %w", err)
	}
	needed := make(map[*group[T]]bool)
	for _, g := range t.groups {
		g.final, _ = g.values(0, t.final, t.queries.network.Outputs())
		needed[g] = !t.elsewhere && g.path.Finish()
	}
	for _, b := range t.queries.blocks() {
		if !slices.ContainsFunc(t.groups, func(g *group[T]) bool { return needed[g] }) {
			break
		}
		start := 0
		if t.ended {
			start = len(t.queries.nodes) - 1
		} else {
			if err := t.queries.turn(b); err != nil {
				return err
			}
			if err := t.queries.jacobians[0].Run(s.Weights); err != nil {
				return fmt.Errorf("the query's Jacobian at the final weights: %w", err)
			}
		}
		for _, g := range t.groups {
			if !needed[g] {
				continue
			}
			g.path.From(b.first)
			if err := t.add(g, t.factors(g, func(int) int { return start }), s); err != nil {
				return err
			}
		}
	}
	return nil
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
