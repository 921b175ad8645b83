package pathkernel

import (
	"fmt"
	"math"
)

// Certificate says how exact a machine's account is: for every query, what its quadrature
// missed of the steps' changes of the outputs, which are known without it. The residual of the
// run, final − initial − Σ contributions − regularisation, is at most Accumulated, but for
// rounding.
type Certificate struct {
	Largest     []float64 // (M): the largest |residual| of a step, over outputs
	Accumulated []float64 // (M): Σ_s of the largest |residual| of step s, over outputs
	Nodes       []float64 // (M): Jacobians evaluated
	StepNodes   []float64 // (S): of all queries in a step
	Refined     float64   // quadratures of a query's step that were refined
	Shortfalls  float64   // of these, those that ran out of nodes above the tolerance
	// The step and the query of the largest residual, −1 before there is one.
	WorstStep, WorstQuery float64
}

// newCertificate returns the certificate of no steps.
func newCertificate(queries int) *Certificate {
	return &Certificate{Largest: make([]float64, queries), Accumulated: make([]float64, queries), Nodes: make([]float64, queries), WorstStep: -1, WorstQuery: -1}
}

// Residuals returns f(x; w_{s+1}) − f(x; w_s) − Σ_k weights[k]·changes[k] (M, C) of a step, where
// changes[k] is J(x; w_s+t_kΔ_s)·Δ_s (M, C) and the weights sum to 1; nil changes count as 0.
func Residuals(before, after []float64, weights []float64, changes [][]float64) []float64 {
	miss := make([]float64, len(after))
	for i := range miss {
		miss[i] = after[i] - before[i]
	}
	for k, change := range changes {
		for i, c := range change {
			miss[i] -= weights[k] * c
		}
	}
	return miss
}

// Certify adds a step of consecutive queries, n from first on, to the machine's certificate:
// the residuals (n, C) of the nodes of its rule, but for the queries with a mesh, which are
// counted from first.
func (m *Machine) Certify(step, first int, residuals []float64, nodes int, meshes map[int]Mesh) error {
	if n := len(residuals) / m.outputs; len(residuals) != n*m.outputs || first < 0 || first+n > m.queries || step < 0 {
		return fmt.Errorf("pathkernel: certify step %d of machine %q with %d residuals from query %d on: there are %d queries and %d outputs", step, m.Name, len(residuals), first, m.queries, m.outputs)
	}
	c := m.certificate
	for len(c.StepNodes) <= step {
		c.StepNodes = append(c.StepNodes, 0)
	}
	for i := range len(residuals) / m.outputs {
		q, largest, spent := first+i, 0.0, float64(nodes)
		for _, r := range residuals[i*m.outputs : (i+1)*m.outputs] {
			largest = max(largest, math.Abs(r))
		}
		if mesh, ok := meshes[i]; ok {
			largest, spent = mesh.Residual, float64(mesh.Spent)
			c.Refined++
			if mesh.Short {
				c.Shortfalls++
			}
		}
		if largest > c.Largest[q] {
			c.Largest[q] = largest
			if c.WorstQuery < 0 || largest > c.Largest[int(c.WorstQuery)] || int(c.WorstQuery) == q {
				c.WorstStep, c.WorstQuery = float64(step), float64(q)
			}
		}
		c.Accumulated[q] += largest
		c.Nodes[q] += spent
		c.StepNodes[step] += spent
	}
	return nil
}

// Certificate returns the machine's certificate; nil for a machine that does not integrate
// within steps.
func (m *Machine) Certificate() *Certificate { return m.certificate }

// values returns the certificate as one slice, of which restore makes it again.
func (c *Certificate) values() []float64 {
	v := []float64{c.Refined, c.Shortfalls, c.WorstStep, c.WorstQuery}
	for _, part := range [][]float64{c.Largest, c.Accumulated, c.Nodes, c.StepNodes} {
		v = append(v, part...)
	}
	return v
}

func (c *Certificate) restore(v []float64) error {
	const head = 4
	n := len(c.Largest)
	if len(v) < head+3*n {
		return fmt.Errorf("pathkernel: restore a certificate of %d queries from %d values", n, len(v))
	}
	c.Refined, c.Shortfalls, c.WorstStep, c.WorstQuery = v[0], v[1], v[2], v[3]
	v = v[head:]
	copy(c.Largest, v)
	copy(c.Accumulated, v[n:])
	copy(c.Nodes, v[2*n:])
	c.StepNodes = append([]float64(nil), v[3*n:]...)
	return nil
}
