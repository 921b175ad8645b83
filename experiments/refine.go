package experiments

import (
	"errors"
	"math"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
)

// refiner refines the quadrature of the queries whose residual misses the tolerance of an
// adaptive machine, several queries at once.
type refiner[T graphs.Float] struct {
	network *graphs.Network
	engine  compute.Engine
	queries []T         // (M, d)
	curves  []*curve[T] // one of each worker
}

// curve is the target of one query along one step.
type curve[T graphs.Float] struct {
	group    *group[T]
	query    int
	inputs   int // d
	engine   compute.Engine
	forward  *graphs.Forward[T]
	jacobian *graphs.Jacobian[T]
	from, Δ  []T                                // w_s, Δ_s (P)
	point    []T                                // w_s + tΔ_s
	factors  map[float64][]pathkernel.Factor[T] // copies, by node
}

// measured is what is known of a step and a block of n queries: the factors of a group's target
// at nodes of [0, 1] and what follows from them.
type measured[T graphs.Float] struct {
	first          int                      // query that the others are counted from
	weights, delta []T                      // w_s, Δ_s (P)
	nodes          [][]pathkernel.Factor[T] // of the machine's base rule
	slopes         [][]float64              // J·Δ at these (n, K)
	before, after  []float64                // at w_s and w_{s+1} (n, K)
	residuals      []float64                // of the base rule (n, K)
}

// certify measures what a machine's quadrature misses of a step, refines an adaptive one, and
// adds the step to the machine's certificate.
func (r *refiner[T]) certify(g *group[T], m *pathkernel.Machine, index int, step *measured[T]) (meshes map[int]pathkernel.Mesh, refined []pathkernel.Refinement[T], err error) {
	rule, _ := m.Rule()
	step.residuals = pathkernel.Residuals(step.before, step.after, rule.Weights, step.slopes)
	if m.Adaptive != nil {
		if meshes, refined, err = r.refine(g, m.Adaptive, step); err != nil {
			return nil, nil, err
		}
	}
	return meshes, refined, m.Certify(index, step.first, step.residuals, len(rule.Nodes), meshes)
}

// unrefined returns the largest residual of a step, that of its mesh for a query that was refined.
func unrefined(residuals []float64, meshes map[int]pathkernel.Mesh, outputs int) (worst float64) {
	for q := range len(residuals) / outputs {
		if mesh, ok := meshes[q]; ok {
			worst = max(worst, mesh.Residual)
		} else {
			worst = max(worst, largest(residuals[q*outputs:(q+1)*outputs]))
		}
	}
	return worst
}

// refine returns meshes for the queries that miss the tolerance, and their factors.
func (r *refiner[T]) refine(g *group[T], a *pathkernel.Adaptive, m *measured[T]) (map[int]pathkernel.Mesh, []pathkernel.Refinement[T], error) {
	outputs := g.size(r.network.Outputs())
	row := func(v []float64, q int) []float64 { return v[q*outputs : (q+1)*outputs] }
	var failing []int
	for q := range len(m.residuals) / outputs {
		if largest(row(m.residuals, q)) > max(a.Tolerance, r.noise(row(m.before, q), row(m.after, q))) {
			failing = append(failing, q)
		}
	}
	if len(failing) == 0 {
		return nil, nil, nil
	}
	workers := r.engine.Workers(len(failing), 1)
	if err := r.prepare(workers, m); err != nil {
		return nil, nil, err
	}
	meshes, refined, errs := make([]pathkernel.Mesh, len(failing)), make([]pathkernel.Refinement[T], len(failing)), make([]error, len(failing))
	r.engine.TilesWorker(workers, len(failing), 1, func(worker, i, _ int) {
		q, c := failing[i], r.curves[worker]
		if errs[i] = c.start(g, r.queries, m, q, a.Base()); errs[i] != nil {
			return
		}
		slopes := make([][]float64, len(m.slopes))
		for k := range slopes {
			slopes[k] = row(m.slopes[k], q)
		}
		before, after := row(m.before, q), row(m.after, q)
		if meshes[i], errs[i] = a.Refine(c, before, after, slopes, r.noise(before, after)); errs[i] != nil {
			return
		}
		var parts [][]pathkernel.Factor[T]
		for _, t := range meshes[i].Nodes {
			parts = append(parts, c.factors[t])
		}
		refined[i] = pathkernel.Refinement[T]{Query: q, Weights: meshes[i].Weights, Factors: pathkernel.Stack(parts...)}
	})
	byQuery := make(map[int]pathkernel.Mesh, len(failing))
	for i, q := range failing {
		byQuery[q] = meshes[i]
	}
	return byQuery, refined, errors.Join(errs...)
}

// noise returns what rounding leaves uncertain in a query's outputs: a residual below it says
// nothing.
func (r *refiner[T]) noise(before, after []float64) float64 {
	const roundings = 32
	ε := math.Nextafter(1, 2) - 1
	if _, single := any(T(0)).(float32); single {
		ε = float64(math.Nextafter32(1, 2) - 1)
	}
	return roundings * ε * max(largest(before), largest(after))
}

// prepare sets up a curve for each worker.
func (r *refiner[T]) prepare(workers int, m *measured[T]) error {
	for len(r.curves) < workers {
		c := &curve[T]{engine: r.engine, inputs: r.network.Input().Size(), point: make([]T, r.network.Parameters())}
		var err error
		if c.forward, err = graphs.NewForward[T](r.network, r.engine, 1); err != nil {
			return err
		}
		if c.jacobian, err = graphs.NewJacobian[T](r.network, r.engine, 1); err != nil {
			return err
		}
		r.curves = append(r.curves, c)
	}
	for _, c := range r.curves {
		c.from, c.Δ = m.weights, m.delta
	}
	return nil
}

// start turns to query q of a block, of which the factors at the base rule's nodes are known.
func (c *curve[T]) start(g *group[T], queries []T, m *measured[T], q int, base pathkernel.Rule) error {
	c.group, c.query, c.factors = g, m.first+q, make(map[float64][]pathkernel.Factor[T])
	for k, t := range base.Nodes {
		c.factors[t] = pathkernel.Rows(m.nodes[k], q, 1)
	}
	size := c.inputs
	input := queries[c.query*size : (c.query+1)*size]
	return errors.Join(c.forward.SetInputs(input), c.jacobian.SetInputs(input))
}

// at returns the weights at t.
func (c *curve[T]) at(t float64) []T {
	for i, w := range c.from {
		c.point[i] = w + T(t)*c.Δ[i]
	}
	return c.point
}

// Value implements pathkernel.Curve.
func (c *curve[T]) Value(t float64) ([]float64, error) {
	if err := c.forward.Run(c.at(t)); err != nil {
		return nil, err
	}
	h, _ := c.group.values(c.query, widen(c.forward.Outputs()), len(c.forward.Outputs()))
	return h, nil
}

// Slope implements pathkernel.Curve.
func (c *curve[T]) Slope(t float64) ([]float64, error) {
	if err := c.jacobian.Run(c.at(t)); err != nil {
		return nil, err
	}
	factors := c.group.factors(c.query, convert(c.jacobian.Factors()), widen(c.jacobian.Outputs()))
	factors = pathkernel.Stack(factors)
	c.factors[t] = factors
	return pathkernel.Apply(c.engine, factors, c.Δ), nil
}

// largest returns the largest magnitude, NaN where there is one.
func largest(v []float64) (m float64) {
	for _, x := range v {
		m = max(m, math.Abs(x)) // the built-in max keeps a NaN
	}
	return m
}
