package experiments

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"pkm/internal/npy"
)

// The figures that the project promises of its main job. relative_error of the
// exact machine is rounding, some 1e-12; the trapezoid rule's 5e-5.
func TestDigitsMLP(t *testing.T) {
	if testing.Short() {
		t.Skip("300 steps of 1,000 digits")
	}
	text, err := os.ReadFile("configs/digits-mlp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := mustExecute(t, string(text))
	for name, limit := range map[string]float64{"exact": 1e-8, "exact-trapezoid": 1e-3, "domingos": 0.1} {
		f, ok := r.Summary.Machines.Get(name)
		if !ok || !(float64(f.RelativeError) <= limit) || f.ArgmaxAgreement != 1 {
			t.Errorf("%s: %+v, want a relative error of at most %g and agreement 1", name, f, limit)
		}
	}
	if s := r.Summary; s.Samples.Train != 1000 || s.Samples.Query != 50 || s.Outputs != 10 || s.Parameters != 8970 || s.Steps != 300 || s.Network.QueryAccuracy < 0.9 {
		t.Errorf("summary %+v", s)
	}
	if r.Manifest.PeakMemory > 500<<20 {
		t.Errorf("peak memory %d MB, want at most 500", r.Manifest.PeakMemory>>20)
	}
	if report, err := Verify(r.Path); err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

// The contract of the run directory: every file, with its shape.
func TestRunDirectory(t *testing.T) {
	for _, kernel := range []string{"trace", "full", "none"} {
		t.Run(kernel, func(t *testing.T) {
			r := mustExecute(t, small, "path_kernel="+kernel)
			want := map[string][]int{
				"train_inputs": {40, 64}, "train_targets": {40}, "train_indices": {40},
				"query_inputs": {7, 64}, "query_targets": {7}, "query_indices": {7},
				"step_sizes": {5}, "outputs_initial": {7, 10}, "outputs_final": {7, 10},
			}
			for _, m := range []string{"exact", "trapezoid", "flow"} {
				want[m+"/contributions"], want[m+"/regularization"], want[m+"/residual"] = []int{7, 10, 40}, []int{7, 10}, []int{7, 10}
				if m != "flow" {
					want[m+"/step_residual_max"], want[m+"/step_residual_sum"], want[m+"/nodes_by_query"], want[m+"/nodes_by_step"] = []int{7}, []int{7}, []int{7}, []int{5}
				}
				switch kernel {
				case "trace":
					want[m+"/path_kernel"] = []int{7, 40}
				case "full":
					want[m+"/path_kernel"], want[m+"/coefficients"] = []int{7, 10, 40, 10}, []int{7, 10, 40, 10}
				}
			}
			found := 0
			arrays := filepath.Join(r.Path, "arrays")
			if err := filepath.WalkDir(arrays, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					found++
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if found != len(want) {
				t.Errorf("%d arrays, want %d", found, len(want))
			}
			for name, shape := range want {
				f, err := os.Open(filepath.Join(arrays, filepath.FromSlash(name)+".npy"))
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := npy.ReadHeader(f)
				f.Close()
				if err != nil || !slices.Equal(got.Shape, shape) {
					t.Errorf("%s: shape %v, %v; want %v", name, got.Shape, err, shape)
				}
			}
			for _, name := range []string{"config.yaml", "manifest.json", "summary.json", "metrics.jsonl", "weights_initial.safetensors",
				"weights_final.safetensors", "report.html", "trajectory/step-00000000.safetensors", "trajectory/step-00000005.safetensors"} {
				if _, err := os.Stat(filepath.Join(r.Path, name)); err != nil {
					t.Error(err)
				}
			}
			if report, err := Verify(r.Path); err != nil || !report.OK() {
				t.Errorf("verify: %v, %+v", err, report)
			}
			metrics, err := os.ReadFile(filepath.Join(r.Path, "metrics.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(string(metrics), "\n"); lines != 6 {
				t.Errorf("%d lines of metrics, want one for each step and one for the end", lines)
			}
			page, err := os.ReadFile(filepath.Join(r.Path, "report.html"))
			if err != nil || strings.Contains(string(page), "http://") && !strings.Contains(string(page), "http://www.w3.org") {
				t.Errorf("the report is not self-contained: %v", err)
			}
		})
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	// Several tiles of everything, so that work is really shared out.
	overrides := []string{"data.train=300", "data.query=70", "network.hidden=[70,20]"}
	bytes := func(more ...string) (map[string]string, string) {
		r := mustExecute(t, small, append(overrides, more...)...)
		return digest(t, filepath.Join(r.Path, "arrays")), filepath.Join(r.Path, "config.yaml")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want, config := bytes()
	for _, cores := range []int{2, 4} {
		runtime.GOMAXPROCS(cores)
		got, _ := bytes()
		for name, sum := range want {
			if got[name] != sum {
				t.Errorf("GOMAXPROCS=%d: %s has other bytes than with 1", cores, name)
			}
		}
	}
	resolved, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	again := mustExecute(t, string(resolved))
	for name, sum := range digest(t, filepath.Join(again.Path, "arrays")) {
		if want[name] != sum {
			t.Errorf("run again from config.yaml: %s has other bytes", name)
		}
	}
	other, _ := bytes("seed=2")
	if other["/outputs_final.npy"] == want["/outputs_final.npy"] {
		t.Error("another seed gives the same outputs")
	}
}

// The order of a rule is the slope of log residual against log η, at a fixed
// η·S = 20, on a smooth network. Coarser steps are not in the regime of the slope, finer ones
// of gauss-3 are rounding.
func TestOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of steps")
	}
	text := `
name: orders
data: {train: 60, query: 10}
network: {hidden: [16]}
path_kernel: none
machines:
  - {name: left, family: exact, rule: left}
  - {name: trapezoid, family: exact, rule: trapezoid}
  - {name: midpoint, family: exact, rule: midpoint-1}
  - {name: gauss-2, family: exact, rule: gauss-2}
  - {name: gauss-3, family: exact, rule: gauss-3}
  - {name: flow, family: flow, rule: trapezoid}
`
	var logRate []float64
	logError := make(map[string][]float64)
	for _, steps := range []int{50, 100, 200, 400, 800} {
		rate := 20 / float64(steps)
		r := mustExecute(t, text, fmt.Sprintf("training.steps=%d", steps), fmt.Sprintf("training.optimizer.learning_rate=%g", rate))
		logRate = append(logRate, math.Log(rate))
		for _, m := range r.Summary.Machines {
			logError[m.Name] = append(logError[m.Name], math.Log(float64(m.Figures.RelativeError)))
		}
	}
	for _, test := range []struct {
		machine     string
		order       float64
		first, last int // of the learning rates, from coarse to fine
	}{
		{"left", 1, 2, 5}, {"flow", 1, 2, 5}, {"trapezoid", 2, 2, 5}, {"midpoint", 2, 2, 5}, {"gauss-2", 4, 2, 5}, {"gauss-3", 6, 0, 3},
	} {
		_, slope := stat.LinearRegression(logRate[test.first:test.last], logError[test.machine][test.first:test.last], nil, false)
		t.Logf("%s: slope %.2f, relative errors %.2g", test.machine, slope, exp(logError[test.machine]))
		low, high := test.order-0.25, test.order+0.25
		if test.machine == "gauss-3" {
			low, high = 5.5, math.Inf(1)
		}
		if slope < low || slope > high {
			t.Errorf("%s: slope %.3f, want %g", test.machine, slope, test.order)
		}
	}
	// Of one order, midpoint and trapezoid are told apart by the size of their
	// errors: the midpoint rule's are half as large and of the other sign.
	last := len(logRate) - 1
	if ratio := math.Exp(logError["trapezoid"][last] - logError["midpoint"][last]); ratio < 1.7 || ratio > 2.3 {
		t.Errorf("the trapezoid rule's error is %.2f times the midpoint rule's, want 2", ratio)
	}
	// And the left rule and the flow's trapezoid, whose error also counts the
	// descent's distance from the flow, by theirs.
	if ratio := math.Exp(logError["flow"][last] - logError["left"][last]); ratio < 2 {
		t.Errorf("the flow's error is %.2f times the left rule's", ratio)
	}
}

func exp(logs []float64) []float64 {
	out := make([]float64, len(logs))
	for i, l := range logs {
		out[i] = math.Exp(l)
	}
	return out
}

// In float32 the weights are rounded at every step; sums stay in float64.
func TestSinglePrecision(t *testing.T) {
	r := mustExecute(t, small, "precision=float32", "training.steps=50")
	f, _ := r.Summary.Machines.Get("exact")
	if f.RelativeError > 1e-4 || f.RelativeError < 1e-12 {
		t.Errorf("relative error %g, want one of float32, at most 1e-4", f.RelativeError)
	}
	if report, err := Verify(r.Path); err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

func TestSquaredErrorOfTwoClasses(t *testing.T) {
	r := mustExecute(t, small, "loss.kind=squared-error", "data.classes=[3,8]", "training.steps=200", "training.optimizer.learning_rate=0.02", "network.activation=gelu", "network.bias=false")
	f, _ := r.Summary.Machines.Get("exact")
	if r.Summary.Outputs != 2 || f.RelativeError > 1e-8 || r.Summary.Network.QueryAccuracy < 0.8 {
		t.Errorf("%d outputs, %+v, network %+v", r.Summary.Outputs, f, r.Summary.Network)
	}
	indices, targets := readArray[int64](t, r.Path, "query_indices"), readArray[int64](t, r.Path, "query_targets")
	d, err := LoadDigits()
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range indices {
		if label := d.Labels[i]; label != 3 && label != 8 || (targets[k] == 1) != (label == 8) {
			t.Errorf("query %d is a %d with target %d", k, label, targets[k])
		}
	}
}

// A small convolutional network, whose machine must be as exact as an mlp's.
func TestConvolutionalNetwork(t *testing.T) {
	for _, pool := range []string{"max", "average", "none"} {
		r := mustExecute(t, small, "network.kind=cnn", "network.hidden=[9]", "training.optimizer.learning_rate=0.05", "path_kernel=full",
			fmt.Sprintf("network.convs=[{filters: 3, kernel: 3, padding: 1, pool: %s}, {filters: 4, kernel: 2, stride: 2}]", pool))
		f, _ := r.Summary.Machines.Get("exact")
		// Max pooling has kinks: a rule of order 6 is then of order 1.
		if limit := map[string]float64{"max": 1e-2, "average": 1e-9, "none": 1e-9}[pool]; float64(f.RelativeError) > limit {
			t.Errorf("%s: relative error %g, want at most %g", pool, f.RelativeError, limit)
		}
		if inputs := readArray[float64](t, r.Path, "train_inputs"); len(inputs) != 40*64 {
			t.Errorf("%s: %d inputs", pool, len(inputs))
		}
		if report, err := Verify(r.Path); err != nil || !report.OK() {
			t.Errorf("%s: verify: %v, %+v", pool, err, report)
		}
	}
}

func TestMetricsAreJSON(t *testing.T) {
	r := mustExecute(t, small)
	text, err := os.ReadFile(filepath.Join(r.Path, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var last float64
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var s struct {
			Step     int
			Loss     float64
			Residual *float64 `json:"step_residual"`
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if s.Step != i || i > 0 && s.Loss >= last || (s.Residual == nil) != (i == 5) {
			t.Errorf("line %d: %s", i, line)
		}
		last = s.Loss
	}
}
