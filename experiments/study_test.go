package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pkm/training"
)

// smallStudy is a smooth network that converges at the largest learning rate already.
const smallStudy = `
name: small
data: {train: 40, query: 7}
network: {hidden: [8, 8], activation: tanh}
training: {steps: 10, optimizer: {learning_rate: 0.05}}
machines: [{name: mine, family: exact, rule: gauss-2}]
figures: false
`

// parseStudy returns a study of smallStudy with n halvings.
func parseStudy(t *testing.T, n int, rules []string, overrides ...string) *Study {
	t.Helper()
	c, err := Parse("t", []byte(smallStudy), "yaml", overrides, nil)
	if err != nil {
		t.Fatal(err)
	}
	factors, err := Halvings(n)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStudy(c, factors, rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runStudy runs a study in a folder of its own.
func runStudy(t *testing.T, s *Study) *Convergence {
	t.Helper()
	c, err := s.Run(context.Background(), StudyOptions{Dir: filepath.Join(t.TempDir(), "study"), Engine: gonum(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// slopes checks the fitted slopes of machines by name. A study of three learning rates is off by the next
// term of the error, which is an order (of gauss-K and the trapezoid rule, two) higher, and is largest where the orders are.
func slopes(t *testing.T, c *Convergence, want map[string]float64, tolerance float64) {
	t.Helper()
	for _, m := range c.Machines {
		slope, listed := want[m.Name]
		if !listed || !(math.Abs(float64(m.Slope)-slope) <= tolerance*slope) || float64(m.Order) != slope {
			t.Errorf("%s: slope %.3f of %d points, expected order %d; want %g ± %g", m.Name, float64(m.Slope), m.Fitted, m.Order, slope, tolerance*slope)
		}
	}
	if len(c.Machines) != len(want) {
		t.Errorf("%d machines, want %d", len(c.Machines), len(want))
	}
}

// The orders of README.md, of all usual rules and a machine of the configuration.
func TestStudyOrders(t *testing.T) {
	c := runStudy(t, parseStudy(t, 2, nil))
	slopes(t, c, map[string]float64{"mine": 4, "left": 1, "trapezoid": 2, "midpoint-1": 2, "gauss-3": 6, "flow-left": 1, "flow-trapezoid": 1}, 0.1)
	for k, l := range c.Levels {
		if steps := 10 << k; l.Steps != steps || !alike(float64(l.LearningRate)*float64(steps), 0.5) || l.Run != fmt.Sprintf("eta-%g", 0.05/float64(int(1)<<k)) {
			t.Errorf("level %d is %+v", k, l)
		}
	}
	if c.Product != 0.5 || c.Machines[0].Rule != "gauss-2" {
		t.Errorf("η·S is %g, the first machine %s", float64(c.Product), c.Machines[0].Rule)
	}
}

// On steps of the gradient flow both rules are of their own orders.
func TestStudyOfFlow(t *testing.T) {
	s := parseStudy(t, 2, nil, "machines=[]", "path_kernel=none", "training.steps=1000", "~training.optimizer.learning_rate", "training.optimizer={kind: flow, time: 2, fixed_step: 0.2}")
	c := runStudy(t, s)
	slopes(t, c, map[string]float64{"flow-left": 1, "flow-trapezoid": 2}, 0.1)
	if l := c.Levels[2]; l.Steps != 40 || l.Run != "step-0.05" || c.Product != 2 || c.Quantity != "fixed step" {
		t.Errorf("the last level is %+v, the time %g", l, float64(c.Product))
	}
}

// Momentum, averages of the gradient and decay of the weights leave the orders as they are; of Adam, whose
// steps are long, the coarsest learning rate is further from the limit.
func TestStudyOfOptimizers(t *testing.T) {
	if testing.Short() {
		t.Skip("several studies")
	}
	for name, overrides := range map[string][]string{
		"momentum": {"training.optimizer={kind: sgd, momentum: 0.5, weight_decay: 0.01, learning_rate: 0.02}", "training.steps=40"},
		"adamw":    {"training.optimizer={kind: adamw, learning_rate: 0.002}", "training.steps=20"},
		"cosine":   {"training.schedule={kind: cosine, minimum: 0.01}", "training.steps=20"},
		"batches":  {"training.batch_size=10", "training.steps=20"},
	} {
		t.Run(name, func(t *testing.T) {
			c := runStudy(t, parseStudy(t, 2, []string{"left", "trapezoid", "gauss-2"}, overrides...))
			slopes(t, c, map[string]float64{"left": 1, "trapezoid": 2, "gauss-2": 4}, 0.15)
		})
	}
}

// The kinks of ReLU take rules of orders 2 and 4 down to about 1.
func TestStudyOfKinks(t *testing.T) {
	if testing.Short() {
		t.Skip("another study")
	}
	c := runStudy(t, parseStudy(t, 2, []string{"trapezoid", "gauss-2", "flow/trapezoid"}, "network.activation=relu", "network.hidden=[32, 32]", "training.steps=20"))
	for _, m := range c.Machines {
		if slope := float64(m.Slope); !(slope > 0.5 && slope < 1.5) || m.Fitted != 3 {
			t.Errorf("%s: slope %.2f of %d points, want about 1 of all 3", m.Name, slope, m.Fitted)
		}
	}
}

// What has no part in the errors is not computed again and again.
func TestStudyLeavesOut(t *testing.T) {
	s := parseStudy(t, 1, nil, "baselines=[{kind: linearized}]", "analysis.every=2", "decompose.layers=true", "bound={kind: loss-path-kernel}")
	for _, l := range s.Levels {
		if c := l.Config; len(c.Baselines) > 0 || c.Analysis.Every > 0 || c.Decompose.Layers || c.Bound.Kind != "none" || c.PathKernel != "none" {
			t.Errorf("at %v of the learning rate: %+v", l.Factor, c)
		}
	}
}

// At twice the steps and half the learning rate, the rate at the same η·s is the same share of the highest.
func TestStudyStretchesTheSchedule(t *testing.T) {
	for schedule, tolerance := range map[string]float64{
		"{kind: constant}": 0, "{kind: step, step_size: 4, gamma: 0.5}": 0, "{kind: exponential, gamma: 0.8}": 1e-15,
		"{kind: cosine, minimum: 0.02}": 1e-15, "{kind: cosine, t_max: 6}": 1e-15, "{kind: linear-warmup, total_iters: 7}": 1e-15,
		"{kind: one-cycle}": 0.02, // whose phases end a step early, which is another share of more steps
	} {
		s := parseStudy(t, 1, nil, "training.schedule="+schedule, "training.steps=40")
		coarse, fine := rates(t, s.Levels[0].Config), rates(t, s.Levels[1].Config)
		for k, rate := range coarse {
			if math.Abs(fine[2*k]-rate/2) > tolerance {
				t.Errorf("%s: the rate of step %d is %g, that of %d at half the learning rate %g", schedule, k, rate, 2*k, fine[2*k])
			}
		}
	}
}

// rates returns the learning rates of all steps.
func rates(t *testing.T, c *Config) []float64 {
	t.Helper()
	schedule, err := training.NewSchedule(c.Training.ScheduleOptions(), c.Training.Optimizer.LearningRate, c.Training.Steps)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]float64, c.Training.Steps)
	for s := range all {
		all[s] = schedule.Rate(s)
	}
	return all
}

// A third of a decimal number is the decimal number, and the order of the factors does not matter.
func TestStudyFactors(t *testing.T) {
	c, err := Parse("t", []byte(smallStudy), "yaml", []string{"training.optimizer.learning_rate=0.3"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	factors, err := ParseFactors([]string{"1/3", " 1", "0.5", "2", "1/2"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewStudy(c, factors[1:4], nil); err != nil {
		t.Error(err)
	}
	c.Training.Steps = 12
	s, err := NewStudy(c, factors, []string{"left"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range s.Levels {
		got = append(got, fmt.Sprintf("%s: %d", l.folder(), l.Config.Training.Steps))
	}
	if want := []string{"eta-0.6: 6", "eta-0.3: 12", "eta-0.15: 24", "eta-0.1: 36"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if c.Training.Steps != 12 || len(c.Machines) != 1 || c.PathKernel != "trace" {
		t.Error("the study has changed the configuration that it was made of")
	}
}

// Each refusal says which key or option it is about, and what to do.
func TestStudyRefusals(t *testing.T) {
	halves := []string{"1", "1/2"}
	flow := func(keys string) []string {
		return []string{"~training.optimizer.learning_rate", "training.optimizer={kind: flow, time: 1" + keys + "}", "machines=[]", "path_kernel=none"}
	}
	for _, test := range []struct {
		want             string
		factors, rules   []string
		overrides, after []string // after: of the message, too
	}{
		{"training.stop: ends runs at different η·S", halves, nil, []string{"training.stop.loss=0.1"}, []string{"~training.stop"}},
		{"training.stop: ends runs", halves, nil, []string{"training.stop.gradient_norm=0.1"}, nil},
		{"training.optimizer.kind: adagrad divides by a sum over all steps", halves, nil, []string{"training.optimizer={kind: adagrad, learning_rate: 0.1}"}, []string{"allowed: sgd, adam"}},
		{"training.optimizer.fixed_step: the length of the flow's steps follows its tolerances", halves, nil, flow(""), []string{"set a fixed_step"}},
		{"training.optimizer.fixed_step: the time 1 is no whole number of steps of 0.3", halves, nil, flow(", fixed_step: 0.3"), []string{"divides the time"}},
		{"factors: found 1, at least two", []string{"1", "1.0"}, nil, nil, nil},
		{`factors: found "0"`, []string{"1", "0"}, nil, nil, []string{"positive numbers such as 1, 1/2, 0.25"}},
		{`factors: found "1e9"`, []string{"1", "1e9"}, nil, nil, nil},
		{`factors: found "half"`, []string{"1", "half"}, nil, nil, nil},
		{"training.steps: 10 at 3/4 of the learning rate would be 13.33", []string{"1", "3/4"}, nil, nil, []string{"whole number"}},
		{"training.steps: 10 at 4 of the learning rate would be 2.50", []string{"1", "4"}, nil, nil, nil},
		{"training.schedule.step_size: 3 at 2 of the learning rate would be 1.50", []string{"1", "2"}, nil, []string{"training.schedule={kind: step, step_size: 3}"}, nil},
		{"at 1/200000000 of the learning rate: training.steps: found 2000000000", []string{"1", "1/200000000"}, nil, nil, nil},
		{`rules: found "adaptive": its error is set by its tolerance`, halves, []string{"adaptive"}, nil, []string{"rules with an order"}},
		{`rules: found "trapezium": not a rule of family exact; did you mean trapezoid?`, halves, []string{"left", "trapezium"}, nil, []string{"gauss-K"}},
		{`rules: found "gauss-65": not a rule of family exact; allowed`, halves, []string{"gauss-65"}, nil, nil},
		{`rules: found "flow/gauss-2": not a rule of family flow`, halves, []string{"flow/gauss-2"}, nil, []string{"allowed: left, trapezoid"}},
		{`rules: found "exat/left": no family is named "exat"`, halves, []string{"exat/left"}, nil, []string{"exact, flow"}},
		{`rules: found "": not a rule`, halves, []string{""}, nil, nil},
		{"rules: found flow/left, but no machine of family flow accounts for the steps of adam", halves, []string{"flow/left"}, []string{"training.optimizer={kind: adam, learning_rate: 0.1}"}, nil},
		{"rules: found exact/left, but no machine of family exact accounts for the steps of flow", halves, []string{"left"}, flow(", fixed_step: 0.5"), nil},
	} {
		c, err := Parse("t", []byte(smallStudy), "yaml", test.overrides, nil)
		if err != nil {
			t.Fatalf("%s: %v", test.want, err)
		}
		factors, err := ParseFactors(test.factors)
		if err == nil {
			_, err = NewStudy(c, factors, test.rules)
		}
		var study *StudyError
		var config *ConfigError
		if !errors.As(err, &study) && !errors.As(err, &config) {
			t.Errorf("%s: error %v", test.want, err)
			continue
		}
		for _, want := range append(test.after, "convergence study: ", test.want) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	}
	for _, n := range []int{-1, 0, 31} {
		if _, err := Halvings(n); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("halvings: found %d, allowed: from 1 to 30", n)) {
			t.Errorf("%d halvings: %v", n, err)
		}
	}
	s := parseStudy(t, 1, []string{"left"})
	dir := filepath.Join(t.TempDir(), "study")
	if _, err := s.Run(context.Background(), StudyOptions{Dir: dir, Error: "rmse"}); err == nil || !strings.Contains(err.Error(), `error: found "rmse", allowed: relative_error, max_abs_error`) {
		t.Errorf("another error: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a study that is refused has left a folder")
	}
}

// A machine whose error does not depend on the learning rate is left out, and said to be.
func TestStudyDropsAdaptiveMachines(t *testing.T) {
	s := parseStudy(t, 1, nil, "+machines={name: left, family: exact, rule: adaptive}")
	if !slices.Equal(s.Dropped, []string{"left"}) || slices.ContainsFunc(s.Machines, func(m Machine) bool { return m.Rule == adaptiveRule }) {
		t.Errorf("left out are %q of %v", s.Dropped, s.Machines)
	}
	// A name that is taken by another machine is not given again.
	s = parseStudy(t, 1, nil, "+machines={name: LEFT, family: exact, rule: gauss-4}")
	if i := slices.IndexFunc(s.Machines, func(m Machine) bool { return m.Rule == "left" && m.Family == "exact" }); s.Machines[i].Name != "exact-left" {
		t.Errorf("the machine of the left rule is called %s beside LEFT", s.Machines[i].Name)
	}
}

// A run that diverges has no errors, and the slopes are those of the others. Where all diverge, that is an error.
func TestStudyOfDivergedRuns(t *testing.T) {
	c, err := Parse("t", []byte(smallStudy), "yaml", []string{"training.loss_limit=1", "training.optimizer.learning_rate=5", "training.steps=2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStudy(c, []*big.Rat{big.NewRat(1, 1), big.NewRat(1, 50), big.NewRat(1, 100)}, []string{"left", "trapezoid"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "study")
	found, err := s.Run(context.Background(), StudyOptions{Dir: dir, Engine: gonum(t)})
	if err != nil {
		t.Fatal(err)
	}
	if l := found.Levels[0]; l.Outcome != Diverged || l.Reason == "" {
		t.Fatalf("the first run is %+v", l)
	}
	if m := found.Machines[0]; m.Fitted != 2 || !math.IsNaN(float64(m.Points[0].RelativeError)) || math.Abs(float64(m.Slope)-1) > 0.3 { // far from the limit
		t.Errorf("machine left: %+v", m)
	}
	s.Levels = s.Levels[:1] // its run is taken as it is
	found, err = s.Run(context.Background(), StudyOptions{Dir: dir, Engine: gonum(t), Progress: func(Progress) { t.Error("a run that has diverged was run again") }})
	if err == nil || !strings.Contains(err.Error(), "every run diverged") || found == nil {
		t.Errorf("error %v of a study in which every run diverged", err)
	}
}
