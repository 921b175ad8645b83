package experiments

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// text returns a writer of s, for WriteFile.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// must fails the test on an error of set-up.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account is the account of a network with two outputs and three training
// samples on two queries, of classes 1 and 0. Its numbers are sums of powers of
// two, so that every sum is exact:
//
//	ŷ     = (0.75, 1.5), (−0.75, 0.25)       classes 1, 1
//	f(w_S) = (0.75, 1.5), (−0.5, −1.75)      classes 1, 0
func account() Decomposition {
	return Decomposition{
		M: 2, C: 2, N: 3,
		Initial: []float64{0.5, 0.25, 0, -1},
		Final:   []float64{0.75, 1.5, -0.5, -1.75},
		Contributions: []float64{
			0.25, 0.5, -0.5 /**/, 1, 0.5, -0.25,
			-1, 0.25, 0.5 /**/, 1, 0.5, -0.25,
		},
		Regularization: []float64{0, 0, -0.5, 0},
	}
}

var accountClasses = []int64{1, 0}

// writeRun makes a run directory of account with one machine, "exact", after
// edit has changed the summary and the residual.
func writeRun(t testing.TB, edit func(*Summary, []float64)) string {
	t.Helper()
	d, err := CreateRunDir(filepath.Join(t.TempDir(), "runs", "small"))
	must(t, err)
	a := account()
	residual := a.Residual()
	figures, err := Figures(a, []int{1, 0})
	must(t, err)
	s := Summary{
		Samples: SampleCounts{Train: a.N, Query: a.M}, Outputs: a.C, Parameters: 6, Steps: 4,
		Network:  NetworkFigures{TrainLoss: 0.125, QueryLoss: 0.5, QueryAccuracy: 1},
		Machines: MachineSummaries{{"exact", figures}},
	}
	if edit != nil {
		edit(&s, residual)
	}
	must(t, d.Update(func(m *Manifest) { m.Name, m.Seed, m.BLAS = "small", 7, "gonum" }))
	must(t, d.WriteFile("config.yaml", text("name: small\n")))
	metrics, err := d.Metrics()
	must(t, err)
	for step := range 4 {
		must(t, metrics.Write(StepMetrics{Step: step, Loss: 1 / Figure(step+1), Accuracy: Figure(math.NaN())}))
	}
	must(t, d.WriteWeights("weights_final", []Tensor{{Name: "0.weight", Shape: []int{2, 3}, Data: make([]float64, 6)}}, nil))
	must(t, WriteArray(d, "train_inputs", []int{3, 2}, make([]float32, 6)))
	must(t, WriteArray(d, "query_targets", []int{2}, accountClasses))
	must(t, WriteArray(d, "outputs_initial", []int{2, 2}, a.Initial))
	must(t, WriteArray(d, "outputs_final", []int{2, 2}, a.Final))
	must(t, WriteArray(d, "exact/contributions", []int{2, 2, 3}, a.Contributions))
	must(t, WriteArray(d, "exact/regularization", []int{2, 2}, a.Regularization))
	must(t, WriteArray(d, "exact/residual", []int{2, 2}, residual))
	must(t, d.WriteSummary(s))
	must(t, d.Finish(Completed, ""))
	return d.Path()
}

func TestCreateRunDirRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		want    string
		outcome Outcome
	}{
		{"file", func(t *testing.T, dir string) { must(t, os.WriteFile(dir, nil, 0o644)) }, "found a file", ""},
		{"not ours", func(t *testing.T, dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, "photos"), 0o755))
			for _, n := range []string{"a", "b", "c", "d"} {
				must(t, os.WriteFile(filepath.Join(dir, n), nil, 0o644))
			}
		}, `not a run of pkm, with "a", "b", "c" and 2 more in it`, ""},
		{"another's manifest", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"manifest_version": 3}`), 0o644))
		}, "it is not a manifest of pkm", ""},
		{"completed", func(t *testing.T, dir string) {
			d, err := CreateRunDir(dir)
			must(t, err)
			must(t, d.Finish(Completed, ""))
		}, "a run of pkm (completed); nothing is overwritten: choose another folder with --out, or delete this one", Completed},
		{"running", func(t *testing.T, dir string) {
			_, err := CreateRunDir(dir)
			must(t, err)
		}, "still running, or was killed", Running},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			tt.prepare(t, dir)
			before := tree(t, dir)
			_, err := CreateRunDir(dir)
			var occupied *OccupiedError
			if !errors.As(err, &occupied) {
				t.Fatalf("error %v, want an *OccupiedError", err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--out") {
				t.Errorf("error %q, want %q and --out in it", err, tt.want)
			}
			if occupied.Outcome != tt.outcome {
				t.Errorf("outcome %q, want %q", occupied.Outcome, tt.outcome)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("the folder was changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// tree returns the names and contents of everything under dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(path + "\n")
		if !e.IsDir() {
			content, err := os.ReadFile(path)
			b.Write(content)
			return err
		}
		return nil
	}))
	return b.String()
}

func TestCreateRunDirMarksAtOnce(t *testing.T) {
	parent := t.TempDir()
	for _, dir := range []string{filepath.Join(parent, "new", "deep"), filepath.Join(parent, "empty")} {
		if strings.HasSuffix(dir, "empty") {
			must(t, os.Mkdir(dir, 0o755))
		}
		_, err := CreateRunDir(dir)
		must(t, err)
		m, err := ReadManifest(dir)
		must(t, err)
		if m.Outcome != Running || m.PkmVersion == "" || m.Started.IsZero() || m.Finished != nil {
			t.Errorf("%s: manifest %+v", dir, m)
		}
	}
}

// Of several processes that are told the same folder, one gets it.
func TestCreateRunDirOnce(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		const n = 8
		errs := make(chan error, n)
		start := make(chan struct{})
		for range n {
			go func() {
				<-start
				_, err := CreateRunDir(dir)
				errs <- err
			}()
		}
		close(start)
		created := 0
		for range n {
			var occupied *OccupiedError
			if err := <-errs; err == nil {
				created++
			} else if !errors.As(err, &occupied) {
				t.Errorf("error %v, want an *OccupiedError", err)
			}
		}
		if created != 1 {
			t.Fatalf("the folder was given %d times", created)
		}
	}
}

func TestWriteRefusesNames(t *testing.T) {
	d, err := CreateRunDir(t.TempDir())
	must(t, err)
	for _, name := range []string{"", ".", "../a", "a/../../b", "/etc/a", "a//b", "manifest.json", "metrics.jsonl"} {
		if err := d.WriteFile(name, text("x")); err == nil {
			t.Errorf("WriteFile(%q) was accepted", name)
		}
	}
	for _, name := range []string{"", "a/b/c", "../a", "a/..", "/a", "a/", ".a", "a b", "a\\b", "a\n"} {
		if err := WriteArray(d, name, []int{1}, []float64{1}); err == nil {
			t.Errorf("WriteArray(%q) was accepted", name)
		}
	}
	if got := tree(t, d.Path()); strings.Count(got, d.Path()+"/") != 1 {
		t.Errorf("more than the manifest was written:\n%s", got)
	}
}

func TestNothingAfterFinish(t *testing.T) {
	d, err := CreateRunDir(t.TempDir())
	must(t, err)
	must(t, d.Finish(Diverged, "step 3, loss"))
	before := tree(t, d.Path())
	_, metrics := d.Metrics()
	for i, err := range []error{
		d.WriteFile("late.txt", text("x")), d.Update(func(*Manifest) {}), d.Finish(Completed, ""), metrics,
	} {
		if err == nil {
			t.Errorf("call %d was accepted after Finish", i)
		}
	}
	if after := tree(t, d.Path()); after != before {
		t.Error("the run was changed after Finish")
	}
}

func TestUpdateKeepsTheOutcome(t *testing.T) {
	d, err := CreateRunDir(t.TempDir())
	must(t, err)
	must(t, d.WriteFile("a", text("x")))
	must(t, d.Update(func(m *Manifest) {
		m.Outcome, m.Files, m.BLAS = Completed, nil, "gonum"
		m.PhaseTimes["train"] = Figure(math.NaN()) // must not make the manifest impossible to write
	}))
	m, err := ReadManifest(d.Path())
	must(t, err)
	if m.Outcome != Running || m.BLAS != "gonum" || len(m.Files) != 1 {
		t.Errorf("manifest %+v", m)
	}
}

func TestMetricsLines(t *testing.T) {
	d, err := CreateRunDir(t.TempDir())
	must(t, err)
	m, err := d.Metrics()
	must(t, err)
	must(t, m.Write(StepMetrics{Step: 0, Loss: 0.1, Accuracy: Figure(math.NaN()), LearningRate: 0.5, StepResidual: Figure(math.Inf(1)), Seconds: 2}))
	again, err := d.Metrics()
	must(t, err)
	must(t, again.Write(StepMetrics{Step: 1, Loss: 1e-300}))
	const want = `{"step":0,"loss":0.1,"accuracy":null,"learning_rate":0.5,"step_residual":null,"seconds":2}
{"step":1,"loss":1e-300,"accuracy":0,"learning_rate":0,"step_residual":0,"seconds":0}
`
	// Read before Finish: a killed run keeps its lines.
	got, err := os.ReadFile(filepath.Join(d.Path(), "metrics.jsonl"))
	must(t, err)
	if string(got) != want {
		t.Errorf("metrics.jsonl is\n%swant\n%s", got, want)
	}
	var s StepMetrics
	must(t, json.Unmarshal([]byte(strings.SplitN(want, "\n", 2)[0]), &s))
	if s.Loss != 0.1 || !math.IsNaN(float64(s.Accuracy)) {
		t.Errorf("read back %+v", s)
	}
}

// Every single byte of the manifest is under its own hash.
func TestManifestNoticesEveryByte(t *testing.T) {
	dir := writeRun(t, nil)
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	must(t, err)
	if _, err := parseManifest(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for _, mask := range []byte{1, 0x20} { // 0x20 turns a letter into its capital
			b[i] ^= mask
			var e *FileError
			if _, err := parseManifest(b); !errors.As(err, &e) {
				t.Fatalf("byte %d of the manifest altered to %q: error %v", i, b[i], err)
			}
			b[i] ^= mask
		}
	}
	for n := range b {
		var e *FileError
		if _, err := parseManifest(b[:n]); !errors.As(err, &e) {
			t.Fatalf("manifest cut to %d bytes: error %v", n, err)
		} else if n < len(b)-2 && e.Fault != FaultCut {
			t.Fatalf("manifest cut to %d bytes is called %s", n, e.Fault)
		}
	}
}
