package pathkernel

import "slices"

// Integral is one sum that a contraction adds to:
//
//	Sum[m, k, k′, Offset+i] += Scale·Columns[k′,i]·Σ_j Weights[j]·K_j[m, k, k′, i]
//
// where K_j is the product of the query's factors at node j with the training
// factors. The layout is row-major with Width training samples in a row.
type Integral struct {
	Sum     []float64 // outer: (M, K, K′, Width); trace: (M, Width)
	Width   int
	Offset  int
	Weights []float64 // one for each node
	Scale   float64
	Columns []float64 // (K′, N), or nil for 1
}

// term is the product of one input Gram and one cotangent product, and the sums
// it is added to.
type term[T Float] struct {
	input     []T // (M, d_in)
	bias      T
	cotangent []T // (K, M, d_out)
	unit      bool
	shared    []T // (K, d_out), with scale (M, d_out); or nil
	scale     []T
	uses      []use
}

type use struct {
	*Integral
	weight float64
}

// terms cuts the weighted sum over nodes of one layer into as few products as
// its constant halves allow. Where the inputs are data, Σ_j w_j(a·a′)(δ_j·γ) =
// (a·a′)((Σ_j w_jδ_j)·γ) is one product for each distinct vector of weights;
// likewise where the cotangents are constant. Otherwise it is one for each node.
func terms[T Float](layer int, nodes [][]Factor[T], integrals []Integral) []term[T] {
	first := &nodes[0][layer]
	if !first.FixedInput && !first.Unit {
		var all []term[T]
		for j := range nodes {
			if uses := usesOf(j, integrals); len(uses) > 0 {
				all = append(all, single(&nodes[j][layer], uses))
			}
		}
		return all
	}
	var all []term[T]
	for len(integrals) > 0 {
		weights := integrals[0].Weights
		same := func(i Integral) bool { return slices.Equal(i.Weights, weights) }
		var uses []use
		for i := range integrals {
			if same(integrals[i]) {
				uses = append(uses, use{&integrals[i], integrals[i].Scale})
			}
		}
		all = append(all, averaged(layer, nodes, weights, uses)...)
		rest := make([]Integral, 0, len(integrals))
		for _, i := range integrals {
			if !same(i) {
				rest = append(rest, i)
			}
		}
		integrals = rest
	}
	return all
}

// usesOf returns the sums in which node j has a weight.
func usesOf(j int, integrals []Integral) []use {
	var uses []use
	for i := range integrals {
		if w := integrals[i].Weights[j]; w != 0 {
			uses = append(uses, use{&integrals[i], w * integrals[i].Scale})
		}
	}
	return uses
}

func single[T Float](f *Factor[T], uses []use) term[T] {
	return term[T]{input: f.Input, bias: f.bias(), cotangent: f.Cotangent, unit: f.Unit, shared: f.Shared, scale: f.Scale, uses: uses}
}

// averaged returns the term of a layer with a constant half, its other half
// averaged over the nodes; none when no node has a weight.
func averaged[T Float](layer int, nodes [][]Factor[T], weights []float64, uses []use) []term[T] {
	var used []int
	for j, w := range weights {
		if w != 0 {
			used = append(used, j)
		}
	}
	switch len(used) {
	case 0:
		return nil
	case 1:
		for i := range uses {
			uses[i].weight *= weights[used[0]]
		}
		return []term[T]{single(&nodes[used[0]][layer], uses)}
	}
	f := &nodes[used[0]][layer]
	t := term[T]{input: f.Input, bias: f.bias(), cotangent: f.Cotangent, unit: f.Unit, uses: uses}
	half := func(f *Factor[T]) []T { return f.Cotangent }
	if !f.FixedInput {
		half = func(f *Factor[T]) []T { return f.Input }
		t.bias = 0
	}
	mean := make([]T, len(half(f)))
	for _, j := range used {
		w := T(weights[j])
		for i, v := range half(&nodes[j][layer]) {
			mean[i] += w * v
		}
		if !f.FixedInput {
			t.bias += w * f.bias()
		}
	}
	if f.FixedInput {
		t.cotangent = mean
	} else {
		t.input = mean
	}
	return []term[T]{t}
}
