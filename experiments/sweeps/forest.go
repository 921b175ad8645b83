package sweeps

import (
	"math"
	"math/rand/v2"
	"slices"
)

// forest is the mean of regression trees over levels of factors, each grown from a bootstrap
// sample (L. Breiman, "Random Forests", Machine Learning 45, 2001) with all factors open to
// each split.
type forest struct {
	trees     []tree
	explained float64 // R² of what the trees say of trials that are not in their samples, 0 where these do not differ
}

// tree is its nodes, the root first.
type tree []node

// node is a split of the trials by the level of a factor, or a leaf, whose left is 0.
type node struct {
	value       float64 // mean of the trials
	factor      int
	goesLeft    uint64 // set of levels
	left, right int
}

// growForest fits a forest to y; columns hold the levels of the factors.
func growForest(factors []factor, columns [][]uint8, y []float64, random *rand.Rand) *forest {
	n := len(y)
	f := &forest{trees: make([]tree, forestTrees)}
	sums, counts := make([]float64, n), make([]float64, n)
	point := make([]uint8, len(columns))
	for k := range f.trees {
		g := &grower{factors: factors, columns: columns, y: y, least: 1 + min(n/200, 4)}
		rows, in := make([]int, min(n, forestSample)), make([]bool, n)
		for i := range rows {
			rows[i] = random.IntN(n)
			in[rows[i]] = true
		}
		g.grow(rows)
		f.trees[k] = g.tree
		for i := range n {
			if in[i] {
				continue
			}
			for j := range columns {
				point[j] = columns[j][i]
			}
			sums[i] += g.tree.predict(point)
			counts[i]++
		}
	}
	var missed, all []float64
	for i := range n {
		if counts[i] > 0 {
			missed, all = append(missed, y[i]-sums[i]/counts[i]), append(all, y[i])
		}
	}
	square := 0.0
	for _, e := range missed {
		square += e * e / float64(len(missed))
	}
	if v := variance(all); v > 0 {
		f.explained = 1 - square/v
	}
	return f
}

// predict returns the mean of the leaf that a point lies in.
func (t tree) predict(point []uint8) float64 {
	at := 0
	for t[at].left != 0 {
		if n := &t[at]; n.goesLeft>>point[n.factor]&1 == 1 {
			at = n.left
		} else {
			at = n.right
		}
	}
	return t[at].value
}

// grower grows a tree.
type grower struct {
	factors []factor
	columns [][]uint8
	y       []float64
	least   int // trials in a leaf
	tree    tree
}

// grow grows the subtree of rows, which it reorders, and returns the number of its root.
func (g *grower) grow(rows []int) int {
	sum := 0.0
	for _, i := range rows {
		sum += g.y[i]
	}
	at := len(g.tree)
	g.tree = append(g.tree, node{value: sum / float64(len(rows))})
	if len(rows) < 2*g.least {
		return at
	}
	best := split{gain: 1e-12 * (1 + math.Abs(sum*sum/float64(len(rows))))}
	for j := range g.factors {
		g.split(j, rows, sum, &best)
	}
	if best.goesLeft == 0 {
		return at
	}
	// Lefts to the front.
	k := 0
	for i, r := range rows {
		if best.goesLeft>>g.columns[best.factor][r]&1 == 1 {
			rows[i], rows[k] = rows[k], rows[i]
			k++
		}
	}
	left := g.grow(rows[:k])
	right := g.grow(rows[k:])
	n := &g.tree[at]
	n.factor, n.goesLeft, n.left, n.right = best.factor, best.goesLeft, left, right
	return at
}

// split is a way to part the trials of a node.
type split struct {
	factor   int
	goesLeft uint64
	gain     float64 // by which it lessens the sum of squares
}

// split looks for a better split by factor j: between neighbouring levels, of an unordered
// factor in the order of their means, among which the best of all is (L. Breiman et al.,
// "Classification and Regression Trees", 1984, section 9.4). Levels that no trial has go with the nearer
// neighbour, and of an unordered factor with the more.
func (g *grower) split(j int, rows []int, sum float64, best *split) {
	var counts, sums [maxLevels]float64
	for _, i := range rows {
		l := g.columns[j][i]
		counts[l]++
		sums[l] += g.y[i]
	}
	order := make([]int, 0, maxLevels)
	for l := range g.factors[j].weights {
		if counts[l] > 0 {
			order = append(order, l)
		}
	}
	if len(order) < 2 {
		return
	}
	if !g.factors[j].ordered {
		slices.SortStableFunc(order, func(a, b int) int {
			switch x, y := sums[a]/counts[a], sums[b]/counts[b]; {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
	}
	n, all := float64(len(rows)), uint64(math.MaxUint64)
	var count, part float64
	var left uint64
	for k, l := range order[:len(order)-1] {
		count, part = count+counts[l], part+sums[l]
		left |= 1 << l
		if count < float64(g.least) || n-count < float64(g.least) {
			continue
		}
		rest := sum - part
		gain := part*part/count + rest*rest/(n-count) - sum*sum/n
		if gain <= best.gain {
			continue
		}
		set := left
		switch {
		case g.factors[j].ordered:
			set = all >> (63 - (l+order[k+1]-1)/2)
		case 2*count > n: // all but the levels on the right
			set = all
			for _, r := range order[k+1:] {
				set &^= 1 << r
			}
		}
		*best = split{factor: j, goesLeft: set, gain: gain}
	}
}
