package experiments

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every optimizer's path is accounted for: the machine's outputs are the network's, and the
// files say so. gauss-3 on steps of this length is at rounding.
func TestEveryOptimizerIsAccountedFor(t *testing.T) {
	base := []string{"data.train=40", "data.query=5", "network.hidden=[10]", "training.steps=24", "training.optimizer.learning_rate=0.01",
		"training.checkpoints.every=7", "machines=[{name: exact, family: exact, rule: gauss-3}]"}
	sgd, adam := "training.optimizer.kind=sgd", "training.optimizer.kind=adam"
	batches, momentum, decay := "training.batch_size=16", "training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.1"
	for name, test := range map[string]struct {
		overrides []string
		tolerance float64
	}{
		"sgd":                   {[]string{sgd}, 1e-9},
		"batches":               {[]string{sgd, batches}, 1e-9},
		"batches, full kernel":  {[]string{sgd, batches, "path_kernel=full", "training.schedule.kind=cosine"}, 1e-9},
		"schedule, clipped":     {[]string{sgd, batches, "training.schedule.kind=one-cycle", "training.clip_norm=0.2"}, 1e-9},
		"momentum":              {[]string{sgd, momentum}, 1e-9},
		"momentum, dampened":    {[]string{sgd, momentum, "training.optimizer.dampening=0.5", batches}, 1e-9},
		"nesterov":              {[]string{sgd, momentum, "training.optimizer.nesterov=true", batches}, 1e-9},
		"decay in the gradient": {[]string{sgd, momentum, decay, batches}, 1e-9},
		"decoupled decay":       {[]string{sgd, decay, "training.optimizer.decoupled=true"}, 1e-9},
		"adam":                  {[]string{adam, batches}, 1e-9},
		"adam, decay, clipped":  {[]string{adam, decay, "training.clip_norm=0.2", "training.optimizer.amsgrad=true"}, 1e-9},
		"adamw":                 {[]string{"training.optimizer.kind=adamw", decay, batches}, 1e-9},
		"rmsprop":               {[]string{"training.optimizer.kind=rmsprop", momentum, decay, batches, "training.optimizer.learning_rate=0.0002"}, 1e-9},
		"adagrad":               {[]string{"training.optimizer.kind=adagrad", batches}, 1e-9},
		"float32":               {[]string{adam, batches, "precision=float32"}, 1e-4},
		"convolution":           {[]string{adam, batches, "network.kind=cnn", "network.convs=[{filters: 3, kernel: 3, pool: average}]", "training.optimizer.learning_rate=0.003"}, 1e-9},
		"logistic":              {[]string{adam, batches, "data.classes=[3,8]", "loss.kind=logistic"}, 1e-9},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("t", []byte("name: t\n"), "yaml", append(append([]string(nil), base...), test.overrides...), nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "run")
			if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
			if err != nil {
				t.Fatal(err)
			}
			var summary struct {
				Machines map[string]struct {
					RelativeError float64 `json:"relative_error"`
				}
			}
			if err := json.Unmarshal(text, &summary); err != nil {
				t.Fatal(err)
			}
			if e := summary.Machines["exact"].RelativeError; !(e <= test.tolerance) || e == 0 {
				t.Errorf("relative error %.2g, want at most %.2g", e, test.tolerance)
			}
			report, err := Verify(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !report.OK() {
				var out strings.Builder
				_ = report.Print(&out)
				t.Error(out.String())
			}
			var regularization float64
			for _, r := range readArray[float64](t, dir, "exact/regularization") {
				regularization += r * r
			}
			if decays := strings.Contains(strings.Join(test.overrides, " "), decay); decays != (regularization > 0) {
				t.Errorf("weight decay %v, R has the square %g", decays, regularization)
			}
		})
	}
}
