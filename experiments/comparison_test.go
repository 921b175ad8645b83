package experiments

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// By hand: of (5, 6, 7, 8, 7) the ranks are (1, 2, 3½, 5, 3½), so with 1…5 the correlation
// is 8/√(10·9½); without ties it is 1 − 6Σd²/(n(n²−1)).
func TestSpearman(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name string
		a, b []float64
		want float64
	}{
		{"ties", []float64{1, 2, 3, 4, 5}, []float64{5, 6, 7, 8, 7}, 8 / math.Sqrt(95)},
		{"no ties", []float64{10, 30, 20, 40}, []float64{-1, 0, 5, 3}, 1 - 6*(0+1+4+1)/60.},
		{"monotone, not linear", []float64{-1, 0, 2, 3}, []float64{1e-9, 1, 1e6, 1e7}, 1},
		{"reversed", []float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		{"all equal", []float64{1, 2, 3}, []float64{7, 7, 7}, nan},
		{"one value", []float64{1}, []float64{2}, nan},
		{"none", nil, nil, nan},
		{"not a number", []float64{1, nan, 3}, []float64{1, 2, 3}, nan},
	} {
		got := Spearman(test.a, test.b)
		if !(math.Abs(got-test.want) < 1e-15) && !(math.IsNaN(got) && math.IsNaN(test.want)) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// pairRun is a run of two queries, two outputs and the training samples of the given indices.
func pairRun(t *testing.T, name string, indices []int64, outputs, contributions []float64, queries ...int64) *Run {
	t.Helper()
	if queries == nil {
		queries = []int64{7, 3}
	}
	d, err := CreateRunDir(filepath.Join(t.TempDir(), name))
	must(t, err)
	must(t, d.Update(func(m *Manifest) { m.Name, m.Data = name, DataProvenance{Source: "digits", SHA256: "ab"} }))
	must(t, d.WriteFile("config.yaml", text("name: "+name+"\n")))
	must(t, WriteArray(d, "query_indices", []int{2}, queries))
	must(t, WriteArray(d, "query_targets", []int{2}, []int64{1, 0}))
	must(t, WriteArray(d, "train_indices", []int{len(indices)}, indices))
	must(t, WriteArray(d, "outputs_final", []int{2, 2}, outputs))
	must(t, WriteArray(d, "exact/contributions", []int{2, 2, len(indices)}, contributions))
	must(t, d.WriteSummary(Summary{Samples: SampleCounts{Train: len(indices), Query: 2}, Outputs: 2,
		Machines: MachineSummaries{{"exact", MachineFigures{}}}}))
	must(t, d.Finish(Completed, ""))
	r, err := LoadRun(d.Path())
	must(t, err)
	return r
}

// The runs share the training samples 1, 2, 3, 4 in another order, and have one more each. On the
// shared ones, in the order 1, 2, 3, 4, query 0 has the ranks 1 2 3 4 and 1 2 3 4 (correlation 1) for
// output 0, 1 2 3 4 and 4 3 2 1 (−1) for output 1; query 1 has 1 2 3 4 and 2 1 4 3 (1 − 6·4/60 = 0.6)
// for both. So the means are 0 and 0.6.
func TestPairByHand(t *testing.T) {
	a := pairRun(t, "a", []int64{1, 2, 3, 4, 9}, []float64{1, 0, 0, 2}, []float64{
		.1, .2, .3, .4, 99 /**/, .1, .2, .3, .4, -99,
		.1, .2, .3, .4, 99 /**/, .1, .2, .3, .4, -99,
	})
	b := pairRun(t, "b", []int64{8, 4, 3, 2, 1}, []float64{2, 0, 3, 2}, []float64{
		-9, 8, 3, 2, -1 /**/, 9, 1, 2, 3, 4,
		-9, 3, 4, 1, 2 /**/, 9, 3, 4, 1, 2,
	})
	got, err := comparePair(context.Background(), a, b)
	must(t, err)
	want := Pair{A: a.Path, B: b.Path, Queries: 2, QueriesA: 2, QueriesB: 2, Agreement: 0.5, // classes 0, 1 and 0, 0
		RMSDifference: Figure(math.Sqrt(10. / 4)), MaxDifference: 3,
		Machines: []MachinePair{{Machine: "exact", Samples: 4, Mean: 0.3, Lowest: 0, LowestQuery: 0, Queries: []Figure{0, 0.6}}}}
	for _, f := range []*Figure{&got.Machines[0].Mean, &got.Machines[0].Queries[0], &got.Machines[0].Queries[1], &got.Machines[0].Lowest} {
		*f = Figure(math.Round(float64(*f)*1e14) / 1e14) // of some roundings each
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pair is\n%+v, want\n%+v", got, want)
	}

	none := pairRun(t, "none", []int64{5, 6}, []float64{1, 0, 0, 2}, make([]float64, 8))
	got, err = comparePair(context.Background(), a, none)
	must(t, err)
	if m := got.Machines[0]; m.Fault != "0 training samples in both" || got.Agreement != 1 || got.MaxDifference != 0 {
		t.Errorf("without common samples: %+v", got)
	}
	must(t, os.Truncate(filepath.Join(b.Path, "arrays/exact/contributions.npy"), 200))
	var damaged *FileError
	if _, err := comparePair(context.Background(), a, b); !errors.As(err, &damaged) || damaged.Fault != FaultCut {
		t.Errorf("a cut file: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := comparePair(ctx, a, none); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestComparisonOfRuns(t *testing.T) {
	a := mustExecute(t, small)
	b := mustExecute(t, small, "training.optimizer.momentum=0.5", "machines=[{name: exact, family: exact, rule: gauss-2}]")
	other := mustExecute(t, small, "seed=2")
	a.Path, b.Path, other.Path = moved(t, a.Path, "a"), moved(t, b.Path, "b"), moved(t, other.Path, "other")
	c, err := NewComparison(context.Background(), []*Run{a, b, other})
	must(t, err)
	want := []Difference{
		{"seed", []string{"1", "1", "2"}},
		{"training.optimizer.momentum", []string{"0.0", "0.5", "0.0"}},
		{"machines.exact", []string{"{family: exact, rule: gauss-3, target: outputs}", "{family: exact, rule: gauss-2, target: outputs}", "{family: exact, rule: gauss-3, target: outputs}"}},
		{"machines.trapezoid", []string{"{family: exact, rule: trapezoid, target: outputs}", "", "{family: exact, rule: trapezoid, target: outputs}"}},
		{"machines.flow", []string{"{family: flow, rule: trapezoid, target: outputs}", "", "{family: flow, rule: trapezoid, target: outputs}"}},
	}
	if !reflect.DeepEqual(c.Differences, want) {
		t.Errorf("differences are %q", c.Differences)
	}
	if len(c.Pairs) != 3 || len(c.Pairs[0].Machines) != 1 || c.Pairs[1].Fault != "other query samples" || c.Pairs[2].Fault == "" {
		t.Fatalf("pairs are %+v", c.Pairs)
	}
	// Another momentum leaves the attributions alike, but not equal.
	if m := c.Pairs[0].Machines[0]; m.Samples != 40 || !(m.Mean > 0.8 && m.Mean < 1) || len(m.Queries) != 7 {
		t.Errorf("machines of a and b: %+v", m)
	}
	var out strings.Builder
	must(t, c.Table(&out))
	for _, line := range []string{"keys in which the configurations differ", "machines.trapezoid           {family: exact, rule: trapezoid, target: outputs}  -  ", "not compared: a and other: other query samples", "a    b        (network)"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("table is without %q:\n%s", line, out.String())
		}
	}
	out.Reset()
	must(t, c.JSON(&out))
	var document struct {
		Runs []struct {
			Run, Name, Outcome string
			Summary            Summary
		}
		Differences []Difference
		Pairs       []Pair
	}
	must(t, json.Unmarshal([]byte(out.String()), &document))
	if r := document.Runs[0]; r.Run != a.Path || r.Name != "small" || r.Outcome != "completed" || r.Summary.Machines[0].Figures.RMSE != a.Summary.Machines[0].Figures.RMSE ||
		!reflect.DeepEqual(document.Differences, want) || document.Pairs[0].Machines[0].Lowest != c.Pairs[0].Machines[0].Lowest {
		t.Errorf("JSON is\n%s", out.String())
	}

	// The same run twice agrees with itself; a configuration of another version is no error.
	twin, err := NewComparison(context.Background(), []*Run{a, a})
	must(t, err)
	if p := twin.Pairs[0]; len(twin.Differences) != 0 || p.Agreement != 1 || p.MaxDifference != 0 || math.Abs(float64(p.Machines[0].Lowest)-1) > 1e-14 {
		t.Errorf("a run and itself: %+v", twin)
	}
}

// Runs of 7 and of 5 queries of the same data and seed share 5, at the same rows; the numbers are those of the shared
// ones. Of the runs by hand, the shared query has another place in the other.
func TestPairOfSomeQueries(t *testing.T) {
	a := mustExecute(t, small)
	b := mustExecute(t, small, "data.query=5", "training.steps=3")
	c, err := NewComparison(context.Background(), []*Run{a, b})
	must(t, err)
	p := c.Pairs[0]
	if p.Fault != "" || p.Queries != 5 || p.QueriesA != 7 || p.QueriesB != 5 || len(p.Machines) == 0 || len(p.Machines[0].Queries) != 5 {
		t.Fatalf("pair is %+v", p)
	}
	x, y := readArray[float64](t, a.Path, "outputs_final"), readArray[float64](t, b.Path, "outputs_final")
	largest := 0.0
	for i := range y {
		largest = max(largest, math.Abs(x[i]-y[i]))
	}
	if float64(p.MaxDifference) != largest {
		t.Errorf("the largest difference is %v, want %v", p.MaxDifference, largest)
	}
	var out strings.Builder
	must(t, c.Table(&out))
	if want := " share 5 queries, by their index in the data, of 7 and 5\n"; !strings.Contains(out.String(), want) {
		t.Errorf("table is without %q:\n%s", want, out.String())
	}

	rows := []float64{.1, .2, .3, .4, .1, .2, .3, .4, .4, .3, .2, .1, .1, .2, .3, .4}
	u := pairRun(t, "u", []int64{1, 2, 3, 4}, []float64{1, 0, 0, 2}, rows, 7, 3)
	v := pairRun(t, "v", []int64{1, 2, 3, 4}, []float64{0, 5, 9, 9}, rows, 3, 8)
	got, err := comparePair(context.Background(), u, v)
	must(t, err)
	if got.Fault != "other targets of the queries" { // 0 of row 3 in u, 1 in v
		t.Errorf("other targets: %+v", got)
	}
	v = pairRun(t, "v", []int64{1, 2, 3, 4}, []float64{9, 9, 0, 5}, rows, 8, 3)
	got, err = comparePair(context.Background(), u, v)
	must(t, err)
	if got.Queries != 1 || got.MaxDifference != 3 || math.Abs(float64(got.Machines[0].Mean)-1) > 1e-14 || got.Machines[0].LowestQuery != 1 {
		t.Errorf("one query in both: %+v", got)
	}
	u = pairRun(t, "u", []int64{1, 2, 3, 4}, []float64{1, 0, 0, 2}, rows, 3, 7)
	v = pairRun(t, "v", []int64{1, 2, 3, 4}, []float64{9, 9, 0, 5}, rows, 3, 8) // both 1
	got, err = comparePair(context.Background(), u, v)
	must(t, err)
	if got.Queries != 1 || got.MaxDifference != 9 {
		t.Errorf("the first query in both: %+v", got)
	}
}

// moved renames the folder of a run.
func moved(t *testing.T, path, name string) string {
	to := filepath.Join(filepath.Dir(path), name)
	must(t, os.Rename(path, to))
	return to
}

func TestCompareCSV(t *testing.T) {
	a, err := LoadRun(writeRun(t, nil))
	must(t, err)
	a.Path, a.Manifest.Name = "runs/a", `a "b", c`
	b := *a
	b.Path, b.Manifest.Name = "runs/b", "b"
	b.Summary.Generalization = &Generalization{MeasuredGap: 0.375, Bound: 2}
	b.Summary.Machines = MachineSummaries{
		{"domingos", MachineFigures{MaxAbsError: 1.5e-9, RMSE: nan(), RelativeError: 0.1, ArgmaxAgreement: 1, QueryAccuracy: 1. / 3, Target: "loss",
			Certificate: &Certificate{AccumulatedResidual: 2e-17, LargestResidual: 1e-17, Nodes: 12}}}}
	b.Summary.Baselines = MachineSummaries{{"linearized", MachineFigures{Fault: "no solution"}}}
	without := *a
	without.Path, without.Summary.Machines = "runs/c", nil
	const heading = "run,name,seed,parameters,steps,train_loss,query_loss,network_accuracy,gap,gap_bound,kind,machine,target,max_abs_error,rmse,relative_error,certificate,largest_residual,nodes,argmax_agreement,query_accuracy,fault\r\n"
	const rowA = `runs/a,"a ""b"", c",7,6,4,0.125,0.5,1,,,machine,exact,outputs,2,1.0077822185373186,1.6,,,,0.5,0.5,` + "\r\n"
	const rowB = "runs/b,b,7,6,4,0.125,0.5,1,0.375,2,machine,domingos,loss,1.5e-09,,0.1,2e-17,1e-17,12,1,0.3333333333333333,\r\n"
	const rowBase = "runs/b,b,7,6,4,0.125,0.5,1,0.375,2,baseline,(linearized),outputs,,,,,,,,,no solution\r\n"
	const rowC = `runs/c,"a ""b"", c",7,6,4,0.125,0.5,1,,,,,,,,,,,,,1,` + "\r\n"
	for _, test := range []struct{ sort, want string }{
		{"", rowA + rowB + rowBase + rowC},
		{"relative_error", rowB + rowA + rowBase + rowC}, // those without one last
		{"-relative_error", rowA + rowB + rowBase + rowC},
		{"-Max Abs Error", rowA + rowB + rowBase + rowC},
		{"-run", rowC + rowB + rowBase + rowA},
		{"gap-bound", rowB + rowBase + rowA + rowC},
	} {
		var out strings.Builder
		must(t, (&Comparison{Runs: []*Run{a, &b, &without}, Sort: test.sort}).CSV(&out))
		if out.String() != heading+test.want {
			t.Errorf("sorted by %q:\n%s", test.sort, out.String())
		}
		if _, err := csv.NewReader(strings.NewReader(out.String())).ReadAll(); err != nil {
			t.Error(err)
		}
	}
	var unknown *ColumnError
	if err := (&Comparison{Runs: []*Run{a}, Sort: "relativ_error"}).CSV(&strings.Builder{}); !errors.As(err, &unknown) || unknown.Nearest != "relative_error" {
		t.Errorf("an unknown column: %v", err)
	}
}

func TestLoadRunsSaysWhatItFound(t *testing.T) {
	good := writeRun(t, nil)
	interrupted, err := CreateRunDir(t.TempDir())
	must(t, err)
	must(t, interrupted.Finish(Interrupted, "interrupted by signal interrupt"))
	file := filepath.Join(t.TempDir(), "x.yaml")
	must(t, os.WriteFile(file, nil, 0o600))
	empty := t.TempDir()
	runs, err := LoadRuns([]string{filepath.Dir(good), good, interrupted.Path(), file, empty, filepath.Join(empty, "none")})
	if len(runs) != 1 || runs[0].Path != good || err == nil {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for _, want := range []string{"it is not a run, but holds some: " + good, "it is interrupted, interrupted by signal interrupt; pkm run CONFIG --resume --out " + interrupted.Path() + " goes on with it",
		file + ": it is a file", empty + ": manifest.json is missing", "none: there is no such folder"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is without %q:\n%v", want, err)
		}
	}
}

// A run that is going on is not to be resumed; one that was killed is.
func TestUnfinishedRuns(t *testing.T) {
	d, err := CreateRunDir(filepath.Join(t.TempDir(), "run"))
	must(t, err)
	must(t, d.Update(func(m *Manifest) { m.Name = "run" }))
	if d.lock == nil {
		t.Skip("the file system has no locks")
	}
	says := func(with, without string) {
		t.Helper()
		_, loaded := LoadRun(d.Path())
		_, explained := Explain(context.Background(), d.Path(), 0, ExplainOptions{})
		report := WriteReport(io.Discard, d.Path())
		for _, err := range []error{loaded, explained, report} {
			if err == nil || !strings.Contains(err.Error(), with) || strings.Contains(err.Error(), without) {
				t.Errorf("error %v, want %q and not %q", err, with, without)
			}
		}
	}
	says("running", "--resume")
	must(t, d.lock.Close())
	says("was killed, or the machine stopped", "running")
}
