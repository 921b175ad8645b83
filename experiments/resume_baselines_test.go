package experiments

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// endsWith is a context that has ended once a file exists.
type endsWith struct {
	context.Context
	path string
}

// Err implements context.Context.
func (c endsWith) Err() error {
	if _, err := os.Stat(c.path); err != nil {
		return nil
	}
	return context.Canceled
}

// A run that is interrupted in its baselines or its analysis has saved the end of training, however short that was: it
// goes on without training again, to the same bytes. What counts w_S, the trapezoid rule's last half step of machines and
// bounds, counts it once.
func TestResumeOfBaselines(t *testing.T) {
	for name, overrides := range map[string][]string{
		"plain descent":   {"bound.kind=loss-path-kernel", "decompose.windows=3"},
		"mini-batches":    {"training.batch_size=7"},
		"early stop":      {"training.stop.loss=2", "training.optimizer.learning_rate=0.5"},
		"the flow":        {"training.optimizer={kind: flow, time: 0.5}", "training.steps=500", "machines=[{name: flow, family: flow, rule: trapezoid}]", "baselines=[{kind: path-kernel-ridge}]"},
		"only analysis":   {"baselines=[]", "analysis={every: 3}"},
		"no machine":      {"machines=[]", "path_kernel=none"},
		"an account":      {"training.optimizer.momentum=0.9", "machines=[{name: exact, family: exact, rule: gauss-2}]"},
		"a loss to learn": {"machines=[{name: flow, family: flow, rule: trapezoid, target: loss}]"},
	} {
		t.Run(name, func(t *testing.T) {
			base := []string{"figures=false", "data.train=20", "data.query=4", "network.hidden=[6]", "training.steps=9", "training.checkpoints.save=1e12",
				"machines=[{name: flow, family: flow, rule: trapezoid}, {name: exact, family: exact, rule: trapezoid}]",
				"baselines=[{kind: linearized}, {kind: path-kernel-ridge}]"}
			c, err := Parse("t", []byte("name: t\n"), "yaml", append(base, overrides...), nil)
			must(t, err)
			dir, whole := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "whole")
			must(t, Execute(context.Background(), c, Options{Dir: whole, Engine: gonum(t)}))
			ends := endsWith{context.Background(), filepath.Join(dir, filepath.FromSlash(resumeName))}
			if err := Execute(ends, c, Options{Dir: dir, Engine: gonum(t)}); !errors.Is(err, context.Canceled) {
				t.Fatalf("the end of training was not saved: %v", err)
			}
			must(t, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Resume: true, Progress: func(p Progress) {
				t.Errorf("step %d was trained again", p.Step)
			}}))
			must(t, filepath.WalkDir(whole, func(path string, d fs.DirEntry, err error) error {
				within, _ := filepath.Rel(whole, path)
				if err != nil || d.IsDir() || within == manifestName || within == metricsName || within == "report.html" { // which have times
					return err
				}
				want, err := os.ReadFile(path)
				must(t, err)
				if got, err := os.ReadFile(filepath.Join(dir, within)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s differs from that of the run that was not interrupted: %v", within, err)
				}
				return nil
			}))
			if report, err := Verify(dir); err != nil || !report.OK() {
				t.Errorf("the run does not hold: %v", err)
			}
		})
	}
}
