package experiments

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"pkm/pathkernel"
)

// Study is a convergence study: one experiment at several learning rates η, with as many steps S as keep
// η·S, and several machines in each of its runs. Of a gradient flow with steps of fixed length, the length of the steps
// takes the place of η, and the time that of η·S.
type Study struct {
	Name     string
	Machines []Machine
	Levels   []StudyLevel // the largest learning rate first
	// Dropped are the machines of the configuration that are not in the study, as their error
	// does not depend on the learning rate.
	Dropped []string
}

// StudyLevel is one run of a study.
type StudyLevel struct {
	Factor *big.Rat // of the learning rate of the configuration
	Config *Config
}

// Rate returns the learning rate of the level, or the length of the steps of a gradient flow.
func (l StudyLevel) Rate() float64 {
	o := &l.Config.Training.Optimizer
	if o.Kind == "flow" {
		return o.FixedStep
	}
	return o.LearningRate
}

// Quantity names what Rate returns: learning rate or fixed step.
func (l StudyLevel) Quantity() string {
	if l.Config.Training.Optimizer.Kind == "flow" {
		return "fixed step"
	}
	return "learning rate"
}

// folder returns the name of the level's run directory.
func (l StudyLevel) folder() string {
	if l.Config.Training.Optimizer.Kind == "flow" {
		return "step-" + decimal(l.Rate())
	}
	return "eta-" + decimal(l.Rate())
}

// StudyError reports a study that cannot be made of a configuration.
type StudyError struct {
	Key   string // of the configuration, or the option
	Fault string
}

func (e *StudyError) Error() string {
	return fmt.Sprintf("convergence study: %s: %s", e.Key, e.Fault)
}

// Halvings returns the factors 1, ½, ¼, …, of n halvings. The error is a *StudyError.
func Halvings(n int) ([]*big.Rat, error) {
	if n < 1 || n > 30 {
		return nil, &StudyError{Key: "halvings", Fault: fmt.Sprintf("found %d, allowed: from 1 to 30", n)}
	}
	factors := make([]*big.Rat, n+1)
	for i := range factors {
		factors[i] = big.NewRat(1, 1<<i)
	}
	return factors, nil
}

// ParseFactors reads factors of the learning rate, such as 1, 1/2 and 0.25. The error is a *StudyError.
func ParseFactors(texts []string) ([]*big.Rat, error) {
	var factors []*big.Rat
	for _, text := range texts {
		text = strings.TrimSpace(text)
		// An exponent could ask for a number that fills the memory.
		f, ok := new(big.Rat).SetString(text)
		if len(text) > 20 || strings.ContainsAny(text, "eEpPxX_") || !ok || f.Sign() <= 0 {
			return nil, &StudyError{Key: "factors", Fault: fmt.Sprintf("found %.30q, allowed: positive numbers such as 1, 1/2, 0.25, with commas between them", text)}
		}
		factors = append(factors, f)
	}
	return factors, nil
}

// NewStudy returns the study of a configuration at the given factors of its learning rate, with the
// machines of the given rules (see [StudyRules]); without rules, with the machines of the configuration
// and those of the usual rules of the families that account for its optimizer. What costs time and has no part in the
// errors is left out: the path kernel, baselines, analysis, decompose and bound.
//
// The schedule is stretched with the steps, so that the rate is the same share of the highest at the same η·s:
// step_size, t_max and total_iters grow, gamma of an exponential becomes its power, minimum a share. The rates of
// momentum and of averages (beta1, beta2, alpha) stay as they are. Refused is what gives no path of its own at fixed
// η·S: early stopping, adagrad, and a gradient flow whose steps follow its tolerances.
// The error is a *StudyError, or that of [Config.Validate].
func NewStudy(c *Config, factors []*big.Rat, rules []string) (*Study, error) {
	factors = slices.Clone(factors)
	slices.SortFunc(factors, func(a, b *big.Rat) int { return b.Cmp(a) })
	factors = slices.CompactFunc(factors, func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	if len(factors) < 2 {
		return nil, &StudyError{Key: "factors", Fault: fmt.Sprintf("found %d, at least two are needed for an order", len(factors))}
	}
	if err := studied(&c.Training); err != nil {
		return nil, err
	}
	s := &Study{Name: c.Name}
	var err error
	if len(rules) > 0 {
		s.Machines, err = StudyRules(rules)
	} else {
		s.Machines, s.Dropped = usualMachines(c)
	}
	if err != nil {
		return nil, err
	}
	for _, m := range s.Machines {
		if o := &c.Training.Optimizer; !o.suits(m.Family) {
			return nil, &StudyError{Key: "rules", Fault: fmt.Sprintf("found %s/%s, but no machine of family %s accounts for the steps of %s", m.Family, m.Rule, m.Family, o.describe())}
		}
	}
	for _, f := range factors {
		scaled, err := scaledConfig(c, f)
		if err != nil {
			return nil, err
		}
		scaled.Machines, scaled.PathKernel = s.Machines, "none"
		scaled.Baselines, scaled.Analysis, scaled.Decompose = nil, Analysis{}, Decompose{}
		scaled.Bound = Bound{Kind: "none", Confidence: 0.95}
		check := newChecker()
		check.withoutData = true // which are the same at every level
		check.validate(scaled, nil)
		if err := check.err(); err != nil {
			return nil, fmt.Errorf("convergence study: at %s of the learning rate: %w", f.RatString(), err)
		}
		s.Levels = append(s.Levels, StudyLevel{Factor: f, Config: scaled})
	}
	return s, nil
}

// studied refuses what has no order in the learning rate.
func studied(t *Training) error {
	refuse := func(key, fault string) error { return &StudyError{Key: "training." + key, Fault: fault} }
	switch o := &t.Optimizer; {
	case t.Stop.Loss > 0 || t.Stop.GradientNorm > 0:
		return refuse("stop", "ends runs at different η·S, which the study keeps; take it away with ~training.stop")
	case o.Kind == "adagrad":
		return refuse("optimizer.kind", "adagrad divides by a sum over all steps, so that at a fixed η·S its path becomes shorter with the learning rate; allowed: sgd, adam, adamw, rmsprop, and flow with a fixed_step")
	case o.Kind == "flow" && o.FixedStep == 0:
		return refuse("optimizer.fixed_step", "the length of the flow's steps follows its tolerances, so that there is nothing to halve; set a fixed_step, which is halved then")
	case o.Kind == "flow" && math.Abs(math.Round(o.Time/o.FixedStep)*o.FixedStep/o.Time-1) > 1e-9:
		return refuse("optimizer.fixed_step", fmt.Sprintf("the time %g is no whole number of steps of %g, so that they would be cut and not halved; choose one that divides the time", o.Time, o.FixedStep))
	}
	return nil
}

// scaledConfig returns c at f times its learning rate and 1/f times its steps.
func scaledConfig(c *Config, f *big.Rat) (*Config, error) {
	out := *c
	t := &out.Training
	o, s := &t.Optimizer, &t.Schedule
	type count struct {
		key   string
		value *int
	}
	counts, rates := []count{{"training.steps", &t.Steps}}, []*float64{&o.LearningRate}
	switch {
	case o.Kind == "flow":
		t.Steps = int(math.Round(o.Time / o.FixedStep)) // of which training.steps is only a limit
		rates = []*float64{&o.FixedStep}
	case s.Kind == "step":
		counts = append(counts, count{"training.schedule.step_size", &s.StepSize})
	case s.Kind == "exponential": // γ^s at the same η·s
		x, _ := f.Float64()
		s.Gamma = math.Pow(s.Gamma, x)
	case s.Kind == "cosine":
		counts = append(counts, count{"training.schedule.t_max", &s.TMax})
		rates = append(rates, &s.Minimum)
	case s.Kind == "linear-warmup":
		counts = append(counts, count{"training.schedule.total_iters", &s.TotalIters})
	}
	for _, n := range counts {
		whole := new(big.Rat).Quo(new(big.Rat).SetInt64(int64(*n.value)), f)
		if !whole.IsInt() || !whole.Num().IsInt64() {
			return nil, &StudyError{Key: n.key, Fault: fmt.Sprintf("%d at %s of the learning rate would be %s; choose factors that leave it a whole number", *n.value, f.RatString(), whole.FloatString(2))}
		}
		*n.value = int(whole.Num().Int64())
	}
	for _, rate := range rates {
		exact, ok := new(big.Rat).SetString(decimal(*rate)) // so that a third of 0.3 is 0.1
		if !ok {
			return nil, &StudyError{Key: "training", Fault: fmt.Sprintf("%g is no rate", *rate)}
		}
		*rate, _ = exact.Mul(exact, f).Float64()
	}
	return &out, nil
}

// order returns how the error of a machine is expected to fall on a smooth network: as which power of the learning rate.
func (s *Study) order(m Machine) int {
	flow := s.Levels[0].Config.Training.Optimizer.Kind == "flow"
	if m.Family == pathkernel.FlowFamily && !flow {
		return 1 // descent leaves the flow by O(η), whatever the rule
	}
	rule, err := pathkernel.ParseRule(m.Rule)
	if err != nil {
		return 0 // which the configuration has refused
	}
	return rule.Order
}
