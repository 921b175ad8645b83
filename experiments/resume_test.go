package experiments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// interruptedRun leaves a run that was interrupted after a few steps.
func interruptedRun(t *testing.T, overrides ...string) (*Config, string) {
	t.Helper()
	base := []string{"data.train=40", "data.query=5", "network.hidden=[6]", "training.steps=30", "training.batch_size=16", "path_kernel=trace", "figures=false"}
	c, err := Parse("t", []byte("name: t\n"), "yaml", append(base, overrides...), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = Execute(ctx, c, Options{Dir: dir, Engine: gonum(t), Progress: func(p Progress) {
		if p.Step == 4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return c, dir
}

// What does not fit is refused before anything is touched, naming what differs.
func TestResumeRefusals(t *testing.T) {
	c, dir := interruptedRun(t)
	other, rule := *c, *c
	other.Training.Optimizer.LearningRate = 0.2
	rule.Machines = slices.Clone(c.Machines)
	rule.Machines[0].Rule = "gauss-4"
	for name, test := range map[string]struct {
		want   string
		config *Config
		damage func(t *testing.T)
	}{
		"another learning rate": {"training.optimizer.learning_rate", &other, nil},
		"another rule":          {"machines[0].rule: its configuration says gauss-3, this one gauss-4", &rule, nil},
		"altered checkpoint": {"step-00000002", c, func(t *testing.T) {
			alter(t, filepath.Join(dir, "trajectory", "step-00000002.safetensors"), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		}},
		"altered state": {"altered", c, func(t *testing.T) {
			alter(t, filepath.Join(dir, filepath.FromSlash(resumeName)), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}},
		"cut state": {"cut", c, func(t *testing.T) {
			alter(t, filepath.Join(dir, filepath.FromSlash(resumeName)), func(b []byte) []byte { return b[:len(b)-20] })
		}},
		"another manifest": {"manifest.json", c, func(t *testing.T) {
			alter(t, filepath.Join(dir, manifestName), func(b []byte) []byte { return []byte(strings.Replace(string(b), `"blas"`, `"blax"`, 1)) })
		}},
		"lost metrics": {"metrics.jsonl", c, func(t *testing.T) {
			alter(t, filepath.Join(dir, metricsName), func(b []byte) []byte { return b[:10] })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.damage != nil {
				test.damage(t)
			}
			err := Execute(context.Background(), test.config, Options{Dir: dir, Engine: gonum(t), Resume: true})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v does not say %q and the run", err, test.want)
			}
		})
	}
	for name, is := range map[string]Manifest{
		"BLAS":         {OS: "linux", BLAS: "another"},
		"data SHA-256": {OS: "linux", BLAS: gonum(t).Name(), Data: DataProvenance{Source: "digits", SHA256: "0"}},
	} {
		c, dir := interruptedRun(t)
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		is.OS, is.Arch, is.Vector = m.OS, m.Arch, m.Vector
		if is.Data.Source == "" {
			is.Data = m.Data
		}
		if _, err := ResumeRunDir(dir, is, text); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if err := Execute(context.Background(), c, Options{Dir: filepath.Join(t.TempDir(), "none"), Engine: gonum(t), Resume: true}); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("no run: %v", err)
	}
}

// One process at a time writes a run.
func TestRunsAreLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	d, err := CreateRunDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var occupied *OccupiedError
	if _, err := ResumeRunDir(dir, Manifest{}, nil); !errors.As(err, &occupied) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a run that is being written was resumed: %v", err)
	}
	if err := d.Finish(Interrupted, "test"); err != nil {
		t.Fatal(err)
	}
	again, err := ResumeRunDir(dir, Manifest{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Finish(Completed, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := ResumeRunDir(dir, Manifest{}, nil); err == nil || !strings.Contains(err.Error(), "complete") {
		t.Errorf("a complete run was resumed: %v", err)
	}
}

// A run of momentum that is interrupted while its steps are accounted for goes on with the
// account, and ends in the same bits.
func TestResumeOfAnAccount(t *testing.T) {
	for _, memory := range []string{"2GiB", "3.4MB"} { // all queries at once, and in turns
		t.Run(memory, func(t *testing.T) { resumeOfAnAccount(t, memory) })
	}
}

func resumeOfAnAccount(t *testing.T, memory string) {
	overrides := []string{"training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.01", "training.checkpoints.save=0", "training.checkpoints.every=5", "memory=" + memory}
	c, dir := interruptedRun(t, overrides...)
	if p, err := c.Plan(); err != nil || (p.Blocks > 1) != (memory != "2GiB") {
		t.Errorf("%d turns with %s: %v", p.Blocks, memory, err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := Execute(context.Background(), c, Options{Dir: whole, Engine: gonum(t)}); err != nil {
		t.Fatal(err)
	}
	// The context ends when the account has saved itself.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(resumeName))); err == nil && strings.Contains(string(b), metaAccounted+`":`) {
				cancel()
			}
		}
	}()
	err := Execute(ctx, c, Options{Dir: dir, Engine: gonum(t), Resume: true})
	cancel()
	<-watched
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err != nil {
		// Interrupted once more before it goes on: what is saved stays the account's.
		ended, end := context.WithCancel(context.Background())
		end()
		if err := Execute(ended, c, Options{Dir: dir, Engine: gonum(t), Resume: true}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Resume: true}); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("the account ended before it was interrupted")
	}
	for _, name := range []string{"exact/contributions", "exact/regularization", "exact/path_kernel", "outputs_final"} {
		if !slices.Equal(readArray[float64](t, dir, name), readArray[float64](t, whole, name)) {
			t.Errorf("%s differs from that of the run that was not interrupted", name)
		}
	}
}

// An interval longer than the clock counts is never over, not always.
func TestSavesWaitForTheirInterval(t *testing.T) {
	c, err := Parse("t", []byte("name: t\n"), "yaml", []string{"data.train=20", "data.query=3", "network.hidden=[4]", "training.steps=4", "training.checkpoints.save=1e12"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Progress: func(Progress) {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(resumeName))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("saved before the interval was over: %v", err)
		}
	}}); err != nil {
		t.Fatal(err)
	}
}

// alter changes a file for the rest of a test.
func alter(t *testing.T, path string, edit func([]byte) []byte) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(append([]byte(nil), before...)), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0o666); err != nil {
			t.Error(err)
		}
	})
}

// A run that was killed between creating its manifest and writing it begins anew.
func TestResumeOfABarelyBegunRun(t *testing.T) {
	c, dir := interruptedRun(t)
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := os.Mkdir(fresh, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(fresh, manifestName), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, fresh} {
		if err := Execute(context.Background(), c, Options{Dir: d, Engine: gonum(t), Resume: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(d, filepath.FromSlash(resumeName))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a complete run keeps %s: %v", resumeName, err)
		}
		if report, err := Verify(d); err != nil || !report.OK() {
			t.Errorf("%s does not hold: %v", d, err)
		}
	}
	a, b := readArray[float64](t, dir, "exact/contributions"), readArray[float64](t, fresh, "exact/contributions")
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("contribution %d is %g resumed, %g in one go", i, a[i], b[i])
		}
	}
}
