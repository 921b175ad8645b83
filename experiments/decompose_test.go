package experiments

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"
)

// Shares of layers, windows and classes sum to the contributions for every kind of step, and a
// window is the difference of two runs of which one ends where it begins: the steps up to there
// are the same. 1e-10: rounding.
func TestDecompositions(t *testing.T) {
	long(t)
	base := []string{"data.train=40", "data.query=5", "network.hidden=[8, 6]", "training.steps=10", "training.checkpoints.every=4",
		"machines=[{name: exact, family: exact, rule: gauss-3}, {name: loss, family: exact, rule: adaptive, target: loss}]",
		"decompose.layers=true", "decompose.classes=true"}
	for name, test := range map[string]struct {
		overrides []string
		linear    bool // a run's first steps do not know of its end
	}{
		"sgd":         {[]string{"decompose.windows=5"}, true},
		"every step":  {[]string{"decompose.windows=10", "path_kernel=full"}, true},
		"epochs":      {[]string{"decompose.epochs=1", "training.batch_size=16"}, true},
		"sgd, decay":  {[]string{"decompose.windows=5", "training.optimizer.weight_decay=0.1"}, true},
		"flow":        {[]string{"decompose.windows=5", "machines=[{name: exact, family: flow, rule: left}]"}, true},
		"trapezoid":   {[]string{"decompose.windows=3", "machines=[{name: exact, family: flow, rule: trapezoid}]"}, false},
		"adam, decay": {[]string{"decompose.windows=4", "training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01", "training.optimizer.weight_decay=0.1", "training.batch_size=16"}, false},
		"convolution": {[]string{"decompose.windows=2", "network.kind=cnn", "network.convs=[{filters: 2, kernel: 3}]"}, true},
		"float32":     {[]string{"decompose.windows=2", "precision=float32"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			overrides := append(slices.Clone(base), test.overrides...)
			r := mustExecute(t, "name: t\n", overrides...)
			report, err := Verify(r.Path)
			must(t, err)
			checked := 0
			for _, c := range report.Checks {
				if c.Subject == "machine exact" && c.Status == StatusOK {
					checked++
				}
			}
			if !report.OK() || checked < 6 { // the identity and five decompositions
				t.Fatalf("%d checks, %+v", checked, report.failed())
			}
			if !slices.Equal(r.Summary.Layers, []string{"0", "2", "4"}) && name != "convolution" {
				t.Errorf("layers %v", r.Summary.Layers)
			}
			if !test.linear {
				return
			}
			bounds := readArray[int64](t, r.Path, "exact/window_bounds")
			before := make(map[string][]float64)
			for w, end := range bounds[1:] {
				c, err := Parse("t", []byte("name: t\n"), "yaml", overrides, nil)
				must(t, err)
				c.Training.Steps, c.Decompose = int(end), Decompose{}
				dir := filepath.Join(t.TempDir(), "short")
				must(t, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)}))
				for _, whole := range []string{"contributions", "regularization"} {
					now, parts := readArray[float64](t, dir, "exact/"+whole), readArray[float64](t, r.Path, "exact/"+whole+"_by_window")
					if before[whole] == nil {
						before[whole] = make([]float64, len(now))
					}
					var off float64
					for i := range now {
						off = max(off, math.Abs(parts[w*len(now)+i]-(now[i]-before[whole][i])))
					}
					if !(off <= 1e-10*maxAbs(now)) {
						t.Errorf("window %d: %s are off by %.2g of %.2g", w, whole, off, maxAbs(now))
					}
					if name == "sgd, decay" && maxAbs(parts) == 0 {
						t.Errorf("no %s", whole)
					}
					before[whole] = now
				}
			}
		})
	}
}

// A run that was interrupted keeps its shares.
func TestResumeOfDecompositions(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adam"} {
		c, dir := interruptedRun(t, "training.checkpoints.save=0", "training.optimizer.kind="+optimizer, "training.optimizer.weight_decay=0.1", "decompose.layers=true", "decompose.windows=7")
		whole := filepath.Join(t.TempDir(), "whole")
		for path, resume := range map[string]bool{dir: true, whole: false} {
			must(t, Execute(context.Background(), c, Options{Dir: path, Engine: gonum(t), Resume: resume}))
		}
		for _, name := range []string{"contributions", "contributions_by_layer", "contributions_by_window", "regularization_by_layer", "regularization_by_window"} {
			if !slices.Equal(readArray[float64](t, dir, "exact/"+name), readArray[float64](t, whole, "exact/"+name)) {
				t.Errorf("%s: %s differs from that of the run that was not interrupted", optimizer, name)
			}
		}
	}
}
