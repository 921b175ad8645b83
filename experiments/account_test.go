package experiments

import (
	"slices"
	"strings"
	"testing"
)

// Every optimizer's path is accounted for, of smooth MLPs and CNNs: the machine's outputs are the
// network's, and the files say so. gauss-3 on steps of this length is at rounding.
func TestEveryOptimizerIsAccountedFor(t *testing.T) {
	long(t)
	base := []string{"data.train=40", "data.query=5", "network.hidden=[10]", "training.steps=24", "training.optimizer.learning_rate=0.01",
		"training.checkpoints.every=7", "machines=[{name: exact, family: exact, rule: gauss-3}]"}
	networks := map[string][]string{
		"mlp": nil,
		"cnn": {"network.kind=cnn", "network.convs=[{filters: 3, kernel: 3, pool: average}]", "network.hidden=[]"},
	}
	const decay = "training.optimizer.weight_decay=0.1"
	sgd, adam := "training.optimizer.kind=sgd", "training.optimizer.kind=adam"
	batches, momentum := "training.batch_size=16", "training.optimizer.momentum=0.9"
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
		"adam":                  {[]string{adam, batches, "training.optimizer.learning_rate=0.003"}, 1e-9},
		"adam, decay, clipped":  {[]string{adam, decay, "training.clip_norm=0.2", "training.optimizer.amsgrad=true", "training.optimizer.learning_rate=0.003"}, 1e-9},
		"adamw":                 {[]string{"training.optimizer.kind=adamw", decay, batches, "training.optimizer.learning_rate=0.003"}, 1e-9},
		"rmsprop":               {[]string{"training.optimizer.kind=rmsprop", momentum, decay, batches, "training.optimizer.learning_rate=0.0002"}, 1e-9},
		"adagrad":               {[]string{"training.optimizer.kind=adagrad", batches, "training.optimizer.learning_rate=0.003"}, 1e-9},
		"float32":               {[]string{adam, batches, "precision=float32"}, 1e-4},
		"logistic":              {[]string{adam, batches, "data.classes=[3,8]", "loss.kind=logistic"}, 1e-9},
	} {
		for network, layers := range networks {
			t.Run(name+"/"+network, func(t *testing.T) {
				r := mustExecute(t, "name: t\n", slices.Concat(base, layers, test.overrides)...)
				figures, _ := r.Summary.Machines.Get("exact")
				if e := float64(figures.RelativeError); !(e <= test.tolerance) || e == 0 {
					t.Errorf("relative error %.2g, want at most %.2g", e, test.tolerance)
				}
				report, err := Verify(r.Path)
				must(t, err)
				if !report.OK() {
					t.Errorf("%+v", report.failed())
				}
				var regularization float64
				for _, r := range readArray[float64](t, r.Path, "exact/regularization") {
					regularization += r * r
				}
				if decays := strings.Contains(strings.Join(test.overrides, " "), decay); decays != (regularization > 0) {
					t.Errorf("weight decay %v, R has the square %g", decays, regularization)
				}
			})
		}
	}
}
