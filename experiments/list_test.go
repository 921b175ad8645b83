package experiments

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// beginRun begins a run in dir, without ending it.
func beginRun(t *testing.T, dir string) *RunDir {
	t.Helper()
	d, err := CreateRunDir(dir)
	must(t, err)
	must(t, d.Update(func(m *Manifest) { m.Name = "begun" }))
	must(t, d.WriteFile("config.yaml", text("name: begun\ntraining: {steps: 9}\n")))
	metrics, err := d.Metrics()
	must(t, err)
	for step := range 3 {
		must(t, metrics.Write(StepMetrics{Step: step, Loss: 4 - Figure(step), Seconds: Figure(step) / 2}))
	}
	must(t, d.Update(func(*Manifest) {}))
	return d
}

func TestListRuns(t *testing.T) {
	root := t.TempDir()
	good := filepath.Join(root, "a", "good")
	must(t, os.CopyFS(good, os.DirFS(writeRun(t, func(s *Summary, _ []float64) {
		s.Machines = append(s.Machines, MachineSummary{"rough", MachineFigures{RelativeError: 2.5}}, MachineSummary{"fine", MachineFigures{RelativeError: 1e-9}})
	}))))
	running := beginRun(t, filepath.Join(root, "running"))
	killed := beginRun(t, filepath.Join(root, "killed"))
	must(t, killed.lock.Close())
	stopped := beginRun(t, filepath.Join(root, "stopped"))
	must(t, stopped.Finish(Interrupted, "by hand\nor so"))
	for name, damage := range map[string]func(dir string) error{
		"cut":      func(dir string) error { return os.Truncate(filepath.Join(dir, manifestName), 99) },
		"none":     func(dir string) error { return os.Remove(filepath.Join(dir, manifestName)) },
		"summary":  func(dir string) error { return os.Truncate(filepath.Join(dir, summaryName), 9) },
		"config":   func(dir string) error { return os.Remove(filepath.Join(dir, "config.yaml")) },
		"manifest": func(dir string) error { return os.WriteFile(filepath.Join(dir, manifestName), []byte("{}"), 0o600) },
	} {
		dir := filepath.Join(root, "damaged", name)
		must(t, os.CopyFS(dir, os.DirFS(good)))
		must(t, damage(dir))
	}
	// None of these is a run, or one that is to be listed twice.
	must(t, os.MkdirAll(filepath.Join(root, "thesis", "arrays"), 0o700))
	must(t, os.CopyFS(filepath.Join(root, ".hidden"), os.DirFS(good)))
	must(t, os.Symlink(good, filepath.Join(root, "latest")))

	runs, err := ListRuns([]string{root, good, filepath.Join(root, "nowhere")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder that is not there: %v", err)
	}
	got := map[string]string{}
	for _, r := range runs {
		name, _ := filepath.Rel(root, r.Path)
		got[name] = fmt.Sprintf("%s %s, %s, %v steps, loss %v, accuracy %v, worst %v, fault %q", r.State, r.Network, r.Optimizer, r.Steps, r.TrainLoss, r.Accuracy, r.WorstError, r.Fault)
	}
	const none = "damaged , , NaN steps, loss NaN, accuracy NaN, worst NaN, fault "
	const begun = "mlp 64-64 tanh, sgd 0.1, 3 steps, loss 2, accuracy NaN, worst NaN, fault "
	for name, want := range map[string]string{
		"a/good":           `completed mlp 64-64 tanh, sgd 0.1, 4 steps, loss 0.125, accuracy 1, worst 2.5, fault ""`,
		"running":          "running " + begun + `""`,
		"killed":           "killed " + begun + `"it was killed, or the machine stopped"`,
		"stopped":          "interrupted " + begun + `"by hand\nor so"`,
		"damaged/cut":      none + `"manifest.json is cut: its JSON ends after 99 bytes"`,
		"damaged/none":     none + `"manifest.json is missing: so this is not a run directory of pkm, or not a whole one"`,
		"damaged/manifest": none + `"manifest.json is altered: it has no pkm_version, so it is not a manifest of pkm"`,
		"damaged/summary":  "damaged mlp 64-64 tanh, sgd 0.1, NaN steps, loss NaN, accuracy NaN, worst NaN, fault \"summary.json is cut: ",
		"damaged/config":   none + `"config.yaml is missing: `,
	} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s is\n%s, want\n%s", name, got[name], want)
		}
		delete(got, name)
	}
	for name, r := range got {
		t.Errorf("%s is listed: %s", name, r)
	}
	for _, r := range runs {
		if r.Path == good && (r.Started == nil || r.Bytes != diskUsage(good) || !(r.Bytes > 1000)) {
			t.Errorf("%+v", r)
		}
	}
	must(t, running.Finish(Completed, ""))
	for _, r := range first(ListRuns([]string{filepath.Join(root, "running")})) {
		if r.State != Damaged || !strings.Contains(r.Fault, summaryName) {
			t.Errorf("completed without figures: %+v", r)
		}
	}
}

func first[T any](v T, _ error) T { return v }

func TestSortRuns(t *testing.T) {
	nan := Figure(math.NaN())
	runs := []ListedRun{{Path: "a", WorstError: 3, Name: "x"}, {Path: "b", WorstError: nan}, {Path: "c", WorstError: 1, Name: "y"}, {Path: "d", WorstError: 10, Name: "x"}}
	for _, test := range []struct{ by, want string }{{"worst_relative_error", "c a d b"}, {"-worst relative error", "d a c b"}, {"-name", "c a d b"}, {"run", "a b c d"}} {
		sorted := slices.Clone(runs)
		must(t, SortRuns(sorted, test.by))
		var got []string
		for _, r := range sorted {
			got = append(got, r.Path)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("sorted by %s: %s, want %s", test.by, text, test.want)
		}
	}
	var column *ColumnError
	if err := SortRuns(runs, "worst"); !errors.As(err, &column) || !slices.Contains(column.Columns, "worst_relative_error") {
		t.Errorf("an unknown column: %v", err)
	}
}

func TestSizes(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 15_400: "15 kB", 99_400: "99 kB", 99_600: "100 kB", 999_600: "1 MB", 2_500_000_000: "2.5 GB", 4e16: "40000 TB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d bytes are %s, want %s", bytes, got, want)
		}
	}
}
