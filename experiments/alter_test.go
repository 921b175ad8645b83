package experiments

import (
	"math"
	"slices"
	"testing"
)

// The share of labels, rounded, is flipped, each to another class; which ones is recorded.
func TestLabelNoise(t *testing.T) {
	clean := mustExecute(t, small, "data.train=45")
	r := mustExecute(t, small, "data.train=45", "data.noise.labels=0.3", "decompose.classes=true")
	flipped, original := readArray[int64](t, r.Path, "train_flipped"), readArray[int64](t, r.Path, "train_original_targets")
	labels := readArray[int64](t, r.Path, "train_targets")
	if len(flipped) != 14 || !slices.IsSorted(flipped) || !slices.Equal(original, readArray[int64](t, clean.Path, "train_targets")) {
		t.Errorf("flipped %v, originals %v", flipped, original)
	}
	for i := range labels {
		if (labels[i] != original[i]) != slices.Contains(flipped, int64(i)) || labels[i] < 0 || labels[i] > 9 {
			t.Errorf("sample %d: %d became %d", i, original[i], labels[i])
		}
	}
	if !slices.Equal(readArray[int64](t, r.Path, "query_targets"), readArray[int64](t, clean.Path, "query_targets")) {
		t.Error("queries got other labels")
	}
	mustVerify(t, r.Path)
}

// Each other class is as likely: 9,000 flips of three classes, to four standard errors.
func TestLabelNoiseIsUniform(t *testing.T) {
	train := &Samples{Labels: make([]int, 9000), Indices: make([]int64, 9000)}
	(&alterations{}).flip(1, train, 1, 3)
	counts := [3]int{}
	for _, l := range train.Labels {
		counts[l]++
	}
	if counts[0] != 0 || math.Abs(float64(counts[1])-4500) > 4*math.Sqrt(9000)/2 {
		t.Errorf("%v", counts)
	}
}

// Mean and deviation are those of the training samples, by hand.
func TestStandardize(t *testing.T) {
	train := &Samples{Inputs: []float64{1, 0.1, 5, 0.1, 3, 0.1}, Indices: make([]int64, 3)}
	query := &Samples{Inputs: []float64{7, 0.3}, Indices: make([]int64, 1)}
	a, err := Data{Standardize: true}.alter(1, train, query, 2)
	must(t, err)
	d := math.Sqrt(8.0 / 3)
	if !slices.Equal(a.mean, []float64{3, 0.1}) || !slices.Equal(a.deviation, []float64{d, 1}) {
		t.Errorf("mean %v, deviation %v", a.mean, a.deviation)
	}
	if !slices.Equal(train.Inputs, []float64{-2 / d, 0, 2 / d, 0, 0, 0}) || !slices.Equal(query.Inputs, []float64{4 / d, 0.19999999999999998}) {
		t.Errorf("%v, %v", train.Inputs, query.Inputs)
	}
	train = &Samples{Inputs: []float64{1e308, -1e308, 1e308}, Indices: []int64{4, 5, 6}}
	if _, err := (Data{Standardize: true}).alter(1, train, query, 2); err == nil {
		t.Errorf("an overflow was accepted: %v", train.Inputs)
	}
}

// What is written takes the written inputs back to the data.
func TestStandardizedRun(t *testing.T) {
	clean := mustExecute(t, small)
	r := mustExecute(t, small, "data.standardize=true", "training.optimizer.learning_rate=0.05")
	mean, deviation := readArray[float64](t, r.Path, "input_mean"), readArray[float64](t, r.Path, "input_std")
	for _, name := range []string{"train_inputs", "query_inputs"} {
		want := readArray[float64](t, clean.Path, name)
		for i, x := range readArray[float64](t, r.Path, name) {
			if back := mean[i%64] + deviation[i%64]*x; math.Abs(back-want[i]) > 1e-14 {
				t.Fatalf("%s[%d] comes from %g, want %g", name, i, back, want[i])
			}
		}
	}
	mustVerify(t, r.Path)
}
