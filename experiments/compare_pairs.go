package experiments

import (
	"bytes"
	"context"
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
	Queries       int           `json:"queries"`
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
	LowestQuery int      `json:"lowest_query"` // −1: none
	Undefined   int      `json:"undefined"`    // queries without one: all contributions are equal
	Queries     []Figure `json:"by_query"`
}

// comparePair compares two runs. Memory: the contributions of a machine in both. Time: O(M·C·N log N) for each machine.
func comparePair(ctx context.Context, a, b *Run) (Pair, error) {
	p := Pair{A: a.Path, B: b.Path, Agreement: nan(), RMSDifference: nan(), MaxDifference: nan(), Machines: []MachinePair{}}
	if p.Fault = otherQueries(a, b); p.Fault != "" {
		return p, nil
	}
	if err := p.predictions(a, b); err != nil {
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
			if err := mp.correlate(a, b, pairs); err != nil {
				return p, err
			}
		}
		p.Machines = append(p.Machines, mp)
	}
	return p, nil
}

func nan() Figure { return Figure(math.NaN()) }

// otherQueries says why two runs do not have the same queries, "" where they do: the same rows of the
// same data with the same targets, or the same inputs and targets.
func otherQueries(a, b *Run) string {
	same := func(name string) bool {
		x, inA := a.record("arrays/" + name + ".npy")
		y, inB := b.record("arrays/" + name + ".npy")
		return inA && inB && x.SHA256 == y.SHA256
	}
	data := a.Manifest.Data.SHA256 != "" && a.Manifest.Data.SHA256 == b.Manifest.Data.SHA256
	switch {
	case a.Summary.Outputs != b.Summary.Outputs:
		return fmt.Sprintf("%d outputs and %d", a.Summary.Outputs, b.Summary.Outputs)
	case !(data && same("query_indices")) && !same("query_inputs"):
		if a.Manifest.Data.Source != b.Manifest.Data.Source || a.Manifest.Data.SHA256 != b.Manifest.Data.SHA256 {
			return "other data"
		}
		return "other query samples"
	case !same("query_targets"):
		return "other targets of the queries"
	}
	return ""
}

// predictions compares what the networks give.
func (p *Pair) predictions(a, b *Run) error {
	x, shape, err := readRunArray(a, "outputs_final", npy.ReadFloat64)
	if err != nil {
		return err
	}
	y, other, err := readRunArray(b, "outputs_final", npy.ReadFloat64)
	if err != nil {
		return err
	}
	if !slices.Equal(shape, other) || len(shape) != 2 {
		return fmt.Errorf("compare %s with %s: outputs_final has shape %v and %v", a.Path, b.Path, shape, other)
	}
	p.Queries = shape[0]
	if len(x) == 0 {
		return nil
	}
	// Numbers to predict, one or several, choose no class; runs of classes have an accuracy.
	if !math.IsNaN(float64(a.Summary.Network.QueryAccuracy)) {
		p.Agreement = agreement(Classes(x, shape[1]), Classes(y, shape[1]))
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
	x, _, err := readRunArray(a, "train_indices", npy.Read[int64])
	if err != nil {
		return nil, "", err
	}
	y, _, err := readRunArray(b, "train_indices", npy.Read[int64])
	if err != nil {
		return nil, "", err
	}
	if a.Manifest.Data.SHA256 == "" { // drawn: the index of a sample does not tell which it is
		i, _ := a.record("arrays/train_inputs.npy")
		j, _ := b.record("arrays/train_inputs.npy")
		if i.SHA256 != j.SHA256 {
			return nil, "other training samples", nil
		}
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
	if len(pairs) < 2 {
		fault = fmt.Sprintf("%d training samples in both", len(pairs))
	}
	return pairs, fault, nil
}

// correlate computes the rank correlations.
func (mp *MachinePair) correlate(a, b *Run, pairs [][2]int) error {
	name := mp.Machine + "/contributions"
	x, shape, err := readRunArray(a, name, npy.ReadFloat64)
	if err != nil {
		return err
	}
	y, other, err := readRunArray(b, name, npy.ReadFloat64)
	if err != nil {
		return err
	}
	if len(shape) != 3 || len(other) != 3 || !slices.Equal(shape[:2], other[:2]) {
		return fmt.Errorf("compare %s with %s: %s has shape %v and %v", a.Path, b.Path, name, shape, other)
	}
	for _, p := range pairs {
		if p[0] >= shape[2] || p[1] >= other[2] {
			return fmt.Errorf("compare %s with %s: %s has fewer training samples than train_indices", a.Path, b.Path, name)
		}
	}
	p, q := make([]float64, len(pairs)), make([]float64, len(pairs))
	sum, defined := 0.0, 0
	for m := range shape[0] {
		mean := 0.0
		for c := range shape[1] {
			k := m*shape[1] + c
			for i, pair := range pairs {
				p[i], q[i] = x[k*shape[2]+pair[0]], y[k*other[2]+pair[1]]
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
			mp.Lowest, mp.LowestQuery = Figure(mean), m
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
