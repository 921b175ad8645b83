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
	budget  float64     // bytes that the factors of refined queries may take at once, but for those of one
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

// certify measures what a machine's quadrature misses of a step, refines an adaptive one in rounds, each of which
// it hands to use, and adds the step to the machine's certificate.
func (r *refiner[T]) certify(g *group[T], m *pathkernel.Machine, index int, step *measured[T], use func([]pathkernel.Refinement[T]) error) (meshes map[int]pathkernel.Mesh, err error) {
	rule, _ := m.Rule()
	step.residuals = pathkernel.Residuals(step.before, step.after, rule.Weights, step.slopes)
	if m.Adaptive != nil {
		if meshes, err = r.refine(g, m.Adaptive, step, use); err != nil {
			return nil, err
		}
	}
	return meshes, m.Certify(index, step.first, step.residuals, len(rule.Nodes), meshes)
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

// refine finds meshes for the queries that miss the tolerance. It hands their factors to use, some queries at a
// time: as many as its budget holds, of which a half is for those that are being refined.
func (r *refiner[T]) refine(g *group[T], a *pathkernel.Adaptive, m *measured[T], use func([]pathkernel.Refinement[T]) error) (map[int]pathkernel.Mesh, error) {
	outputs := g.size(r.network.Outputs())
	row := func(v []float64, q int) []float64 { return v[q*outputs : (q+1)*outputs] }
	var failing []int
	for q := range len(m.residuals) / outputs {
		if largest(row(m.residuals, q)) > max(a.Tolerance, r.noise(row(m.before, q), row(m.after, q))) {
			failing = append(failing, q)
		}
	}
	if len(failing) == 0 {
		return nil, nil
	}
	one, err := meshBytes[T](r.network, a.MaxNodes)
	if err != nil {
		return nil, err
	}
	workers := min(r.engine.Workers(len(failing), 1), max(1, int(r.budget/(2*one))))
	if err := r.prepare(workers, m); err != nil {
		return nil, err
	}
	meshes := make(map[int]pathkernel.Mesh, len(failing))
	var round []pathkernel.Refinement[T]
	bytes := 0
	for first := 0; first < len(failing); first += workers {
		some := failing[first:min(first+workers, len(failing))]
		found, refined, errs := make([]pathkernel.Mesh, len(some)), make([]pathkernel.Refinement[T], len(some)), make([]error, len(some))
		r.engine.TilesWorker(workers, len(some), 1, func(worker, i, _ int) {
			q, c := some[i], r.curves[worker]
			if errs[i] = c.start(g, r.queries, m, q, a.Base()); errs[i] != nil {
				return
			}
			slopes := make([][]float64, len(m.slopes))
			for k := range slopes {
				slopes[k] = row(m.slopes[k], q)
			}
			before, after := row(m.before, q), row(m.after, q)
			if found[i], errs[i] = a.Refine(c, before, after, slopes, r.noise(before, after)); errs[i] != nil {
				return
			}
			var parts [][]pathkernel.Factor[T]
			for _, t := range found[i].Nodes {
				parts = append(parts, c.factors[t])
			}
			refined[i] = pathkernel.Refinement[T]{Query: q, Weights: found[i].Weights, Factors: pathkernel.Stack(parts...)}
			c.factors = nil
		})
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		for i, q := range some {
			meshes[q] = found[i]
			bytes += refined[i].Bytes()
		}
		round = append(round, refined...)
		if float64(bytes) < r.budget && first+workers < len(failing) {
			continue
		}
		if err := use(round); err != nil {
			return nil, err
		}
		round, bytes = nil, 0
	}
	return meshes, nil
}

// refineBudget is what the factors of refined queries may take: a part of the memory that is not much beside the whole.
func (c *Config) refineBudget() float64 {
	limit, _ := ParseSize(c.Memory)
	return limit / 32
}

// planRefinement adds what refining takes, at most: evaluators and meshes under way, and a round with its copy.
func planRefinement[T graphs.Float](c *Config, n *graphs.Network, plan *Plan, block int) error {
	most := 0
	for _, m := range c.Machines {
		if m.Rule == adaptiveRule {
			most = max(most, m.MaxNodes)
		}
	}
	if most == 0 {
		return nil
	}
	one, err := meshBytes[T](n, most)
	if err != nil {
		return err
	}
	budget := c.refineBudget()
	working := max(budget, 2*one) // factors, and what is stacked of them
	round := 2 * min(budget+working/2, float64(block)*one)
	plan.add("meshes of adaptive machines", working+round, "max_nodes of the adaptive machines, or memory, of which a part is theirs")
	return nil
}

// meshBytes returns what the factors of one query at so many nodes take, about.
func meshBytes[T graphs.Float](n *graphs.Network, nodes int) (float64, error) {
	one, err := graphs.JacobianBytes[T](n, 1)
	if err != nil {
		return 0, err
	}
	two, err := graphs.JacobianBytes[T](n, 2)
	return float64(nodes) * float64(two-one), err
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
