package experiments

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pkm/internal/npy"
)

// What the windows did up to a bound is the change of the network's outputs, and of the loss, up to there. Fails if a bound
// is taken a step early or late.
func TestSharesAddUpToTheOutputsAtTheBounds(t *testing.T) {
	r := mustExecute(t, small, "training.steps=7", "decompose.windows=3", "machines=[{name: outputs, family: exact, rule: gauss-4}, {name: loss, family: exact, rule: gauss-4, target: loss}]")
	for name, machine := range map[string]string{"outputs_at_bounds": "outputs", "loss/target_at_bounds": "loss"} {
		at, parts := readArray[float64](t, r.Path, name), readArray[float64](t, r.Path, machine+"/contributions_by_window")
		size := len(at) / 4
		n := len(parts) / 3 / size
		if at[0] == at[size] {
			t.Errorf("%s: nothing changed in the first window", name)
		}
		account := slices.Clone(at[:size])
		for w := range 3 {
			for k := range size {
				for _, q := range parts[(w*size+k)*n:][:n] {
					account[k] += q
				}
				// The quadrature's error: some 1e-12 of outputs of order 1.
				if off := math.Abs(account[k] - at[(w+1)*size+k]); off > 1e-9 {
					t.Fatalf("%s: value %d is off by %.3g after window %d", name, k, off, w)
				}
			}
		}
	}
	if report, err := Verify(r.Path); err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report.failed())
	}
}

// A run that was interrupted has the same outputs at the bounds as one that was not.
func TestResumedBounds(t *testing.T) {
	c, dir := interruptedRun(t, "decompose.windows=10")
	if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Resume: true}); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "run")
	if err := Execute(context.Background(), c, Options{Dir: whole, Engine: gonum(t)}); err != nil {
		t.Fatal(err)
	}
	got, want := readArray[float64](t, dir, "outputs_at_bounds"), readArray[float64](t, whole, "outputs_at_bounds")
	if len(want) != 11*5*10 || !slices.Equal(got, want) {
		t.Errorf("%d values, %d in one go, or other ones", len(got), len(want))
	}
}

// Right hashes do not hide values that are not the run's.
func TestVerifyAtBounds(t *testing.T) {
	r := mustExecute(t, small, "decompose.windows=2", "machines=[{name: loss, family: exact, rule: left, target: loss}]")
	name := filepath.Join(r.Path, "arrays", "loss", "target_at_bounds.npy")
	values := readArray[float64](t, r.Path, "loss/target_at_bounds")
	values[0] += 1e-9
	var out bytes.Buffer
	must(t, npy.Write(&out, []int{3, 7, 1}, values))
	must(t, os.WriteFile(name, out.Bytes(), 0o644))
	report, err := Verify(r.Path)
	must(t, err)
	if !slices.ContainsFunc(report.failed(), func(c Check) bool {
		return c.Detail == "loss/target_at_bounds begins or ends 1e-09 off where the run does"
	}) {
		t.Errorf("%+v", report.failed())
	}
}
