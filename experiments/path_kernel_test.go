package experiments

import (
	"slices"
	"testing"
)

// The path kernel of an adaptive machine is refined with its contributions under plain descent. Under other optimizers, whose
// account comes after training, it is that of gauss-3, to the bit, while the contributions are refined.
func TestPathKernelOfAnAdaptiveMachine(t *testing.T) {
	for optimizer, same := range map[string]bool{"training.optimizer.momentum=0": false, "training.optimizer.momentum=0.9": true, "training.optimizer.kind=adam": true} {
		r := mustExecute(t, "name: t\n", "data.train=30", "data.query=6", "network.hidden=[8]", "network.activation=relu", "training.steps=8", "training.optimizer.learning_rate=0.1", optimizer,
			"path_kernel=trace", "machines=[{name: adaptive, family: exact, rule: adaptive}, {name: gauss, family: exact, rule: gauss-3}]")
		if c := r.Summary.Machines[0].Figures.Certificate; c.Refined == 0 {
			t.Errorf("%s: nothing was refined: the test tests nothing", optimizer)
		}
		equal := func(name string) bool {
			return slices.Equal(readArray[float64](t, r.Path, "adaptive/"+name), readArray[float64](t, r.Path, "gauss/"+name))
		}
		if equal("path_kernel") != same || equal("contributions") {
			t.Errorf("%s: path kernels are equal: %v, contributions: %v", optimizer, equal("path_kernel"), equal("contributions"))
		}
	}
}
