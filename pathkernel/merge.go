package pathkernel

import "fmt"

// Merge adds what another machine of count queries has added up to the machine, for its own
// queries from first on: sums to sums, and of certificates the larger of the largest. The other
// has the same outputs, samples, kernel and shares, and took other steps of the path, or other
// queries. Merged in one order, parts give one result, bit for bit.
func (m *Machine) Merge(a Accumulators, first, count int) error {
	fail := func(what string, found, want int) error {
		return fmt.Errorf("pathkernel: merge %d queries from %d on into machine %q: found %d values of %s, want %d", count, first, m.Name, found, what, want)
	}
	if first < 0 || count < 1 || first+count > m.queries {
		return fmt.Errorf("pathkernel: merge %d queries from %d on into machine %q: there are %d", count, first, m.Name, m.queries)
	}
	decayed := m.queries * m.outputs
	if len(a.Regularization) > 0 && m.regularization == nil {
		m.regularization = make([]float64, decayed)
	}
	for _, side := range []struct {
		name     string
		to, from []float64
	}{
		{"contributions", m.contributions, a.Contributions}, {"path_kernel", m.pathKernel, a.PathKernel},
		{"numerators", m.numerators, a.Numerators}, {"regularization", m.regularization, a.Regularization},
	} {
		if side.name == "regularization" && len(side.from) == 0 {
			continue // no weight decay was met
		}
		if want := len(side.to) / m.queries * count; len(side.from) != want {
			return fail(side.name, len(side.from), want)
		}
		mergeRows(side.to, side.from, m.queries, first)
	}
	m.bound = max(m.bound, a.Bound)
	for _, side := range []struct {
		name  string
		parts *parts
		from  []float64
	}{{"layers", m.layers, a.Layers}, {"windows", m.windows, a.Windows}} {
		if side.parts == nil {
			continue
		}
		part := newParts(len(side.parts.contributions), len(m.contributions)/m.queries*count, count*m.outputs, side.parts.closed != nil)
		if len(side.from) != len(part.values) {
			return fail(side.name, len(side.from), len(part.values))
		}
		copy(part.values, side.from)
		for p, to := range side.parts.contributions {
			mergeRows(to, part.contributions[p], m.queries, first)
			mergeRows(side.parts.regularization[p], part.regularization[p], m.queries, first)
		}
	}
	if m.certificate == nil {
		return nil
	}
	part := newCertificate(count)
	if err := part.restore(a.Certificate); err != nil {
		return err
	}
	m.certificate.merge(part, first)
	return nil
}

// mergeRows adds rows to those of a matrix of so many rows from first on.
func mergeRows(to, from []float64, rows, first int) {
	if len(to) == 0 {
		return
	}
	to = to[first*(len(to)/rows):]
	for i, v := range from {
		to[i] += v
	}
}

// merge takes up the certificate of other steps, or of other queries, from first on.
func (c *Certificate) merge(part *Certificate, first int) {
	c.Refined += part.Refined
	c.Shortfalls += part.Shortfalls
	for len(c.StepNodes) < len(part.StepNodes) {
		c.StepNodes = append(c.StepNodes, 0)
	}
	for s, n := range part.StepNodes {
		c.StepNodes[s] += n
	}
	if q := int(part.WorstQuery); q >= 0 && (c.WorstQuery < 0 || part.Largest[q] > c.Largest[int(c.WorstQuery)]) {
		c.WorstStep, c.WorstQuery = part.WorstStep, float64(first+q)
	}
	for i := range part.Largest {
		q := first + i
		c.Largest[q] = max(c.Largest[q], part.Largest[i])
		c.Accumulated[q] += part.Accumulated[i]
		c.Nodes[q] += part.Nodes[i]
	}
}
