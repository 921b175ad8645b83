package pathkernel

import "fmt"

// parts are shares of a machine's contributions and regularisation, which sum to them. All of them
// are one slice, so that they are written and saved as they are.
type parts struct {
	values         []float64   // contributions, regularization, and what was closed
	contributions  [][]float64 // (parts)(M·C·N)
	regularization [][]float64 // (parts)(M·C)
	// What the machine held when the last window was closed, nil for parts that are filled directly.
	closed, closedRegularization []float64
}

// newParts returns empty parts, with room for what was closed in those of windows.
func newParts(count, contributions, regularization int, windows bool) *parts {
	size := count * (contributions + regularization)
	if windows {
		size += contributions + regularization
	}
	p := &parts{values: make([]float64, size)}
	rest := p.values
	next := func(size int) []float64 {
		part := rest[:size:size]
		rest = rest[size:]
		return part
	}
	for range count {
		p.contributions = append(p.contributions, next(contributions))
	}
	for range count {
		p.regularization = append(p.regularization, next(regularization))
	}
	if windows {
		p.closed, p.closedRegularization = next(contributions), next(regularization)
	}
	return p
}

// sum sets to to the sum of the parts, in ascending order.
func (p *parts) sum(to []float64) {
	clear(to)
	for _, part := range p.contributions {
		for i, v := range part {
			to[i] += v
		}
	}
}

// SplitLayers makes an empty machine keep what each of L layers with weights contributes, in the
// order of the factors. Memory: M·C·N float64 for each.
func (m *Machine) SplitLayers(layers int) {
	m.layers = newParts(layers, len(m.contributions), m.queries*m.outputs, false)
}

// SplitWindows makes an empty machine keep what the steps of each of W windows contribute; see
// CloseWindow. Memory: M·C·N float64 for each, and one more.
func (m *Machine) SplitWindows(windows int) {
	m.windows = newParts(windows, len(m.contributions), m.queries*m.outputs, true)
}

// CloseWindow counts what the machine was given for count queries from first on since a window was
// last closed as that of a window. A sample is counted where its gradient was taken; with
// momentum it acts in later steps too.
func (m *Machine) CloseWindow(window, first, count int) error {
	if m.windows == nil || window < 0 || window >= len(m.windows.contributions) || first < 0 || count < 0 || first+count > m.queries {
		return fmt.Errorf("pathkernel: close window %d of machine %q for %d queries from %d on", window, m.Name, count, first)
	}
	w, size := m.windows, m.outputs*m.samples
	move(m.Contributions()[first*size:(first+count)*size], w.closed[first*size:], w.contributions[window][first*size:])
	size = m.outputs
	move(m.Regularization()[first*size:(first+count)*size], w.closedRegularization[first*size:], w.regularization[window][first*size:])
	return nil
}

// move adds now − before to a part, and sets before to now.
func move(now, before, part []float64) {
	for i, v := range now {
		part[i] += v - before[i]
		before[i] = v
	}
}

// ByLayer returns the contributions of each layer (L, M, C, N), and what weight decay did to its
// weights (L, M, C); nil for a machine that does not keep them. Their sums over layers are
// Contributions and Regularization. The slices belong to the machine.
func (m *Machine) ByLayer() (contributions, regularization []float64) { return m.layers.get() }

// ByWindow returns what the steps of each window contributed (W, M, C, N) and decayed (W, M, C); nil for
// a machine that does not keep it. Each is the difference of two sums, so its error is the rounding of Q and not
// of the window's own size. The slices belong to the machine.
func (m *Machine) ByWindow() (contributions, regularization []float64) { return m.windows.get() }

func (p *parts) get() (contributions, regularization []float64) {
	if p == nil || len(p.contributions) == 0 {
		return nil, nil
	}
	count := len(p.contributions)
	all, decayed := count*len(p.contributions[0]), count*len(p.regularization[0])
	return p.values[:all:all], p.values[all : all+decayed : all+decayed]
}

// ByClass returns the contributions of the samples of each class together (M, C, classes), for the
// samples' labels in [0, classes).
func (m *Machine) ByClass(labels []int, classes int) []float64 {
	q, out := m.Contributions(), make([]float64, m.queries*m.outputs*classes)
	for r := range m.queries * m.outputs {
		for i, v := range q[r*m.samples : (r+1)*m.samples] {
			out[r*classes+labels[i]] += v
		}
	}
	return out
}

// sumFrom returns the sum that takes the contributions of the queries from first on.
func (m *Machine) sumFrom(first int) Sum {
	at := first * m.outputs * m.samples
	s := Sum{Values: m.contributions[at:], Width: m.samples}
	if m.layers != nil {
		for _, part := range m.layers.contributions {
			s.Layers = append(s.Layers, part[at:])
		}
	}
	return s
}

// restore copies the values of parts of the same shape.
func (p *parts) restore(values []float64) error {
	if len(values) != len(p.values) {
		return fmt.Errorf("parts of %d values: found %d", len(p.values), len(values))
	}
	copy(p.values, values)
	return nil
}
