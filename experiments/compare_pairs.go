package experiments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"pkm/internal/npy"
)

// Pair compares two runs on the queries that they share.
type Pair struct {
	A string `json:"a"` // paths of the runs
	B string `json:"b"`
	// Fault says why the runs cannot be compared, "" where they can.
	Fault         string        `json:"fault,omitempty"`
	Queries       int           `json:"queries"` // in both runs
	QueriesA      int           `json:"queries_a"`
	QueriesB      int           `json:"queries_b"`
	Agreement     Figure        `json:"argmax_agreement"` // share of queries to which both networks give the same class; NaN without classes
	RMSDifference Figure        `json:"rms_difference"`   // of the networks' outputs, over queries and outputs
	MaxDifference Figure        `json:"max_difference"`
	Machines      []MachinePair `json:"machines"`
}

// MachinePair compares the contributions of machines of one name in two runs. The rank correlation of
// a query is Spearman's between Q[m,c,·] of the one and of the other run, over the training samples that both runs
// have, as a mean over the outputs c.
type MachinePair struct {
	Machine     string   `json:"machine"`
	Fault       string   `json:"fault,omitempty"` // why they cannot be compared
	Samples     int      `json:"samples"`         // training samples in both runs
	Mean        Figure   `json:"rank_correlation"`
	Lowest      Figure   `json:"lowest"`
	LowestQuery int      `json:"lowest_query"` // its place in a; −1: none
	Undefined   int      `json:"undefined"`    // queries without one: all contributions are equal
	Queries     []Figure `json:"by_query"`     // of the queries in both, in the order of a
}

// comparePair compares two runs. Memory: the contributions of a machine in both. Time: O(M·C·N log N) for each machine.
func comparePair(ctx context.Context, a, b *Run) (Pair, error) {
	p := Pair{A: a.Path, B: b.Path, Agreement: nan(), RMSDifference: nan(), MaxDifference: nan(), Machines: []MachinePair{}}
	queries, fault, err := commonQueries(a, b)
	if p.Fault = fault; fault != "" || err != nil {
		return p, err
	}
	p.Queries, p.QueriesA, p.QueriesB = len(queries), a.Summary.Samples.Query, b.Summary.Samples.Query
	if err := p.predictions(a, b, queries); err != nil {
		return p, err
	}
	pairs, fault, err := commonSamples(a, b)
	if err != nil {
		return p, err
	}
	for _, m := range a.Summary.Machines {
		other, found := b.Summary.Machines.Get(m.Name)
		if !found {
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return p, fmt.Errorf("compare %s with %s: %w", a.Path, b.Path, err)
		}
		mp := MachinePair{Machine: m.Name, Samples: len(pairs), Mean: nan(), Lowest: nan(), LowestQuery: -1, Fault: fault}
		if m.Figures.Target != other.Target {
			mp.Fault = "one accounts for another target than the other"
		}
		if mp.Fault == "" {
			if err := mp.correlate(a, b, queries, pairs); err != nil {
				return p, err
			}
		}
		p.Machines = append(p.Machines, mp)
	}
	return p, nil
}

func nan() Figure { return Figure(math.NaN()) }

// commonQueries returns the places of the queries that both runs have, in a and in b, or says why they cannot be
// told. Queries are the same if their inputs are, or if they are the same rows of the same data, and their targets are.
func commonQueries(a, b *Run) (pairs [][2]int, fault string, err error) {
	same := func(name string) bool {
		x, inA := a.record("arrays/" + name + ".npy")
		y, inB := b.record("arrays/" + name + ".npy")
		return inA && inB && x.SHA256 == y.SHA256
	}
	data := a.Manifest.Data.SHA256 != "" && a.Manifest.Data.SHA256 == b.Manifest.Data.SHA256
	whole := data && same("query_indices") || same("query_inputs")
	switch {
	case a.Summary.Outputs != b.Summary.Outputs:
		return nil, fmt.Sprintf("%d outputs and %d", a.Summary.Outputs, b.Summary.Outputs), nil
	case !whole && !data && (a.Manifest.Data.Source != b.Manifest.Data.Source || a.Manifest.Data.SHA256 != b.Manifest.Data.SHA256):
		return nil, "other data", nil
	case !whole && !data: // drawn: the index of a sample does not tell which it is
		return nil, "other query samples", nil
	case whole && !same("query_targets"):
		return nil, "other targets of the queries", nil
	case whole:
		for m := range a.Summary.Samples.Query {
			pairs = append(pairs, [2]int{m, m})
		}
		return pairs, "", nil
	case !slices.Equal(a.Manifest.Data.Classes, b.Manifest.Data.Classes):
		return nil, "other classes", nil
	}
	if pairs, err = commonIndices(a, b, "query_indices"); err != nil {
		return nil, "", err
	}
	if len(pairs) == 0 {
		return nil, "other query samples", nil
	}
	equal, err := equalTargets(a, b, pairs)
	if !equal && err == nil {
		fault = "other targets of the queries"
	}
	return pairs, fault, err
}

// commonIndices returns the places of the samples that both runs have by the index in the data, in the order of a.
func commonIndices(a, b *Run, name string) (pairs [][2]int, err error) {
	x, _, err := readRunArray(a, name, npy.Read[int64])
	if err != nil {
		return nil, err
	}
	y, _, err := readRunArray(b, name, npy.Read[int64])
	if err != nil {
		return nil, err
	}
	at := make(map[int64]int, len(y))
	for j, index := range y {
		at[index] = j
	}
	for i, index := range x {
		if j, found := at[index]; found {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return pairs, nil
}

// equalTargets reports whether the queries of pairs have the same targets in both runs.
func equalTargets(a, b *Run, pairs [][2]int) (bool, error) {
	var rows [2][][]byte
	for side, r := range []*Run{a, b} {
		content, err := r.readFile("arrays/query_targets.npy")
		if err != nil {
			return false, fmt.Errorf("read run directory %s: %w", r.Path, err)
		}
		in := bytes.NewReader(content)
		h, err := npy.ReadHeader(in)
		if err != nil || len(h.Shape) == 0 || h.Shape[0] == 0 || in.Len()%h.Shape[0] != 0 {
			return false, errors.Join(fmt.Errorf("read run directory %s: query_targets: %s of shape %v in %d bytes", r.Path, h.DType, h.Shape, in.Len()), err)
		}
		data := content[len(content)-in.Len():]
		rows[side] = slices.Collect(slices.Chunk(data, max(1, len(data)/h.Shape[0])))
	}
	for _, p := range pairs {
		if p[0] >= len(rows[0]) || p[1] >= len(rows[1]) {
			return false, fmt.Errorf("compare %s with %s: query_targets has fewer queries than query_indices", a.Path, b.Path)
		}
		if !bytes.Equal(rows[0][p[0]], rows[1][p[1]]) {
			return false, nil
		}
	}
	return true, nil
}

// predictions compares what the networks give for the queries of pairs.
func (p *Pair) predictions(a, b *Run, pairs [][2]int) error {
	var sides [2][]float64
	c := a.Summary.Outputs
	for side, r := range []*Run{a, b} {
		all, shape, err := readRunArray(r, "outputs_final", npy.ReadFloat64)
		if err != nil {
			return err
		}
		if len(shape) != 2 || shape[1] != c {
			return fmt.Errorf("compare %s with %s: outputs_final of %s has shape %v, want (queries, %d)", a.Path, b.Path, r.Path, shape, c)
		}
		for _, pair := range pairs {
			if pair[side] >= shape[0] {
				return fmt.Errorf("compare %s with %s: outputs_final of %s has %d queries, fewer than its other arrays", a.Path, b.Path, r.Path, shape[0])
			}
			sides[side] = append(sides[side], all[pair[side]*c:(pair[side]+1)*c]...)
		}
	}
	x, y := sides[0], sides[1]
	if len(x) == 0 {
		return nil
	}
	// Numbers to predict, one or several, choose no class; runs of classes have an accuracy.
	if !math.IsNaN(float64(a.Summary.Network.QueryAccuracy)) {
		p.Agreement = agreement(Classes(x, c), Classes(y, c))
	}
	largest, squares := 0.0, 0.0
	for i := range x {
		d := x[i] - y[i]
		largest = max(largest, math.Abs(d))
		squares += d * d
	}
	p.MaxDifference, p.RMSDifference = Figure(largest), Figure(math.Sqrt(squares/float64(len(x))))
	return nil
}

// commonSamples returns the places of the training samples that both runs have, in a and in b, or
// says why they cannot be told.
func commonSamples(a, b *Run) (pairs [][2]int, fault string, err error) {
	if a.Manifest.Data.SHA256 == "" { // drawn: the index of a sample does not tell which it is
		i, _ := a.record("arrays/train_inputs.npy")
		j, _ := b.record("arrays/train_inputs.npy")
		if i.SHA256 != j.SHA256 {
			return nil, "other training samples", nil
		}
	}
	if pairs, err = commonIndices(a, b, "train_indices"); err != nil {
		return nil, "", err
	}
	if len(pairs) < 2 {
		fault = fmt.Sprintf("%d training samples in both", len(pairs))
	}
	return pairs, fault, nil
}

// correlate computes the rank correlations of the queries, over the training samples of pairs.
func (mp *MachinePair) correlate(a, b *Run, queries, pairs [][2]int) error {
	name := mp.Machine + "/contributions"
	x, shape, err := readRunArray(a, name, npy.ReadFloat64)
	if err != nil {
		return err
	}
	y, other, err := readRunArray(b, name, npy.ReadFloat64)
	if err != nil {
		return err
	}
	if len(shape) != 3 || len(other) != 3 || shape[1] != other[1] {
		return fmt.Errorf("compare %s with %s: %s has shape %v and %v", a.Path, b.Path, name, shape, other)
	}
	for _, p := range pairs {
		if p[0] >= shape[2] || p[1] >= other[2] {
			return fmt.Errorf("compare %s with %s: %s has fewer training samples than train_indices", a.Path, b.Path, name)
		}
	}
	for _, m := range queries {
		if m[0] >= shape[0] || m[1] >= other[0] {
			return fmt.Errorf("compare %s with %s: %s has fewer queries than the runs", a.Path, b.Path, name)
		}
	}
	p, q := make([]float64, len(pairs)), make([]float64, len(pairs))
	sum, defined := 0.0, 0
	for _, m := range queries {
		mean := 0.0
		for c := range shape[1] {
			k, l := m[0]*shape[1]+c, m[1]*shape[1]+c
			for i, pair := range pairs {
				p[i], q[i] = x[k*shape[2]+pair[0]], y[l*other[2]+pair[1]]
			}
			mean += Spearman(p, q) / float64(shape[1])
		}
		mp.Queries = append(mp.Queries, Figure(mean))
		if math.IsNaN(mean) {
			mp.Undefined++
			continue
		}
		sum, defined = sum+mean, defined+1
		if !(mean >= float64(mp.Lowest)) {
			mp.Lowest, mp.LowestQuery = Figure(mean), m[0]
		}
	}
	if defined > 0 {
		mp.Mean = Figure(sum / float64(defined))
	}
	return nil
}

// readRunArray reads an array of a run, checked.
func readRunArray[T float64 | int64](r *Run, name string, read func(io.Reader) ([]int, []T, error)) ([]T, []int, error) {
	content, err := r.readFile("arrays/" + name + ".npy")
	if err != nil {
		return nil, nil, fmt.Errorf("read run directory %s: %w", r.Path, err)
	}
	shape, data, err := read(bytes.NewReader(content))
	if err != nil {
		return nil, nil, fmt.Errorf("read run directory %s: %s: %w", r.Path, name, err)
	}
	return data, shape, nil
}
