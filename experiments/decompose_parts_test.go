package experiments

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pkm/internal/compute"
	"pkm/internal/npy"
)

// By hand: equal numbers of steps, rounded, and whole epochs of ⌈N/B⌉ steps, the last cut short.
func TestWindowBounds(t *testing.T) {
	for _, test := range []struct {
		overrides []string
		want      []int
	}{
		{nil, nil},
		{[]string{"decompose.windows=1"}, []int{0, 10}},
		{[]string{"decompose.windows=3"}, []int{0, 3, 7, 10}},
		{[]string{"decompose.windows=10"}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{[]string{"decompose.epochs=1", "training.batch_size=16"}, []int{0, 3, 6, 9, 10}},
		{[]string{"decompose.epochs=2", "training.batch_size=20"}, []int{0, 4, 8, 10}},
		{[]string{"decompose.epochs=4"}, []int{0, 4, 8, 10}}, // of all samples: a step
		{[]string{"decompose.epochs=99"}, []int{0, 10}},
	} {
		c, err := Parse("t", []byte("name: t\n"), "yaml", append([]string{"data.train=40", "training.steps=10"}, test.overrides...), nil)
		must(t, err)
		w, err := c.windows(40)
		must(t, err)
		if !slices.Equal(w.bounds, test.want) {
			t.Errorf("%v: bounds %v, want %v", test.overrides, w.bounds, test.want)
		}
		for step := range 10 * min(1, w.count()) {
			if of := w.of(step); step < w.bounds[of] || step >= w.bounds[of+1] {
				t.Errorf("%v: step %d is in window %d", test.overrides, step, of)
			}
			if want := slices.Contains(test.want, step+1); w.ends(step) != want {
				t.Errorf("%v: step %d ends a window: %v", test.overrides, step, !want)
			}
		}
	}
}

// In an epoch of mini-batches the gradient of each sample is taken once, so that all it contributed
// is in the window of that step, however long momentum made it act, and nothing in the others. Equal bits: one
// window takes the whole from 0, the others the difference of equal numbers.
func TestSamplesCountWhereTheirGradientsWereTaken(t *testing.T) {
	base := []string{"data.train=48", "data.query=5", "network.hidden=[6]", "training.batch_size=8", "training.steps=6", "training.checkpoints.every=4",
		"machines=[{name: exact, family: exact, rule: gauss-2}]", "path_kernel=none"}
	for name, optimizer := range map[string][]string{
		"sgd":      nil,
		"momentum": {"training.optimizer.momentum=0.9"},
		"nesterov": {"training.optimizer.momentum=0.9", "training.optimizer.nesterov=true", "training.optimizer.weight_decay=0.1"},
		"adam":     {"training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01", "training.optimizer.weight_decay=0.1"},
		"adamw":    {"training.optimizer.kind=adamw", "training.optimizer.learning_rate=0.01", "training.optimizer.weight_decay=0.1"},
	} {
		for _, windows := range []int{3, 6} {
			t.Run(fmt.Sprintf("%s/%d", name, windows), func(t *testing.T) {
				r := mustExecute(t, "name: t\n", append(append(slices.Clone(base), optimizer...), fmt.Sprintf("decompose.windows=%d", windows))...)
				const samples, batch = 48, 8
				window := make([]int, samples)
				for at, i := range readArray[int64](t, r.Path, "batches") {
					window[i] = at / batch * windows / 6
				}
				whole, parts := readArray[float64](t, r.Path, "exact/contributions"), readArray[float64](t, r.Path, "exact/contributions_by_window")
				for at, q := range parts {
					w, i := at/len(whole), at%samples
					want := 0.0
					if window[i] == w {
						want = whole[at%len(whole)]
					}
					if q != want {
						t.Fatalf("sample %d, of window %d, contributes %g in window %d, want %g", i, window[i], q, w, want)
					}
				}
				if maxAbs(whole) == 0 {
					t.Error("nothing contributes")
				}
			})
		}
	}
}

// A run that stops early has windows up to where it stopped, and nothing in those after.
func TestWindowsOfARunThatStopsEarly(t *testing.T) {
	for name, optimizer := range map[string]string{"sgd": "training.optimizer.momentum=0", "momentum": "training.optimizer.momentum=0.5"} {
		base := []string{"data.train=40", "data.query=5", "network.hidden=[6]", "training.steps=20", "decompose.windows=5", optimizer,
			"machines=[{name: exact, family: exact, rule: gauss-2}]"}
		long := mustExecute(t, "name: t\n", append(base, "training.steps=10")...)
		loss := float64(long.Summary.Network.TrainLoss)
		r := mustExecute(t, "name: t\n", append(base, fmt.Sprintf("training.stop.loss=%.17g", loss))...)
		steps := int64(r.Summary.Steps)
		if steps <= 8 || steps >= 12 {
			t.Fatalf("%s: stopped after %d steps, the test is made for 9 to 11", name, steps)
		}
		bounds := readArray[int64](t, r.Path, "exact/window_bounds")
		if want := []int64{0, 4, 8, steps, steps, steps}; !slices.Equal(bounds, want) {
			t.Errorf("%s: bounds %v, want %v", name, bounds, want)
		}
		parts := readArray[float64](t, r.Path, "exact/contributions_by_window")
		size := len(parts) / 5
		for w := range 5 {
			if empty := maxAbs(parts[w*size:(w+1)*size]) == 0; empty != (w > 2) {
				t.Errorf("%s: window %d is empty: %v", name, w, empty)
			}
		}
		report, err := Verify(r.Path)
		must(t, err)
		if !report.OK() {
			t.Errorf("%s: %+v", name, report.failed())
		}
	}
}

// Queries in turns have the same shares as all of them at once, to rounding of other products.
func TestDecompositionsInTurns(t *testing.T) {
	long(t)
	for name, optimizer := range map[string][]string{"streamed": nil, "batches": {"training.batch_size=16"}, "backwards": {"training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.1"}} {
		base := append([]string{"data.train=40", "data.query=7", "network.hidden=[8]", "training.steps=6", "training.checkpoints.every=4",
			"machines=[{name: exact, family: exact, rule: gauss-2}]", "decompose={layers: true, windows: 3}"}, optimizer...)
		c, err := Parse("t", []byte("name: t\n"), "yaml", base, nil)
		must(t, err)
		memory := fmt.Sprintf("%.0fB", planOf(t, c, 3).Memory())
		c.Memory = memory
		if p, err := c.Plan(); err != nil || p.Blocks != 3 {
			t.Fatalf("%s: %+v, %v: the test is made for 3 turns", name, p, err)
		}
		whole, turns := mustExecute(t, "name: t\n", base...), mustExecute(t, "name: t\n", append(base, "memory="+memory)...)
		for _, array := range []string{"contributions_by_layer", "contributions_by_window", "regularization_by_layer", "regularization_by_window"} {
			got, want := readArray[float64](t, turns.Path, "exact/"+array), readArray[float64](t, whole.Path, "exact/"+array)
			if maxAbs(want) == 0 && maxAbs(got) == 0 && name != "backwards" {
				continue // no decay
			}
			if d := difference(got, want); !(d <= 1e-12) {
				t.Errorf("%s: %s: relative difference %.2g", name, array, d)
			}
		}
	}
}

// The plan counts a share for each layer with weights, not for its weights and its biases, and for
// each window and what the last was closed with; the arrays are as many. By hand: 5·10·40 numbers.
func TestPlanCountsShares(t *testing.T) {
	residual := "{kind: layers, layers: [{kind: flatten}, {kind: dense, units: 8}, {kind: residual, layers: [{kind: layer-norm}, {kind: dense, units: 8}]}, {kind: dense}]}"
	for _, test := range []struct {
		overrides       []string
		layers, windows int
	}{
		{[]string{"decompose.classes=true"}, 0, 0},
		{[]string{"decompose.layers=true", "network.hidden=[8, 6]"}, 3, 0},
		{[]string{"decompose.layers=true", "network.hidden=[8, 6]", "network.bias=false"}, 3, 0},
		{[]string{"decompose.layers=true", "network=" + residual}, 4, 0},
		{[]string{"decompose.windows=3"}, 0, 3},
	} {
		overrides := append([]string{"data.train=40", "data.query=5", "training.steps=6", "path_kernel=none", "machines=[{name: exact, family: exact, rule: left}]"}, test.overrides...)
		c, err := Parse("t", []byte("name: t\n"), "yaml", overrides, nil)
		must(t, err)
		whole := 8.0 * 5 * 10 * 40
		shares := float64(test.layers)
		if test.windows > 0 {
			shares += float64(test.windows) + 1
		}
		for _, d := range planOf(t, c, 5).Demands {
			if d.What == "shares of contributions" && d.Bytes != shares*whole {
				t.Errorf("%v: %g shares in memory, want %g", test.overrides, d.Bytes/whole, shares)
			}
		}
		r := mustExecute(t, "name: t\n", overrides...)
		for side, count := range map[string]int{"layer": test.layers, "window": test.windows} {
			if count == 0 {
				if _, err := os.Stat(filepath.Join(r.Path, "arrays", "exact", "contributions_by_"+side+".npy")); err == nil {
					t.Errorf("%v: contributions by %s", test.overrides, side)
				}
				continue
			}
			if n := len(readArray[float64](t, r.Path, "exact/contributions_by_"+side)); n != count*5*10*40 {
				t.Errorf("%v: %d contributions by %s, want %d parts", test.overrides, n, side, count)
			}
		}
		if len(r.Summary.Layers) != test.layers {
			t.Errorf("%v: layers %v, want %d", test.overrides, r.Summary.Layers, test.layers)
		}
	}
}

// Shares that do not sum to the whole by more than 1e-10 of it, and bounds and layers that do not fit,
// are found; what is less is rounding. Right hashes do not hide them.
func TestVerifyParts(t *testing.T) {
	overrides := []string{"data.train=40", "data.query=5", "network.hidden=[6]", "training.steps=6", "training.batch_size=16", "training.optimizer.momentum=0.5",
		"training.optimizer.weight_decay=0.1", "machines=[{name: exact, family: exact, rule: left}]", "decompose={layers: true, windows: 3, classes: true}"}
	r := mustExecute(t, "name: t\n", overrides...)
	largest := maxAbs(readArray[float64](t, r.Path, "exact/contributions"))
	whole := map[string]float64{"contributions_by_layer": largest, "contributions_by_window": largest}
	for _, side := range []string{"layer", "window"} {
		whole["regularization_by_"+side] = maxAbs(readArray[float64](t, r.Path, "exact/regularization"))
	}
	for c := range slices.Chunk(readArray[float64](t, r.Path, "exact/contributions_by_class"), 10) {
		var sum float64
		for _, v := range c {
			sum += v
		}
		whole["contributions_by_class"] = max(whole["contributions_by_class"], math.Abs(sum))
	}
	// checks returns what verify says of a machine whose array was edited.
	checks := func(array string, edit func(shape []int, floats []float64, ints []int64) []int) (failed []string) {
		t.Helper()
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(r.Path)))
		name := filepath.Join(dir, "arrays", "exact", array+".npy")
		b, err := os.ReadFile(name)
		must(t, err)
		var out bytes.Buffer
		if array == "window_bounds" {
			shape, data, err := npy.Read[int64](bytes.NewReader(b))
			must(t, err)
			shape = edit(shape, nil, data)
			must(t, npy.Write(&out, shape, data[:shape[0]]))
		} else {
			shape, data, err := npy.Read[float64](bytes.NewReader(b))
			must(t, err)
			size := len(data) / shape[0]
			shape = edit(shape, data, nil)
			must(t, npy.Write(&out, shape, data[:shape[0]*size]))
		}
		must(t, os.WriteFile(name, out.Bytes(), 0o644))
		report, err := Verify(dir)
		must(t, err)
		for _, c := range report.failed() {
			if c.Subject == "machine exact" {
				failed = append(failed, c.Detail)
			}
		}
		return failed
	}
	for array, scale := range whole {
		for _, test := range []struct {
			relative float64
			found    bool
		}{{1e-12, false}, {3e-10, true}, {math.NaN(), true}} {
			failed := checks(array, func(shape []int, v []float64, _ []int64) []int { v[len(v)/2] += test.relative * scale; return shape })
			if found := len(failed) == 1 && strings.HasPrefix(failed[0], array+" is off what it sums to"); found != test.found || !found && len(failed) > 0 {
				t.Errorf("%s off by %g: %q", array, test.relative, failed)
			}
		}
	}
	for name, test := range map[string]struct {
		array, want string
		edit        func(shape []int, floats []float64, ints []int64) []int
	}{
		"a layer too few":    {"contributions_by_layer", "is of 1 layers, summary.json names 2", func(shape []int, _ []float64, _ []int64) []int { shape[0]--; return shape }},
		"a bound too few":    {"window_bounds", "shape is [3], want [4] for 3 windows", func(shape []int, _ []float64, _ []int64) []int { shape[0]--; return shape }},
		"a step missing":     {"window_bounds", "do not ascend from 0 to the number of steps: 0 to 5", func(shape []int, _ []float64, b []int64) []int { b[3]--; return shape }},
		"the first missing":  {"window_bounds", "do not ascend from 0 to the number of steps: 1 to 6", func(shape []int, _ []float64, b []int64) []int { b[0]++; return shape }},
		"bounds in disorder": {"window_bounds", "do not ascend", func(shape []int, _ []float64, b []int64) []int { b[1], b[2] = b[2], b[1]; return shape }},
		"nothing is changed": {"window_bounds", "", func(shape []int, _ []float64, _ []int64) []int { return shape }},
	} {
		failed := checks(test.array, test.edit)
		if test.want == "" && len(failed) > 0 || test.want != "" && (len(failed) != 1 || !strings.Contains(failed[0], test.want)) {
			t.Errorf("%s: %q, want %q", name, failed, test.want)
		}
	}
}

// A class of which no training sample was drawn has a share, 0: what the arrays are does not depend on the draw.
func TestClassesWithoutSamples(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data.train=3", "data.query=2", "network.hidden=[4]", "training.steps=2", "decompose.classes=true",
		"machines=[{name: exact, family: exact, rule: left}]")
	labels := readArray[int64](t, r.Path, "train_targets")
	shares := readArray[float64](t, r.Path, "exact/contributions_by_class")
	if len(shares) != 2*10*10 {
		t.Fatalf("%d shares of 2 queries, 10 outputs and 10 classes", len(shares))
	}
	for at, q := range shares {
		if there := slices.Contains(labels, int64(at%10)); (q != 0) != there {
			t.Errorf("class %d, of which there are samples: %v, contributes %g", at%10, there, q)
		}
	}
}

// A replay of a run that stopped early tells apart windows of the steps it took; windows of the run that hold no step are
// left out, of the explanation and of the report.
func TestEmptyWindowsAreLeftOut(t *testing.T) {
	base := []string{"data.train=40", "data.query=3", "network.hidden=[6]", "training.steps=100", "machines=[{name: exact, family: exact, rule: gauss-2}]"}
	long := mustExecute(t, "name: t\n", append(base, "training.steps=10")...)
	stop := fmt.Sprintf("training.stop.loss=%.17g", float64(long.Summary.Network.TrainLoss))
	explained := func(r *Run, replay bool) *Explanation {
		t.Helper()
		e, err := Explain(context.Background(), r.Path, 0, ExplainOptions{Replay: replay, Engine: func(string) (compute.Engine, error) { return gonum(t), nil }})
		must(t, err)
		return e[0]
	}
	check := func(name string, e *Explanation, steps, want int) {
		t.Helper()
		if len(e.ByWindow) != want || *e.ByWindow[0].FirstStep != 0 || *e.ByWindow[want-1].EndStep != steps {
			t.Fatalf("%s: windows %+v, want %d up to step %d", name, e.ByWindow, want, steps)
		}
		sum := 0.0
		for i, w := range e.ByWindow {
			if sum += float64(w.Contribution); *w.FirstStep == *w.EndStep || i > 0 && *w.FirstStep != *e.ByWindow[i-1].EndStep {
				t.Errorf("%s: window %d is %s", name, i, w.Name)
			}
		}
		if d := math.Abs(sum - float64(e.Sum.Contributions)); d > 1e-12 { // rounding of 40 terms of order 1
			t.Errorf("%s: the windows miss %g of the contributions", name, d)
		}
		if len(e.For) > 0 && len(e.For[0].ByWindow) != want {
			t.Errorf("%s: a sample has %d windows", name, len(e.For[0].ByWindow))
		}
	}
	r := mustExecute(t, "name: t\n", append(base, stop)...)
	check("replay", explained(r, true), r.Summary.Steps, min(10, r.Summary.Steps))
	r = mustExecute(t, "name: t\n", append(base, stop, "decompose.windows=20")...) // of 5 steps
	want := (r.Summary.Steps + 4) / 5
	check("stored", explained(r, false), r.Summary.Steps, want)
	check("stored windows, replayed", explained(r, true), r.Summary.Steps, want)
	source, err := openRun(r.Path)
	must(t, err)
	defer source.root.Close()
	x, err := newExplorer(source)
	must(t, err)
	if names := x.Machines[0].Windows.Names; len(names) != want || names[want-1] != fmt.Sprint(r.Summary.Steps) {
		t.Errorf("the report's windows end at %v, want %d", names, want)
	}
	if part, ends := joinWindows([]int{0, 4, 8, 9, 9, 9}); !slices.Equal(part, []int{0, 1, 2, 2, 2}) || !slices.Equal(ends, []string{"4", "8", "9"}) {
		t.Errorf("parts %v end at %v", part, ends)
	}
}
