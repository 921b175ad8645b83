package pathkernel

import (
	"slices"

	"pkm/internal/vector"
)

// Sum is where a contraction adds to. With K_j the product of the query's factors at
// node j with the training factors and K̄ = Σ_j weights[j]·K_j,
//
//	Outer     Values[m, k, Offset+i, k′] += Scale·Columns[i,k′]·K̄[m, k, i, k′]
//	Trace     Values[m, Offset+i]        += Scale·Σ_k K̄[m, k, i, k]
//	Diagonal  Values[m, k, Offset+i]     += Scale·K̄[m, k, i, k]
//
// The layout is row-major with Width training samples in a row.
type Sum struct {
	Values  []float64 // (M, K, Width, K′), (M, Width), (M, K, Width)
	Width   int
	Offset  int
	Scale   float64
	Columns []float64 // (N, K′), or nil for 1
	// Layers takes the products of each layer apart, in the layout of Values, which then gets
	// nothing; nil to sum the layers.
	Layers [][]float64
}

// of returns where the products of a layer go.
func (s *Sum) of(layer int) []float64 {
	if s.Layers != nil {
		return s.Layers[layer]
	}
	return s.Values
}

// all returns Values, or those of each layer.
func (s *Sum) all() [][]float64 {
	if s.Layers != nil {
		return s.Layers
	}
	return [][]float64{s.Values}
}

// like returns an empty sum with as many parts, for other rows and columns.
func (s *Sum) like(rows, width, seeds int, scale float64) Sum {
	part := func() []float64 { return make([]float64, rows*width*seeds) }
	to := Sum{Width: width, Scale: scale, Columns: s.Columns}
	if s.Layers == nil {
		to.Values = part()
		return to
	}
	for range s.Layers {
		to.Layers = append(to.Layers, part())
	}
	return to
}

// term is one half-finished product of a layer: query cotangents, the Gram of the
// inputs beside them, and the integrals over nodes that they count in.
type term[T Float] struct {
	layer     int
	width     int // of a cotangent
	cotangent []T // (M, K, width)
	unit      bool
	bothUnit  bool // the training cotangents are unit vectors too
	shared    []T  // (K, width), with scale (M, width); or nil
	scale     []T
	uses      []use

	input []T // (M, d_in), nil: there is no Gram
	fixed bool
	bias  T
	gram  []T // a·a′ + bias (M, N), nil: 1
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
// unit vectors, and where gradients are formed. Otherwise it is one for each node.
func (c *Contraction[T]) termsOf(layer int, nodes [][]Factor[T], weights [][]float64) []term[T] {
	first := &nodes[0][layer]
	if first.kind() == outerProduct && !first.FixedInput && !first.Unit {
		return perNode(layer, nodes, weights)
	}
	var all []term[T]
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

// perNode returns a term for each node that an integral counts.
func perNode[T Float](layer int, nodes [][]Factor[T], weights [][]float64) (all []term[T]) {
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

func single[T Float](layer int, f *Factor[T]) term[T] {
	return term[T]{layer: layer, width: f.OutWidth * f.Positions, cotangent: f.Cotangent, unit: f.Unit, shared: f.Shared, scale: f.Scale,
		input: f.Input, fixed: f.FixedInput, bias: f.bias()}
}

// averaged returns the term of a layer with a constant half, its other half
// averaged over the nodes, and the weight it has left; none when no node has one.
func (c *Contraction[T]) averaged(layer int, nodes [][]Factor[T], weights []float64) (t term[T], weight float64, any bool) {
	used := nonZero(weights)
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
	if f.FixedInput || f.kind() == formedAlready {
		t.cotangent = c.mean(used, weights, func(j int) []T { return nodes[j][layer].Cotangent })
		return t, 1, true
	}
	t.input = c.mean(used, weights, func(j int) []T { return nodes[j][layer].Input })
	t.bias = 0
	for _, j := range used {
		t.bias += T(weights[j]) * f.bias()
	}
	return t, 1, true
}

// nonZero returns the nodes that have a weight.
func nonZero(weights []float64) (used []int) {
	for j, w := range weights {
		if w != 0 {
			used = append(used, j)
		}
	}
	return used
}

// mean returns the weighted sum over nodes of some of their values, in scratch that
// is valid until the next Prepare.
func (c *Contraction[T]) mean(used []int, weights []float64, values func(j int) []T) []T {
	mean := nth(&c.means, c.averages, len(values(used[0])))
	c.averages++
	c.engine.Tiles(len(mean), averageTile, func(lo, hi int) {
		to := mean[lo:hi]
		clear(to)
		for _, j := range used {
			vector.AddScaled(to, T(weights[j]), values(j)[lo:hi])
		}
	})
	return mean
}
