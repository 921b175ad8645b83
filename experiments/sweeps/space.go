package sweeps

import (
	"slices"
	"strings"

	"pkm/experiments"
)

// maxGrid bounds the points of a grid.
const maxGrid = 100_000

// Space is the search space: its parameters in the order of the file. A point is a slice of
// their coordinates.
type Space []*Parameter

// Assignment is what a point stands for.
type Assignment struct {
	Values   []string              // by parameter, "" where a condition does not hold
	settings []experiments.Setting // of those that hold
}

// At returns what the point u stands for.
func (s Space) At(u []float64) Assignment {
	a := Assignment{Values: make([]string, len(s))}
	for i, p := range s {
		if !s.active(a.Values, i) {
			continue
		}
		n := p.value(u[i])
		a.Values[i] = n.String()
		a.settings = append(a.settings, experiments.Setting{Key: p.Key, At: p.at, Value: n})
	}
	return a
}

// active reports whether the conditions of parameter i hold, given the values of those
// above it.
func (s Space) active(values []string, i int) bool {
	for _, c := range s[i].When {
		if !slices.Contains(c.Values, values[c.parent]) {
			return false
		}
	}
	return true
}

// numeric returns the numbers of the parameters whose neighbouring values are alike.
func (s Space) numeric() []int {
	var numbers []int
	for i, p := range s {
		if p.numeric() {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// points returns the grid, the last parameter varying fastest, without points that differ
// only where a condition does not hold; all is false where there are more than most.
func (s Space) points(most int) (points [][]float64, all bool) {
	u, values := make([]float64, len(s)), make([]string, len(s))
	var below func(i int) bool
	below = func(i int) bool {
		if i == len(s) {
			points = append(points, slices.Clone(u))
			return len(points) <= most
		}
		n := s[i].Count()
		if !s.active(values, i) {
			n = 1
		}
		for k := range n {
			u[i] = (float64(k) + 0.5) / float64(s[i].Count())
			values[i] = ""
			if s.active(values, i) {
				values[i] = s[i].value(u[i]).String()
			}
			if !below(i + 1) {
				return false
			}
		}
		values[i] = ""
		return true
	}
	all = below(0)
	return points, all
}

// space reads the parameters of the file.
func (r *reader) space(s *Space, n experiments.Node) {
	if !n.IsMapping() || len(n.Entries()) == 0 {
		found := n.Found()
		if n.IsMapping() {
			found = "an empty mapping"
		}
		r.Fail(n, experiments.ConfigError{Key: "parameters", Found: found, Allowed: "a mapping of keys of the configuration, such as training.steps: {values: [100, 200]}"})
		return
	}
	for _, e := range n.Entries() {
		if slices.ContainsFunc(*s, func(p *Parameter) bool { return p.Key == e.Key }) {
			r.Fail(e.At, experiments.ConfigError{Key: "parameters." + e.Key, Fault: "given twice", Allowed: "each parameter once"})
			continue
		}
		if i := slices.IndexFunc(*s, func(p *Parameter) bool { return overlap(p.Key, e.Key) }); i >= 0 {
			r.Fail(e.At, experiments.ConfigError{Key: "parameters." + e.Key, Fault: "part of the parameter " + (*s)[i].Key + ", or it of this", Allowed: "one of the two"})
			continue
		}
		if p, ok := r.parameter(e, *s); ok {
			*s = append(*s, p)
		}
	}
}

// overlap reports whether one key holds the other, but for a section, whose keys are laid
// over those of the section.
func overlap(a, b string) bool {
	return strings.HasPrefix(a, b+"[") || strings.HasPrefix(b, a+"[")
}
