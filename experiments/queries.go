package experiments

import (
	"fmt"
	"slices"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
)

// queries evaluates the query samples at the nodes of a step, a block of them at a time, so
// that memory is that of a block.
type queries[T graphs.Float] struct {
	network *graphs.Network
	engine  compute.Engine
	inputs  []T // (M, d)
	size    int // queries of a block, but for the last
	nodes   []float64

	jacobians []*graphs.Jacobian[T] // of a block, one for each node, which keeps its values
	forward   *graphs.Forward[T]    // of a block
	now       queryBlock
	point     []T // scratch (P)
}

// queryBlock is consecutive queries.
type queryBlock struct{ first, count int }

// newQueries compiles the evaluators of a block for the nodes of all machines together.
func newQueries[T graphs.Float](n *graphs.Network, engine compute.Engine, inputs []T, size int, machines []*pathkernel.Machine) (*queries[T], error) {
	q := &queries[T]{network: n, engine: engine, inputs: inputs, point: make([]T, n.Parameters())}
	q.size = min(size, q.count())
	for _, m := range machines {
		q.nodes = append(q.nodes, m.Measure.Nodes()...)
	}
	slices.Sort(q.nodes)
	q.nodes = slices.Compact(q.nodes)
	for range q.nodes {
		j, err := graphs.NewJacobian[T](n, engine, q.size)
		if err != nil {
			return nil, err
		}
		q.jacobians = append(q.jacobians, j)
	}
	var err error
	if q.forward, err = graphs.NewForward[T](n, engine, q.size); err != nil {
		return nil, err
	}
	return q, q.turn(q.blocks()[0])
}

// count returns M.
func (q *queries[T]) count() int { return len(q.inputs) / q.network.Input().Size() }

// blocks returns all queries, block by block.
func (q *queries[T]) blocks() (blocks []queryBlock) {
	for first := 0; first < q.count(); first += q.size {
		blocks = append(blocks, queryBlock{first, min(q.size, q.count()-first)})
	}
	return blocks
}

// turn makes what follows that of a block. The evaluators of a last, shorter block repeat its
// last query.
func (q *queries[T]) turn(b queryBlock) error {
	if q.now == b {
		return nil
	}
	d := q.network.Input().Size()
	inputs := slices.Clone(q.inputs[b.first*d : (b.first+b.count)*d])
	for range q.size - b.count {
		inputs = append(inputs, inputs[(b.count-1)*d:b.count*d]...)
	}
	for _, j := range q.jacobians {
		if err := j.SetInputs(inputs); err != nil {
			return err
		}
	}
	q.now = b
	return q.forward.SetInputs(inputs)
}

// run evaluates node k of the block at w + tΔ.
func (q *queries[T]) run(k int, w, delta []T) error {
	t := T(q.nodes[k])
	for i := range w {
		q.point[i] = w[i] + t*delta[i]
	}
	if err := q.jacobians[k].Run(q.point); err != nil {
		return fmt.Errorf("the query's Jacobian at node %g: %w", q.nodes[k], err)
	}
	return nil
}

// factors returns the factors of J of the block at node k, and f (count, C) there.
func (q *queries[T]) factors(k int) ([]pathkernel.Factor[T], []float64) {
	return pathkernel.Rows(convert(q.jacobians[k].Factors()), 0, q.now.count), q.outputs(q.jacobians[k].Outputs())
}

// at returns f(x; w) (count, C) of the block.
func (q *queries[T]) at(w []T) ([]float64, error) {
	if err := q.forward.Run(w); err != nil {
		return nil, err
	}
	return q.outputs(q.forward.Outputs()), nil
}

func (q *queries[T]) outputs(f []T) []float64 { return widen(f[:q.now.count*q.network.Outputs()]) }

// all returns f(x; w) (M, C) of all queries.
func (q *queries[T]) all(w []T) (f []float64, err error) {
	for _, b := range q.blocks() {
		if err := q.turn(b); err != nil {
			return nil, err
		}
		part, err := q.at(w)
		if err != nil {
			return nil, err
		}
		f = append(f, part...)
	}
	return f, nil
}

// moved returns w + Δ, in scratch.
func (q *queries[T]) moved(w, delta []T) []T {
	for i := range w {
		q.point[i] = w[i] + delta[i]
	}
	return q.point
}

// places returns where the nodes are among those of all machines.
func (q *queries[T]) places(nodes []float64) (at []int) {
	for _, node := range nodes {
		j, _ := slices.BinarySearch(q.nodes, node)
		at = append(at, j)
	}
	return at
}
