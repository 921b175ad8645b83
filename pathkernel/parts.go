package pathkernel

import (
	"fmt"
	"slices"
)

// parts are shares of a machine's contributions and regularisation, which sum to them.
type parts struct {
	contributions  [][]float64 // (parts)(M·C·N)
	regularization [][]float64 // (parts)(M·C)
	// What the machine held when the last window was closed, nil for parts that are filled directly.
	closed, closedRegularization []float64
}

func newParts(count, contributions, regularization int) *parts {
	p := &parts{}
	for range count {
		p.contributions, p.regularization = append(p.contributions, make([]float64, contributions)), append(p.regularization, make([]float64, regularization))
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
	m.layers = newParts(layers, len(m.contributions), m.queries*m.outputs)
}

// SplitWindows makes an empty machine keep what the steps of each of W windows contribute; see
// CloseWindow. Memory: M·C·N float64 for each, and one more.
func (m *Machine) SplitWindows(windows int) {
	m.windows = newParts(windows, len(m.contributions), m.queries*m.outputs)
	m.windows.closed, m.windows.closedRegularization = make([]float64, len(m.contributions)), make([]float64, m.queries*m.outputs)
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

// ByLayer returns the contributions of each layer (L)(M, C, N), and what weight decay did to its
// weights (L)(M, C); nil for a machine that does not keep them. Their sums over layers are
// Contributions and Regularization. The slices belong to the machine.
func (m *Machine) ByLayer() (contributions, regularization [][]float64) { return m.layers.get() }

// ByWindow returns what the steps of each window contributed (W)(M, C, N) and decayed (W)(M, C); nil for
// a machine that does not keep it. The slices belong to the machine.
func (m *Machine) ByWindow() (contributions, regularization [][]float64) { return m.windows.get() }

func (p *parts) get() (contributions, regularization [][]float64) {
	if p == nil {
		return nil, nil
	}
	return p.contributions, p.regularization
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

// all returns every slice of the parts, in order.
func (p *parts) all() [][]float64 {
	all := append(slices.Clone(p.contributions), p.regularization...)
	if p.closed != nil {
		all = append(all, p.closed, p.closedRegularization)
	}
	return all
}

// state returns the parts as one slice, from which restore makes them again.
func (p *parts) state() []float64 { return slices.Concat(p.all()...) }

func (p *parts) restore(state []float64) error {
	size := 0
	for _, part := range p.all() {
		size += len(part)
	}
	if len(state) != size {
		return fmt.Errorf("parts of %d values: found %d", size, len(state))
	}
	for _, part := range p.all() {
		copy(part, state)
		state = state[len(part):]
	}
	return nil
}
