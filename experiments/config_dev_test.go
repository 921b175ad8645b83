package experiments

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// What a fast development run cuts, and that it is right and stays as it is when it is read again.
func TestFastDevRunConfiguration(t *testing.T) {
	c := parse(t, "name: x\nfast_dev_run: true\ntraining: {batch_size: 64, checkpoints: {every: 50}}\ndecompose: {windows: 20}\nanalysis: {every: 10, samples: 100}\n", nil, nil)
	if c.Training.Steps != 3 || c.Data.Train != 20 || c.Data.Query != 5 || c.Training.BatchSize != 10 || c.Training.Checkpoints.Every != 1 ||
		c.Decompose.Windows != 3 || c.Analysis.Every != 1 || c.Analysis.Samples != 20 {
		t.Errorf("%+v", c)
	}
	text, err := c.YAML()
	must(t, err)
	if again, err := parse(t, string(text), nil, nil).YAML(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("%v: read again it is\n%s\nwas\n%s", err, again, text)
	}
	small := parse(t, "name: x\nfast_dev_run: true\ndata: {train: 4, query: 2}\ntraining: {steps: 2}\n", nil, nil)
	if small.Training.Steps != 2 || small.Data.Train != 4 || small.Data.Query != 2 || small.Training.BatchSize != 0 || small.Analysis.Every != 0 {
		t.Errorf("what is small already: %+v", small)
	}
	if long := parse(t, "name: x\n", nil, nil); long.Training.Steps != 500 || long.Data.Train != 1000 {
		t.Errorf("without it: %+v", long)
	}
	// The flow comes to its end within the steps, and no further than in as many of the whole.
	flow := parse(t, "name: x\nfast_dev_run: true\ntraining: {steps: 600, optimizer: {kind: flow, time: 60}}\n", nil, nil)
	if o := flow.Training.Optimizer; math.Abs(o.Time-0.3) > 1e-15 || o.FixedStep != o.Time/2.5 {
		t.Errorf("flow to %g in steps of %g", o.Time, o.FixedStep)
	}
	// What is wrong of the whole is refused, although the part would do.
	_, err = Parse("x.yaml", []byte("name: x\nfast_dev_run: true\ndata: {train: 5000}\n"), "yaml", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "5000") {
		t.Errorf("more samples than there are: %v", err)
	}
	config, sources, err := ParseSources("x.yaml", []byte("name: x\nfast_dev_run: true\ntraining: {steps: 2}\n"), "yaml", nil, nil)
	must(t, err)
	said, err := sources.YAML(config)
	must(t, err)
	for _, want := range []string{"train: 20 ", "# x.yaml:2:15, fast_dev_run\n", "steps: 2 "} {
		if !strings.Contains(string(said), want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	if strings.Contains(string(said), "fast_dev_run: true, fast") || strings.Count(string(said), ", fast_dev_run\n") != 2 {
		t.Errorf("what comes from it:\n%s", said)
	}
}

// Everything that a run may do happens, and the shipped experiments pass: their folder says that it is no result.
func TestFastDevRuns(t *testing.T) {
	long(t)
	everything := "decompose: {layers: true, classes: true, windows: 9}\nanalysis: {every: 50}\nbaselines: [{kind: linearized}, {kind: tangent-kernel}, {kind: path-kernel-ridge}, {kind: path-kernel-svm}]\n"
	texts := map[string]string{
		"descent":  "bound: {kind: loss-path-kernel}\npath_kernel: full\n" + everything,
		"momentum": "training: {batch_size: 32, optimizer: {momentum: 0.9}}\nmachines: [{name: a, family: exact, rule: adaptive}]\n" + everything,
		"flow":     "training: {optimizer: {kind: flow, time: 60}}\n",
	}
	for name, text := range texts {
		texts[name] = "name: " + name + "\nfast_dev_run: true\n" + text
	}
	configs := map[string]*Config{}
	for name, text := range texts {
		configs[name] = parse(t, text, nil, nil)
	}
	shipped, err := filepath.Glob("configs/*.yaml")
	must(t, err)
	for _, file := range shipped {
		c, err := Load(file, []string{"fast_dev_run=true"}, nil)
		if withoutFashion(t, file, err) {
			continue
		}
		must(t, err)
		configs[file] = c
	}
	for name, c := range configs {
		dir := filepath.Join(t.TempDir(), "run")
		steps := 0
		if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Progress: func(Progress) { steps++ }}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		report, err := Verify(dir)
		must(t, err)
		run, err := LoadRun(dir)
		must(t, err)
		if !report.OK() || steps != 3 || !run.Manifest.FastDevRun {
			t.Errorf("%s: %d steps, %+v", name, steps, report)
		}
		files := map[string]bool{}
		for _, f := range run.Manifest.Files {
			files[f.Path] = true
		}
		for _, file := range map[string][]string{"descent": {"report.html", "analysis.jsonl", "arrays/exact/contributions_by_layer.npy", "arrays/exact/contributions_by_window.npy", "arrays/loss_path_kernel_diagonal.npy", "arrays/domingos/coefficients.npy"},
			"momentum": {"report.html", "arrays/a/contributions_by_class.npy", "arrays/batches.npy"}}[name] {
			if !files[file] {
				t.Errorf("%s: %s is missing", name, file)
			}
		}
		for _, b := range run.Summary.Baselines {
			if b.Figures.Fault != "" {
				t.Logf("%s: %s: %s", name, b.Name, b.Figures.Fault)
			}
		}
		if n := len(run.Summary.Baselines); (name == "descent" || name == "momentum") && n != 4 {
			t.Errorf("%s: %d baselines", name, n)
		}
	}
}
