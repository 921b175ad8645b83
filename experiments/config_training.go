package experiments

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pkm/training"
)

// training records what is impossible in how the weights move.
func (v *validator) training(c *Config) {
	t := &c.Training
	o, path := &t.Optimizer, "training.optimizer."
	if t.LossLimit > 0 && t.LossLimit < 1 {
		v.fail("training.loss_limit", ConfigError{Found: decimal(t.LossLimit), Fault: "which the initial loss exceeds", Allowed: "0 (no limit), or a number of at least 1"})
	}
	if t.BatchSize > c.Data.Train && !v.faulty["data.train"] {
		v.fail("training.batch_size", ConfigError{Found: strconv.Itoa(t.BatchSize), Fault: fmt.Sprintf("more than the %d training samples", c.Data.Train), Allowed: "a whole number, at least 0 (0: every sample of data.train) and at most data.train"})
	}
	if o.Nesterov && o.Momentum == 0 {
		v.fail(path+"nesterov", ConfigError{Found: "true", Fault: "while " + path + "momentum is 0", Allowed: "nesterov only with a momentum above 0"})
	}
	if o.Nesterov && o.Dampening != 0 {
		v.fail(path+"dampening", ConfigError{Found: decimal(o.Dampening), Fault: "while " + path + "nesterov is true", Allowed: "0 with nesterov"})
	}
	if t.Schedule.Kind == "step" && t.Schedule.StepSize == 0 {
		v.fail("training.schedule.step_size", ConfigError{Fault: "missing", Allowed: "a whole number, at least 1: after so many steps the rate is multiplied by gamma"})
	}
	if t.Schedule.Kind == "cosine" && t.Schedule.Minimum > o.LearningRate {
		v.fail("training.schedule.minimum", ConfigError{Found: decimal(t.Schedule.Minimum), Fault: "above the learning rate", Allowed: "a number from 0 to training.optimizer.learning_rate"})
	}
	if o.Dampening != 0 && o.Momentum == 0 && o.Kind == "sgd" {
		v.fail(path+"dampening", ConfigError{Found: decimal(o.Dampening), Fault: "while " + path + "momentum is 0", Allowed: "0 without a momentum"})
	}
	if o.Kind == "flow" {
		v.gradientFlow(t)
		return
	}
	for at := range v.faulty {
		if at == "training" || strings.HasPrefix(at, "training.") {
			return
		}
	}
	// What else the optimizer and the schedule refuse themselves.
	if _, err := training.NewOptimizer[float64](t.Options(), 1); err != nil {
		v.fail("training.optimizer", ConfigError{Fault: err.Error(), Err: err})
	}
	schedule, err := training.NewSchedule(t.ScheduleOptions(), o.LearningRate, t.Steps)
	if err != nil {
		v.fail("training.schedule", ConfigError{Fault: err.Error(), Err: err})
		return
	}
	for _, step := range []int{0, t.Steps - 1} {
		if rate := schedule.Rate(step); !(rate >= 0) || math.IsInf(rate, 0) {
			v.fail("training.schedule", ConfigError{Found: decimal(rate), Fault: fmt.Sprintf("as the learning rate of step %d", step), Allowed: "finite rates that are not negative"})
		}
	}
}

// gradientFlow records what a gradient flow cannot have.
func (v *validator) gradientFlow(t *Training) {
	const kind = "while training.optimizer.kind is flow"
	if t.Optimizer.Time == 0 {
		v.fail("training.optimizer.time", ConfigError{Fault: "missing", Allowed: "a finite number above 0: the time at which the path ends"})
	}
	if t.BatchSize != 0 {
		v.fail("training.batch_size", ConfigError{Found: strconv.Itoa(t.BatchSize), Fault: kind, Allowed: "0: the flow is that of all samples"})
	}
	if t.ClipNorm != 0 {
		v.fail("training.clip_norm", ConfigError{Found: decimal(t.ClipNorm), Fault: kind, Allowed: "0"})
	}
	if t.Schedule.Kind != "constant" {
		v.fail("training.schedule.kind", ConfigError{Found: t.Schedule.Kind, Fault: kind, Allowed: "constant: the flow chooses its steps by its tolerances"})
	}
	if h := t.Optimizer.FixedStep; h > 0 && math.Ceil(t.Optimizer.Time/h-1e-9) > float64(t.Steps) {
		v.fail("training.steps", ConfigError{Found: strconv.Itoa(t.Steps), Fault: fmt.Sprintf("fewer than the %.0f fixed steps to time %g", math.Ceil(t.Optimizer.Time/h-1e-9), t.Optimizer.Time), Allowed: "as many steps or more"})
	}
	if t.Optimizer.FixedStep > 0 && t.Optimizer.MaxStep > 0 {
		v.fail("training.optimizer.max_step", ConfigError{Found: decimal(t.Optimizer.MaxStep), Fault: "while training.optimizer.fixed_step is " + decimal(t.Optimizer.FixedStep), Allowed: "0 with a fixed step"})
	}
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// Options returns what the configuration asks of an optimizer, for every kind but flow.
func (t *Training) Options() training.Options {
	o := &t.Optimizer
	options := training.Options{Kind: o.Kind, WeightDecay: o.WeightDecay, Decoupled: o.Decoupled, ClipNorm: t.ClipNorm}
	has := func(kinds ...string) bool { return slices.Contains(kinds, o.Kind) }
	if has("sgd", "rmsprop") {
		options.Momentum = o.Momentum
	}
	if has("sgd") {
		options.Dampening, options.Nesterov = o.Dampening, o.Nesterov
	}
	if has("adam", "adamw") {
		options.Beta1, options.Beta2, options.AMSGrad = o.Beta1, o.Beta2, o.AMSGrad
	}
	if has("adamw") {
		options.Decoupled = true
	}
	if has("rmsprop") {
		options.Alpha, options.Centered = o.Alpha, o.Centered
	}
	if has("adagrad") {
		options.InitialAccumulator, options.LearningRateDecay = o.InitialAccumulator, o.LearningRateDecay
	}
	if !has("sgd") {
		options.Epsilon = o.Epsilon
	}
	return options
}

// plain reports whether the steps are −η·ḡ, but for clipping, or those of the gradient
// flow: what machines account for while training goes on, without a trajectory.
func (o *Optimizer) plain() bool {
	return o.Kind == "flow" || o.Kind == "sgd" && o.Momentum == 0 && o.WeightDecay == 0
}

// ScheduleOptions returns what the configuration asks of a schedule.
func (t *Training) ScheduleOptions() training.ScheduleOptions {
	s := &t.Schedule
	options := training.ScheduleOptions{Kind: s.Kind}
	switch s.Kind {
	case "step":
		options.StepSize, options.Gamma = s.StepSize, s.Gamma
	case "exponential":
		options.Gamma = s.Gamma
	case "cosine":
		options.TMax, options.Minimum = s.TMax, s.Minimum
	case "linear-warmup":
		options.StartFactor, options.TotalIters = s.StartFactor, s.TotalIters
	case "one-cycle":
		options.PctStart, options.DivFactor, options.FinalDivFactor = s.PctStart, s.DivFactor, s.FinalDivFactor
	}
	return options
}

// describe names an optimizer for a message.
func (o *Optimizer) describe() string {
	switch {
	case o.Kind != "sgd":
		return o.Kind
	case o.Momentum != 0:
		return "sgd with momentum"
	case o.WeightDecay != 0:
		return "sgd with weight decay"
	}
	return "sgd"
}

// suits reports whether machines of a family account for the optimizer's steps. The
// default machines are those that do.
func (o *Optimizer) suits(family string) bool {
	if family == "flow" {
		return o.plain()
	}
	return o.Kind != "flow"
}
