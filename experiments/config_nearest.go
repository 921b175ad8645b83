package experiments

import "strings"

// nearest returns the candidate whose spelling is nearest to found, or "" when
// none is near: at most a third of the letters may differ. Upper and lower
// case, hyphens and underscores count as equal.
func nearest(found string, candidates []string) string {
	if len(found) > 200 {
		return ""
	}
	a := spelling(found)
	best, least := "", min(3, max(1, len(a)/3))+1
	for _, candidate := range candidates {
		b := spelling(candidate)
		if d := editDistance(a, b); d < least && d < len(b) {
			best, least = candidate, d
		}
	}
	return best
}

func spelling(text string) []rune {
	return []rune(strings.ReplaceAll(strings.ToLower(text), "-", "_"))
}

// editDistance returns the number of insertions, deletions, substitutions and
// transpositions of neighbours that turn a into b (optimal string alignment),
// in O(len(a)·len(b)).
func editDistance(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
