package experiments

import (
	"context"
	"testing"
)

// Whatever a run can be, a few steps of it can be taken: more windows than steps, flows of any time, runs
// that stop at once.
func TestEstimatesOfOddRuns(t *testing.T) {
	long(t)
	base := []string{"data.train=30", "data.query=4", "network.hidden=[6]", "path_kernel=none"}
	for name, overrides := range map[string][]string{
		"windows":       {"decompose={windows: 400}", "training.steps=400"},
		"epochs":        {"decompose={epochs: 1}", "training.batch_size=10"},
		"stops at once": {"training.stop={loss: 100}"},
		"flow":          {"training.optimizer={kind: flow, time: 3}", "training.steps=100", "machines=[{name: d, family: flow, rule: trapezoid}]"},
		"fixed steps":   {"training.optimizer={kind: flow, time: 3, fixed_step: 0.5}", "training.steps=100", "machines=[{name: d, family: flow, rule: trapezoid}]"},
		"baselines":     {"baselines=[{kind: linearized}]", "training.steps=40"},
		"one step":      {"training.steps=1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("t", []byte("name: t\n"), "yaml", append(base, overrides...), nil)
			must(t, err)
			e, err := c.Estimate(context.Background(), gonum(t))
			if err != nil || !(e.Total > 0) {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}
