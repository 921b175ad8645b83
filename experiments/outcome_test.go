package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

func TestDivergingRunKeepsWhatItHad(t *testing.T) {
	for _, test := range []struct {
		name      string
		overrides []string
		tensor    string
	}{
		{"bounded activations", []string{"training.optimizer.learning_rate=1e6"}, ""},
		{"overflow", []string{"training.optimizer.learning_rate=1e6", "loss.kind=squared-error", "network.activation=relu", "training.loss_limit=0", "training.steps=400"}, "0.output"},
		{"overflow in float32", []string{"training.optimizer.learning_rate=1e6", "loss.kind=squared-error", "network.activation=relu", "training.loss_limit=0", "training.steps=400", "precision=float32"}, "0.cotangent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, _, err := tryExecute(t, small, test.overrides...)
			var d *training.Diverged
			if !errors.As(err, &d) {
				t.Fatalf("error %v, want a divergence", err)
			}
			t.Log(err)
			if (d.Tensor == "") != (test.tensor == "") {
				t.Errorf("tensor %q, want %q", d.Tensor, test.tensor)
			}
			m, err := ReadManifest(dir)
			if err != nil {
				t.Fatal(err)
			}
			if m.Outcome != Diverged || !strings.Contains(m.Reason, fmt.Sprintf("step %d", d.Step)) {
				t.Errorf("outcome %s, reason %q", m.Outcome, m.Reason)
			}
			for _, name := range []string{"config.yaml", "metrics.jsonl", "weights_initial.safetensors", "weights_final.safetensors", "arrays/train_inputs.npy",
				"arrays/outputs_initial.npy", "arrays/exact/contributions.npy", "arrays/exact/path_kernel.npy"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Error(err)
				}
			}
			if steps := readArray[float64](t, dir, "step_sizes"); len(steps) != d.Step {
				t.Errorf("%d step sizes of a run that diverged at step %d", len(steps), d.Step)
			}
			if report, err := Verify(dir); err != nil || len(report.failed()) > 0 {
				t.Errorf("verify: %v, %+v", err, report)
			}
		})
	}
}

// Numbers that no axis can show must not cost a finished run.
func TestExtremeNumbersAreReported(t *testing.T) {
	for _, gain := range []string{"1e20", "1e300"} {
		r := mustExecute(t, small, "network.init.gain="+gain, "training.loss_limit=0")
		if page, err := os.ReadFile(filepath.Join(r.Path, "report.html")); err != nil || !strings.Contains(string(page), "</html>") {
			t.Errorf("gain %s: %v", gain, err)
		}
		_ = r.Figure(io.Discard) // an error is fine, a panic is not
	}
}

func TestInterruptedRun(t *testing.T) {
	c, err := Parse("test.yaml", []byte(small), "yaml", []string{"training.steps=100000"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	dir := filepath.Join(t.TempDir(), "run")
	err = Execute(ctx, c, Options{Dir: dir, Engine: gonum(t), Progress: func(p Progress) {
		if p.Step == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	m, err := ReadManifest(dir)
	if err != nil || m.Outcome != Interrupted {
		t.Fatalf("outcome %v, %v", m, err)
	}
	metrics, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil || strings.Count(string(metrics), "\n") != 3 {
		t.Errorf("metrics %q, %v", metrics, err)
	}
	// What was kept is the account of the completed steps: it leads to the weights
	// that were kept.
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	data, err := c.Data.Load()
	if err != nil {
		t.Fatal(err)
	}
	network, err := c.Network.Build(data, 10)
	if err != nil {
		t.Fatal(err)
	}
	w, err := readWeights[float64](&verifier{root: root}, network, "weights_final.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	f, err := graphs.NewForward[float64](network, gonum(t), 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetInputs(readArray[float64](t, dir, "query_inputs")); err != nil {
		t.Fatal(err)
	}
	if err := f.Run(w); err != nil {
		t.Fatal(err)
	}
	account := pathkernel.Predict(readArray[float64](t, dir, "outputs_initial"), readArray[float64](t, dir, "exact/contributions"), readArray[float64](t, dir, "exact/regularization"))
	for i, y := range f.Outputs() {
		if math.Abs(y-account[i]) > 1e-9 { // gauss-3 on three steps
			t.Fatalf("output %d: network %g, account %g", i, y, account[i])
		}
	}
}

func TestOccupiedFoldersAreNotTouched(t *testing.T) {
	c, err := Parse("test.yaml", []byte(small), "yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var occupied *OccupiedError
	if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)}); !errors.As(err, &occupied) {
		t.Errorf("error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
}
