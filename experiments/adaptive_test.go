package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Networks with kinks are accounted for to the tolerance, where a rule of fixed nodes is
// orders of magnitude off; the certificate bounds what is left. 1e-8 is what the certificate
// promises (tolerance 1e-9, absolute) over changes of the outputs of more than 0.1.
func TestAdaptiveFollowsKinks(t *testing.T) {
	long(t)
	base := []string{"data.train=40", "data.query=8", "network.hidden=[12]", "network.activation=relu", "training.steps=12", "training.checkpoints.every=5",
		"machines=[{name: fixed, family: exact, rule: gauss-3}, {name: adaptive, family: exact, rule: adaptive}]"}
	cnn := []string{"network.kind=cnn", "network.convs=[{filters: 2, kernel: 3, pool: max}]"}
	for name, test := range map[string]struct {
		overrides []string
		tolerance float64
	}{
		"sgd":                  {[]string{"training.optimizer.learning_rate=0.3"}, 1e-8},
		"full kernel, batches": {[]string{"training.optimizer.learning_rate=0.3", "training.batch_size=16", "path_kernel=full"}, 1e-8},
		"momentum, decay":      {[]string{"training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.1"}, 1e-8},
		"adam":                 {[]string{"training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01", "training.batch_size=16"}, 1e-8},
		"convolution":          {append(cnn, "training.optimizer.learning_rate=0.3"), 1e-8},
		"convolution, adam":    {append(cnn, "training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01"), 1e-8},
		"logistic":             {[]string{"data.classes=[3, 8]", "loss.kind=logistic"}, 1e-8},
		// 1e-4 is the rounding of single precision over the run.
		"float32": {[]string{"training.optimizer.learning_rate=0.3", "precision=float32"}, 1e-4},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustExecute(t, "name: t\n", append(slices.Clone(base), test.overrides...)...)
			fixed, _ := r.Summary.Machines.Get("fixed")
			adaptive, _ := r.Summary.Machines.Get("adaptive")
			c := adaptive.Certificate
			if !(float64(adaptive.RelativeError) <= test.tolerance) {
				t.Errorf("relative error %.2g, want at most %g; certificate %+v", adaptive.RelativeError, test.tolerance, c)
			}
			if name != "float32" && !(float64(fixed.RelativeError) > 100*test.tolerance) {
				t.Errorf("gauss-3 is as good, with %.2g: this run has no kinks to test with", fixed.RelativeError)
			}
			if c.Refined == 0 || c.Shortfalls != 0 || c.Nodes <= 3*8*12 {
				t.Errorf("certificate %+v", c)
			}
			if report, err := Verify(r.Path); err != nil || !report.OK() {
				var out strings.Builder
				_ = report.Print(&out)
				t.Error(err, out.String())
			}
		})
	}
}

// Nodes that run out are said, and what is left is in the residual.
func TestAdaptiveReportsShortfalls(t *testing.T) {
	r := mustExecute(t, "name: t\n", "data.train=40", "data.query=8", "network.hidden=[12]", "network.activation=relu", "training.steps=12", "training.optimizer.learning_rate=0.3",
		"machines=[{name: short, family: exact, rule: adaptive, max_nodes: 9}]")
	f, _ := r.Summary.Machines.Get("short")
	if c := f.Certificate; c.Shortfalls == 0 || c.AccumulatedResidual < 1e-9 || !(f.MaxAbsError <= c.AccumulatedResidual) || c.WorstStep < 0 {
		t.Errorf("max abs error %.2g, certificate %+v", f.MaxAbsError, f.Certificate)
	}
	var table strings.Builder
	must(t, Compare(&table, []*Run{r}))
	if want := fmt.Sprintf("short: %d of %d refined steps of queries ran out of nodes", f.Certificate.Shortfalls, f.Certificate.Refined); !strings.Contains(table.String(), want) {
		t.Errorf("the table does not say %q:\n%s", want, table.String())
	}
}

// An adaptive run that was interrupted ends in the bits of one that was not, its certificate
// included.
func TestResumeOfAnAdaptiveRun(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adam"} {
		c, dir := interruptedRun(t, "network.activation=relu", "training.checkpoints.save=0", "training.optimizer.kind="+optimizer,
			"machines=[{name: adaptive, family: exact, rule: adaptive}]")
		whole := filepath.Join(t.TempDir(), "whole")
		for path, resume := range map[string]bool{dir: true, whole: false} {
			if err := Execute(context.Background(), c, Options{Dir: path, Engine: gonum(t), Resume: resume}); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"contributions", "path_kernel", "residual", "step_residual_max", "step_residual_sum"} {
			if !slices.Equal(readArray[float64](t, dir, "adaptive/"+name), readArray[float64](t, whole, "adaptive/"+name)) {
				t.Errorf("%s: %s differs from that of the run that was not interrupted", optimizer, name)
			}
		}
		for _, name := range []string{"nodes_by_query", "nodes_by_step"} {
			if !slices.Equal(readArray[int64](t, dir, "adaptive/"+name), readArray[int64](t, whole, "adaptive/"+name)) {
				t.Errorf("%s: %s differs from that of the run that was not interrupted", optimizer, name)
			}
		}
	}
}
