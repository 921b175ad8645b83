package pathkernel

import "slices"

// Sum is where a contraction adds to:
//
//	Values[m, k, k′, Offset+i] += Scale·Columns[k′,i]·Σ_j weights[j]·K_j[m, k, k′, i]
//
// where K_j is the product of the query's factors at node j with the training
// factors. The layout is row-major with Width training samples in a row.
type Sum struct {
	Values  []float64 // outer: (M, K, K′, Width); trace: (M, Width)
	Width   int
	Offset  int
	Scale   float64
	Columns []float64 // (K′, N), or nil for 1
}

// term is one half-finished product of a layer: an input Gram and a query
// cotangent, and the integrals over nodes that it counts in.
type term[T Float] struct {
	layer     int
	input     []T // (M, d_in)
	fixed     bool
	bias      T
	cotangent []T // (K, M, d_out)
	unit      bool
	shared    []T // (K, d_out), with scale (M, d_out); or nil
	scale     []T
	uses      []use

	gram  []T // a·a′ + bias (M, N)
	mixed []T // scratch of a trace (M, d_out)
}

// use says with which weight a term counts in an integral.
type use struct {
	integral int
	weight   float64
}

// termsOf cuts the integrals over the nodes of one layer into as few products as
// its constant halves allow; weights holds those of each integral on the nodes. Where
// the inputs are data, Σ_j w_j(a·a′)(δ_j·γ) = (a·a′)((Σ_j w_jδ_j)·γ) is one
// product for each distinct vector of weights; likewise where the cotangents are
// unit vectors. Otherwise it is one for each node.
func (c *Contraction[T]) termsOf(layer int, nodes [][]Factor[T], weights [][]float64) []term[T] {
	var all []term[T]
	if first := &nodes[0][layer]; !first.FixedInput && !first.Unit {
		for j := range nodes {
			t := single(layer, &nodes[j][layer])
			for i, w := range weights {
				if w[j] != 0 {
					t.uses = append(t.uses, use{i, w[j]})
				}
			}
			if len(t.uses) > 0 {
				all = append(all, t)
			}
		}
		return all
	}
	for i, w := range weights {
		same := func(other []float64) bool { return slices.Equal(other, w) }
		if slices.IndexFunc(weights, same) < i {
			continue // counted in the first of its equals
		}
		t, weight, any := c.averaged(layer, nodes, w)
		if !any {
			continue
		}
		for k := i; k < len(weights); k++ {
			if same(weights[k]) {
				t.uses = append(t.uses, use{k, weight})
			}
		}
		all = append(all, t)
	}
	return all
}

func single[T Float](layer int, f *Factor[T]) term[T] {
	return term[T]{layer: layer, input: f.Input, fixed: f.FixedInput, bias: f.bias(), cotangent: f.Cotangent, unit: f.Unit,
		shared: f.Shared, scale: f.Scale}
}

// averaged returns the term of a layer with a constant half, its other half
// averaged over the nodes, and the weight it has left; none when no node has one.
func (c *Contraction[T]) averaged(layer int, nodes [][]Factor[T], weights []float64) (t term[T], weight float64, any bool) {
	var used []int
	for j, w := range weights {
		if w != 0 {
			used = append(used, j)
		}
	}
	if len(used) == 0 {
		return t, 0, false
	}
	f := &nodes[used[0]][layer]
	t = single(layer, f)
	if len(used) == 1 {
		return t, weights[used[0]], true
	}
	if f.FixedInput && f.Unit { // nothing depends on the node
		for _, j := range used {
			weight += weights[j]
		}
		return t, weight, true
	}
	t.shared, t.scale = nil, nil // of one node, not of their mean
	half := func(f *Factor[T]) []T { return f.Cotangent }
	if !f.FixedInput {
		half = func(f *Factor[T]) []T { return f.Input }
		t.bias = 0
	}
	mean := nth(&c.means, c.averages, len(half(f)))
	c.averages++
	clear(mean)
	c.engine.Tiles(len(mean), averageTile, func(lo, hi int) {
		for _, j := range used {
			w, to := T(weights[j]), mean[lo:hi]
			for i, v := range half(&nodes[j][layer])[lo:hi] {
				to[i] += w * v
			}
		}
	})
	if !f.FixedInput {
		for _, j := range used {
			t.bias += T(weights[j]) * f.bias()
		}
	}
	if f.FixedInput {
		t.cotangent = mean
	} else {
		t.input = mean
	}
	return t, 1, true
}
