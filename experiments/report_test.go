package experiments

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noiseRun writes a run of N training and M query images of noise, with shares by layer and by window.
func noiseRun(t testing.TB, N, M, C int) string {
	t.Helper()
	c, err := Parse("test", []byte("name: noise\n"), "yaml", []string{"data={train: 1000, query: 200}", "decompose={layers: true, windows: 4}",
		"machines=[{name: exact, family: exact, rule: gauss-3}]"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := CreateRunDir(filepath.Join(t.TempDir(), "noise"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(name string, shape ...int) {
		t.Helper()
		values := make([]float64, sizeOf(shape))
		for i := range values {
			values[i] = random.NormFloat64()
		}
		check(WriteArray(dir, name, shape, values))
	}
	for _, side := range []struct {
		name string
		n    int
	}{{"train", N}, {"query", M}} {
		noise(side.name+"_inputs", side.n, 784)
		classes, rows := make([]int64, side.n), make([]int64, side.n)
		for i := range classes {
			classes[i], rows[i] = random.Int64N(int64(C)), int64(i)
		}
		check(WriteArray(dir, side.name+"_targets", []int{side.n}, classes))
		check(WriteArray(dir, side.name+"_indices", []int{side.n}, rows))
	}
	noise("outputs_initial", M, C)
	noise("outputs_final", M, C)
	noise("exact/contributions", M, C, N)
	noise("exact/regularization", M, C)
	noise("exact/residual", M, C)
	noise("exact/path_kernel", M, N)
	noise("exact/contributions_by_layer", 3, M, C, N)
	noise("exact/contributions_by_window", 4, M, C, N)
	check(WriteArray(dir, "exact/window_bounds", []int{5}, []int64{0, 3, 5, 8, 10}))
	metrics, err := dir.Metrics()
	check(err)
	for s := range 11 {
		check(metrics.Write(StepMetrics{Step: s, Loss: Figure(1 / float64(s+1)), Accuracy: Figure(float64(s) / 10), StepResidual: 1e-9}))
	}
	text, err := c.YAML()
	check(err)
	check(dir.WriteFile("config.yaml", func(w io.Writer) error { _, err := w.Write(text); return err }))
	summary := Summary{Samples: SampleCounts{N, M}, Outputs: C, Steps: 10, Layers: []string{"0", "2", "4"}, Machines: MachineSummaries{{Name: "exact"}}}
	check(dir.WriteSummary(summary))
	check(dir.Update(func(m *Manifest) { m.Name, m.Data.Shape = "noise", []int{1, 28, 28} }))
	check(dir.Finish(Completed, ""))
	return dir.Path()
}

func TestStrongestOf(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	row, class := make([]float64, 300), make([]int, 300)
	for i := range row {
		row[i], class[i] = math.Round(20*random.NormFloat64())/10, random.IntN(4) // with equals and zeros
	}
	row[7], row[8], row[9] = math.NaN(), math.Inf(1), math.Inf(-1)
	// The slow twin: sort all of a sign, and of a sign and a class.
	want := map[int]bool{}
	for k := -1; k < 4; k++ {
		for _, sign := range []float64{1, -1} {
			var of []int
			for i, v := range row {
				if sign*v > 0 && (k < 0 || class[i] == k) {
					of = append(of, i)
				}
			}
			slices.SortStableFunc(of, func(a, b int) int {
				switch {
				case sign*row[a] > sign*row[b]:
					return -1
				case sign*row[a] < sign*row[b]:
					return 1
				}
				return 0
			})
			most := 10
			if k >= 0 {
				most = 2
			}
			for _, i := range of[:most] {
				want[i] = true
			}
		}
	}
	got := strongestOf(row, class, 4, 10, 2)
	for i, c := range got {
		if !want[c.sample] || c.value != row[c.sample] {
			t.Errorf("sample %d of value %g is not among the strongest", c.sample, c.value)
		}
		if i > 0 && c.value > got[i-1].value {
			t.Errorf("%g comes after %g", c.value, got[i-1].value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d samples, want %d", len(got), len(want))
	}
	at := details(got, 3)
	if at[0] != 0 || at[2] != 2 || at[3] != len(got)-1 || at[5] != len(got)-3 {
		t.Errorf("details %v of %d", at, len(got))
	}
	if at := details([]contribution{{4, 1}, {2, -1}}, 2); !slices.Equal(at, []int{0, -1, 1, -1}) {
		t.Errorf("details of two: %v", at)
	}
}

func TestHeatMap(t *testing.T) {
	// Five queries of the classes 1 0 1 0 0 and three samples: with few of them a cell is a value.
	r := &reportSource{classes: []string{"a", "b"}, queryClass: []int{1, 0, 1, 0, 0}, trainClass: []int{1, 1, 0}}
	h := &heatMap{}
	rows, err := h.places(r, "", 5, 5, r.queryClass, &h.RowAt)
	if err != nil || !slices.Equal(rows, []int{3, 0, 4, 1, 2}) || !slices.Equal(h.RowAt, []bound{{"a", 0}, {"b", 3}}) {
		t.Errorf("rows %v, %v, %v", rows, h.RowAt, err)
	}
	// Six in a row of two cells.
	h = &heatMap{}
	rows, _ = h.places(r, "", 5, 2, r.queryClass, &h.RowAt)
	if !slices.Equal(rows, []int{1, 0, 1, 0, 0}) || h.RowAt[1].At != 1.2 {
		t.Errorf("two rows: %v, %v", rows, h.RowAt)
	}
}

// The report that a run writes and that of pkm report are the same, and the manifest fits.
func TestRewriteReport(t *testing.T) {
	long(t)
	for _, kernel := range []string{"trace", "full"} {
		r := mustExecute(t, small, "path_kernel="+kernel, "analysis.every=2", "figures=true")
		before := readFile(t, r.Path, reportName)
		for _, name := range []string{"training", "agreement", "path-kernel", "tangent-kernel"} {
			if _, err := png.Decode(bytes.NewReader(readFile(t, r.Path, "figures/"+name+".png"))); err != nil {
				t.Errorf("%s.png: %v", name, err)
			}
			d := xml.NewDecoder(bytes.NewReader(readFile(t, r.Path, "figures/"+name+".svg")))
			for {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Errorf("%s.svg: %v", name, err)
					break
				}
			}
		}
		if err := os.WriteFile(filepath.Join(r.Path, reportName), []byte("spoilt"), 0o666); err != nil {
			t.Fatal(err)
		}
		if report, err := Verify(r.Path); err != nil || report.OK() {
			t.Errorf("a spoilt report passes: %v", err)
		}
		if err := RewriteReport(r.Path); err != nil {
			t.Fatal(err)
		}
		if report, err := Verify(r.Path); err != nil || !report.OK() {
			t.Errorf("verify after rewriting: %v, %+v", err, report.failed())
		}
		if after := readFile(t, r.Path, reportName); !bytes.Equal(before, after) {
			t.Errorf("path_kernel %s: the report of the run has %d bytes, rewritten %d", kernel, len(before), len(after))
		}
		file := filepath.Join(t.TempDir(), "page.html")
		if err := WriteReportFile(file, r.Path); err != nil {
			t.Fatal(err)
		}
		if err := WriteReportFile(file, r.Path); err == nil || !strings.Contains(err.Error(), "not overwritten") {
			t.Errorf("a file that exists: %v", err)
		}
	}
}

// A run without figures has the report alone, until they are asked for.
func TestRunWithoutFigures(t *testing.T) {
	r := mustExecute(t, small, "figures=false")
	folder := filepath.Join(r.Path, "figures")
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("figures: %v", err)
	}
	if strings.Contains(string(readFile(t, r.Path, reportName)), "figures/</code>") {
		t.Error("the report points to figures that are not there")
	}
	elsewhere := t.TempDir()
	must(t, os.Symlink(elsewhere, folder))
	if err := RewriteReport(r.Path); err == nil || !strings.Contains(err.Error(), "a link or a file; move it away") {
		t.Errorf("figures that lead elsewhere: %v", err)
	}
	must(t, os.Remove(folder))
	must(t, RewriteReport(r.Path))
	if report, err := Verify(r.Path); err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report.failed())
	}
	if _, err := os.Stat(filepath.Join(folder, "training.png")); err != nil {
		t.Error(err)
	}
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Damaged runs give an error that names the file.
func TestReportOfDamagedRun(t *testing.T) {
	for name, want := range map[string]string{"arrays/exact/contributions.npy": "contributions", "arrays/train_targets.npy": "train_targets", "metrics.jsonl": "metrics.jsonl", "arrays/exact/residual.npy": "residual"} {
		r := mustExecute(t, small)
		content := readFile(t, r.Path, name)
		if err := os.WriteFile(filepath.Join(r.Path, filepath.FromSlash(name)), content[:len(content)-5], 0o666); err != nil {
			t.Fatal(err)
		}
		if err := RewriteReport(r.Path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is cut: %v", name, err)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"short", "short"},
		{"two words here", "two words\nhere"},
		{"abcdefghijklmnop q", "abcdefghij\nklmnop q"},
	} {
		if got := wrap(test.text, 10); got != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}

// TestReportChecksFiles: a report of what was altered after the run is refused, and nothing is written.
func TestReportChecksFiles(t *testing.T) {
	for _, name := range []string{"arrays/exact/contributions.npy", "arrays/exact/path_kernel.npy", "arrays/outputs_final.npy", "arrays/train_inputs.npy",
		"arrays/exact/contributions_by_window.npy", "metrics.jsonl", "config.yaml"} {
		t.Run(name, func(t *testing.T) {
			dir := noiseRun(t, 12, 5, 3)
			path := filepath.Join(dir, filepath.FromSlash(name))
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)-2] ^= 1
			if err := os.WriteFile(path, content, 0o666); err != nil {
				t.Fatal(err)
			}
			var fault *FileError
			if err := WriteReport(io.Discard, dir); !errors.As(err, &fault) || fault.Path != name || fault.Fault != FaultAltered {
				t.Errorf("WriteReport: %v", err)
			}
			if err := RewriteReport(dir); !errors.As(err, &fault) || fault.Path != name {
				t.Errorf("RewriteReport: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, reportName)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("report.html was written: %v", err)
			}
		})
	}
}

// The report of a regression holds the true targets of queries and samples, and says nothing of classes.
func TestReportOfRegression(t *testing.T) {
	run := mustExecute(t, small, "data={source: sinusoid, train: 20, query: 4}", "loss.kind=squared-error")
	r, err := openRun(run.Path)
	must(t, err)
	defer r.root.Close()
	e, err := newExplorer(r)
	must(t, err)
	if e.Targets == nil || e.Targets.Width != 1 || e.Targets.Said != pack(readArray[float64](t, run.Path, "outputs_final")) {
		t.Fatalf("targets are %+v", e.Targets)
	}
	want, train := readArray[float64](t, run.Path, "query_targets"), readArray[float64](t, run.Path, "train_targets")
	for _, i := range e.Samples.Index {
		want = append(want, train[i])
	}
	if e.Targets.Values != pack(want) {
		t.Error("the targets are not those of the queries and samples shown")
	}
	for _, row := range r.machineTable().Rows {
		if row[6] != "–" || row[7] != "–" {
			t.Errorf("agreement and accuracy of %v, where nothing is chosen", row)
		}
	}
	if c := mustExecute(t, small); !(c.Summary.Machines[0].Figures.ArgmaxAgreement >= 0) {
		t.Error("no agreement of classes")
	}
}

// A report has a section of machines where there is a machine or a baseline.
func TestReportWithoutMachines(t *testing.T) {
	for _, test := range []struct {
		overrides []string
		want      bool
	}{
		{[]string{"machines=[]", "path_kernel=none"}, false},
		{[]string{"machines=[]", "path_kernel=none", "baselines=[{kind: linearized}]"}, true},
		{nil, true},
	} {
		run := mustExecute(t, small, test.overrides...)
		page, err := os.ReadFile(filepath.Join(run.Path, reportName))
		must(t, err)
		for _, part := range []string{`<section id="machines"`, `<a href="#machines">`} {
			if got := strings.Contains(string(page), part); got != test.want {
				t.Errorf("%v: %s is there: %t", test.overrides, part, got)
			}
		}
		if !strings.Contains(string(page), `<section id="training"`) {
			t.Errorf("%v: no training", test.overrides)
		}
	}
}
