package blas

import "strings"

// nearest returns the candidate with the smallest edit distance to word, case
// ignored; the earlier one of equals.
func nearest(word string, candidates ...string) string {
	best, bestDistance := "", -1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), c); bestDistance < 0 || d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance returns the number of bytes to insert, delete or replace to
// make b of a (Levenshtein). Its cost is len(a)·len(b).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
