package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pkm/internal/compute"
)

// inParts does the parts of a job in an order of its own, each as soon as the part that it takes up is done,
// and every third twice, as after a worker that died.
func inParts(engine compute.Engine, seed uint64) func(context.Context, Job) ([]PartFiles, error) {
	return func(ctx context.Context, job Job) ([]PartFiles, error) {
		r, worker := rand.New(rand.NewPCG(seed, 0)), &PartWorker{Engine: engine}
		files := make([]PartFiles, len(job.Parts))
		todo := r.Perm(len(job.Parts))
		for len(todo) > 0 {
			i := slices.IndexFunc(todo, func(p int) bool { a := job.Parts[p].After; return a < 0 || files[a].Sums != "" })
			p := todo[i]
			todo = slices.Delete(todo, i, i+1)
			carry := ""
			if a := job.Parts[p].After; a >= 0 {
				carry = files[a].Carry
			}
			for range 1 + p%3/2 {
				var err error
				if files[p], err = worker.Do(ctx, job.Dir, job.Parts[p], carry); err != nil {
					return nil, err
				}
			}
		}
		return files, nil
	}
}

// executeInParts runs an experiment whose account is done in parts.
func executeInParts(t *testing.T, seed uint64, overrides ...string) *Run {
	t.Helper()
	c, err := Parse("t", []byte("name: t\n"), "yaml", append([]string{"figures=false"}, overrides...), nil)
	must(t, err)
	must(t, c.Distributable())
	dir := filepath.Join(t.TempDir(), "run")
	must(t, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Distribute: inParts(gonum(t), seed)}))
	r, err := LoadRun(dir)
	must(t, err)
	return r
}

// stepMetrics returns the lines of metrics.jsonl.
func stepMetrics(t *testing.T, run string) (lines []StepMetrics) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(run, metricsName))
	must(t, err)
	for line := range bytes.Lines(content) {
		var m StepMetrics
		must(t, json.Unmarshal(line, &m))
		lines = append(lines, m)
	}
	return lines
}

// arrayFiles returns the files under arrays/.
func arrayFiles(t *testing.T, run string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	must(t, filepath.WalkDir(filepath.Join(run, "arrays"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(run, path)
		files[name] = content
		return err
	}))
	return files
}

// An account done in parts is that of the run, but for the rounding of sums that are added in another order; its bytes do not depend on
// the order in which parts are done, nor on how often; and nothing of the parts is left.
func TestPartsEqualTheWhole(t *testing.T) {
	base := []string{"data.train=40", "data.query=11", "network.hidden=[8]", "training.steps=24", "training.checkpoints.every=7"}
	const exact = "{name: exact, family: exact, rule: gauss-3}"
	const flows = "machines=[" + exact + ", {name: flow, family: flow, rule: trapezoid}, {name: trapezoid, family: exact, rule: trapezoid}]"
	adam := []string{"training.optimizer.kind=adam", "training.optimizer.weight_decay=0.1", "training.batch_size=16", "training.optimizer.learning_rate=0.003"}
	split := []string{"decompose={layers: true, windows: 5, classes: true}"}
	for name, overrides := range map[string][]string{
		"descent":            {flows},
		"batches, full":      {flows, "training.batch_size=16", "path_kernel=full", "training.schedule.kind=cosine"},
		"split":              slices.Concat([]string{flows, "training.batch_size=16"}, split),
		"adam":               slices.Concat([]string{"machines=[" + exact + ", {name: trapezoid, family: exact, rule: trapezoid}]", "path_kernel=trace", "training.checkpoints.every=2"}, adam, split),
		"momentum, adaptive": {"training.checkpoints.every=2", "machines=[{name: exact, family: exact, rule: adaptive, tolerance: 1e-7}]", "training.optimizer.momentum=0.9", "network.activation=relu"},
		"adaptive":           {"machines=[{name: exact, family: exact, rule: adaptive, tolerance: 1e-7}]", "network.activation=relu"},
		"flow": {"training.optimizer={kind: flow, time: 2, relative_tolerance: 1e-5, absolute_tolerance: 1e-7}", "training.steps=200",
			"machines=[{name: flow, family: flow, rule: trapezoid}]", "path_kernel=full"},
		"targets":       {"machines=[" + exact + ", {name: loss, family: exact, rule: gauss-2, target: loss}]"},
		"stopped early": {flows, "training.stop={loss: 1.9}", "training.steps=60"},
		"float32":       slices.Concat([]string{"machines=[" + exact + "]", "precision=float32"}, adam),
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "split" && name != "adam" {
				t.Skip("the other cases take a while")
			}
			overrides := slices.Concat(base, overrides)
			whole := mustExecute(t, "name: t\n", overrides...)
			parts := executeInParts(t, 1, overrides...)
			again := executeInParts(t, 2, overrides...)
			other := arrayFiles(t, again.Path)
			files := arrayFiles(t, parts.Path)
			for name, content := range files {
				if !slices.Equal(content, other[name]) {
					t.Errorf("%s depends on the order of the parts", name)
				}
			}
			for name, content := range arrayFiles(t, whole.Path) {
				if files[name] == nil {
					t.Errorf("%s is missing", name)
					continue
				}
				if slices.Equal(content, files[name]) || !strings.Contains(name, string(filepath.Separator)+whole.Summary.Machines[0].Name) && strings.Count(name, "/") < 2 {
					continue
				}
				array := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(name), "arrays/"), ".npy")
				if strings.HasSuffix(array, "nodes_by_query") || strings.HasSuffix(array, "nodes_by_step") || strings.HasSuffix(array, "window_bounds") {
					t.Errorf("%s differs", array)
					continue
				}
				x, y := readArray[float64](t, whole.Path, array), readArray[float64](t, parts.Path, array)
				off, size := 0.0, 0.0
				for i := range x {
					if math.IsInf(x[i], 0) && x[i] == y[i] {
						continue
					}
					off, size = max(off, math.Abs(x[i]-y[i])), max(size, math.Abs(x[i]))
				}
				// A residual is a difference of outputs near 1; coefficients are quotients of small kernels.
				tolerance := 1e-12 * size
				switch {
				case strings.HasSuffix(array, "residual"), strings.Contains(array, "step_residual"):
					tolerance = 1e-12 * max(1, size)
				case strings.HasSuffix(array, "coefficients"):
					tolerance = 1e-6 * size
				}
				if !(off <= tolerance) {
					t.Errorf("%s: off by %.3g of %.3g", array, off, size)
				}
			}
			report, err := Verify(parts.Path)
			must(t, err)
			if !report.OK() {
				t.Errorf("%+v", report.failed())
			}
			if _, err := os.Stat(filepath.Join(parts.Path, partsFolder)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the parts are left: %v", err)
			}
			for line, m := range stepMetrics(t, whole.Path) {
				other := stepMetrics(t, parts.Path)[line]
				if m.Seconds, other.Seconds = 0, 0; math.Abs(float64(m.StepResidual-other.StepResidual)) < 1e-12 {
					other.StepResidual = m.StepResidual
				}
				if fmt.Sprint(m) != fmt.Sprint(other) {
					t.Errorf("metrics.jsonl has %+v, want %+v", other, m)
					break
				}
			}
			for i, m := range whole.Summary.Machines {
				a, b := m.Figures.Certificate, parts.Summary.Machines[i].Figures.Certificate
				if a != nil && (a.WorstStep != b.WorstStep && float64(a.LargestResidual) > 1e-11 || a.Refined != b.Refined || a.Nodes != b.Nodes || a.Shortfalls != b.Shortfalls) {
					t.Errorf("machine %s: certificate %+v, want %+v", m.Name, b, a)
				}
			}
		})
	}
}
