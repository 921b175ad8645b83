package pathkernel

import "pkm/internal/vector"

// add adds a row of a tile times the Gram's row to row r of the sums of all
// integrals that the term counts in. The row begins at training cotangent first,
// counted over samples and seeds.
func (t *term[T]) add(sums [][]Sum, r, first, seeds int, row, gram []T) {
	var all sumsOfProducts[T]
	for _, u := range t.uses {
		for s := range sums[u.integral] {
			sum := &sums[u.integral][s]
			to, weight := sum.row(sum.of(t.layer), r, first, seeds, len(row)), u.weight*sum.Scale
			if sum.Columns == nil {
				all.add(to, weight, row, gram)
				continue
			}
			all.flush(row, gram)
			vector.MulAddColumnsTo(to, weight, row, gram, sum.Columns[first:][:len(row)])
		}
	}
	all.flush(row, gram)
}

// addEqual is add for unit vectors on both sides, e_k·e_k′: only columns of seed k count.
func (t *term[T]) addEqual(sums [][]Sum, r, stacks, left, right int, s tiles) {
	gram, k := t.gram[r/stacks*s.samples:], r%stacks
	for _, u := range t.uses {
		for q := range sums[u.integral] {
			sum := &sums[u.integral][q]
			to, weight := sum.row(sum.of(t.layer), r, left, s.seeds, right-left), u.weight*sum.Scale
			for i := (left + s.seeds - 1 - k) / s.seeds; i*s.seeds+k < right; i++ {
				w := weight
				if sum.Columns != nil {
					w *= sum.Columns[i*s.seeds+k]
				}
				to[i*s.seeds+k-left] += w * float64(gram[i])
			}
		}
	}
}

// sumsOfProducts collects sums that take the same products p⊙a with a weight each, so
// that these are read and formed once for several.
type sumsOfProducts[T Float] struct {
	n       int
	to      [8][]float64
	weights [8]float64
}

// add adds weight·p⊙a to a sum, now or at the next flush.
func (s *sumsOfProducts[T]) add(to []float64, weight float64, p, a []T) {
	if s.n == len(s.to) {
		s.flush(p, a)
	}
	s.to[s.n], s.weights[s.n] = to, weight
	s.n++
}

// flush adds what is left.
func (s *sumsOfProducts[T]) flush(p, a []T) {
	vector.MulAddAllTo(s.to[:s.n], s.weights[:s.n], p, a)
	s.n = 0
}

// row returns count of the values, which are those of the sum or of a layer, of row r from training
// cotangent first on, counted over samples and seeds.
func (s *Sum) row(values []float64, r, first, seeds, count int) []float64 {
	return values[(r*s.Width+s.Offset)*seeds+first:][:count]
}
