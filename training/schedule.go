package training

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The schedules by their names in a configuration.
const (
	ConstantName     = "constant"
	StepName         = "step"
	ExponentialName  = "exponential"
	CosineName       = "cosine"
	LinearWarmupName = "linear-warmup"
	OneCycleName     = "one-cycle"
)

// Schedules returns the names of all schedules.
func Schedules() []string {
	return []string{ConstantName, StepName, ExponentialName, CosineName, LinearWarmupName, OneCycleName}
}

// Schedule gives the learning rate of a step. It has no state.
type Schedule interface {
	// Rate returns η_s for s ≥ 0, also beyond the last step of the run.
	Rate(step int) float64
}

// ScheduleOptions choose a schedule. Their meaning is that of
// torch.optim.lr_scheduler, in closed form; values are taken as they are, see
// DefaultScheduleOptions. An option that the kind does not have must be left at zero.
// With the rate η and the number of steps S of the run:
//
//	constant       η
//	step           η·Gamma^⌊s/StepSize⌋                                       StepLR
//	exponential    η·Gamma^s                                                  ExponentialLR
//	cosine         Minimum + (η−Minimum)(1+cos(πs/TMax))/2                    CosineAnnealingLR
//	linear-warmup  η(StartFactor + (1−StartFactor)·min(1, s/TotalIters))      LinearLR
//	one-cycle      from η/DivFactor up to η at step PctStart·S−1, then down   OneCycleLR
//	               to η/(DivFactor·FinalDivFactor) at step S−1, both along
//	               half a cosine; later steps stay there
//
// The cosine rises again after TMax. One cycle leaves the momentum alone
// (cycle_momentum=False).
type ScheduleOptions struct {
	Kind           string  // one of Schedules
	StepSize       int     // step: ≥ 1
	Gamma          float64 // step, exponential: > 0
	TMax           int     // cosine: ≥ 1; 0: S
	Minimum        float64 // cosine: the lowest rate, in [0, η]
	StartFactor    float64 // linear-warmup: in (0, 1]
	TotalIters     int     // linear-warmup: ≥ 1
	PctStart       float64 // one-cycle: the share of steps before the top, in [0, 1]
	DivFactor      float64 // one-cycle: > 0
	FinalDivFactor float64 // one-cycle: > 0
}

// DefaultScheduleOptions returns PyTorch's defaults for the kind. Those that PyTorch
// asks for, StepSize and the Gamma of exponential, have none.
func DefaultScheduleOptions(kind string) ScheduleOptions {
	o := ScheduleOptions{Kind: kind}
	switch kind {
	case StepName:
		o.Gamma = 0.1
	case LinearWarmupName:
		o.StartFactor, o.TotalIters = 1.0/3, 5
	case OneCycleName:
		o.PctStart, o.DivFactor, o.FinalDivFactor = 0.3, 25, 1e4
	}
	return o
}

// NewSchedule returns the schedule of o for a run of S = steps steps with the rate
// η = rate, the highest one but for a Gamma above 1. Errors name the option, its
// value and what is allowed.
func NewSchedule(o ScheduleOptions, rate float64, steps int) (Schedule, error) {
	if err := o.check(rate, steps); err != nil {
		return nil, err
	}
	if o.TMax == 0 {
		o.TMax = steps
	}
	return schedule{o, rate, steps}, nil
}

type schedule struct {
	ScheduleOptions
	rate  float64
	steps int
}

// Rate implements Schedule.
func (c schedule) Rate(step int) float64 {
	s := float64(step)
	switch c.Kind {
	case StepName:
		return c.rate * math.Pow(c.Gamma, float64(step/c.StepSize))
	case ExponentialName:
		return c.rate * math.Pow(c.Gamma, s)
	case CosineName:
		return halfCosine(c.rate, c.Minimum, s/float64(c.TMax))
	case LinearWarmupName:
		return c.rate * (c.StartFactor + (1-c.StartFactor)*min(1, s/float64(c.TotalIters)))
	case OneCycleName:
		return c.cycle(min(s, float64(c.steps-1)))
	}
	return c.rate
}

// cycle is the rate of OneCycleLR (Smith & Topin, "Super-Convergence", 2017) with two
// phases, at step s ≤ S−1.
func (c schedule) cycle(s float64) float64 {
	low, top, last := c.rate/c.DivFactor, c.PctStart*float64(c.steps)-1, float64(c.steps-1)
	switch {
	case s <= top && top > 0:
		return halfCosine(low, c.rate, s/top)
	case last > top:
		return halfCosine(c.rate, low/c.FinalDivFactor, (s-top)/(last-top))
	}
	return c.rate // a rise of no length, at its end
}

// halfCosine goes from start at 0 to end at 1.
func halfCosine(start, end, share float64) float64 {
	return end + (start-end)/2*(1+math.Cos(math.Pi*share))
}

// check refuses what gives no rate.
func (o ScheduleOptions) check(rate float64, steps int) error {
	switch {
	case !slices.Contains(Schedules(), o.Kind):
		return fmt.Errorf("training: no schedule is named %q; there are %s", o.Kind, strings.Join(Schedules(), ", "))
	case !(rate > 0) || math.IsInf(rate, 0):
		return fmt.Errorf("training: schedule %q: found learning rate %g, it has to be positive and finite", o.Kind, rate)
	case steps < 1:
		return fmt.Errorf("training: schedule %q: found %d steps, at least 1 is needed", o.Kind, steps)
	}
	var own []string
	list := o.list(rate)
	for _, p := range list {
		if slices.Contains(p.kinds, o.Kind) {
			own = append(own, p.name)
		}
	}
	for _, p := range list {
		switch has := slices.Contains(p.kinds, o.Kind); {
		case !has && p.value != 0:
			return fmt.Errorf("training: schedule %q: found %s, which it does not have; its options are [%s]", o.Kind, p.name, strings.Join(own, ", "))
		case has && !p.valid:
			return fmt.Errorf("training: schedule %q: found %s %g, it has to be %s", o.Kind, p.name, p.value, p.allowed)
		}
	}
	return nil
}

func (o ScheduleOptions) list(rate float64) []option {
	positive := func(name string, v float64, kinds ...string) option {
		return option{name, v, "positive and finite", v > 0 && !math.IsInf(v, 0), kinds}
	}
	count := func(name string, v, least int, kinds ...string) option {
		return option{name, float64(v), fmt.Sprintf("at least %d", least), v >= least, kinds}
	}
	return []option{
		count("step_size", o.StepSize, 1, StepName),
		positive("gamma", o.Gamma, StepName, ExponentialName),
		count("t_max", o.TMax, 0, CosineName),
		{"minimum", o.Minimum, fmt.Sprintf("in [0, %g], up to the learning rate", rate), o.Minimum >= 0 && o.Minimum <= rate, []string{CosineName}},
		{"start_factor", o.StartFactor, "in (0, 1]", o.StartFactor > 0 && o.StartFactor <= 1, []string{LinearWarmupName}},
		count("total_iters", o.TotalIters, 1, LinearWarmupName),
		{"pct_start", o.PctStart, "in [0, 1]", o.PctStart >= 0 && o.PctStart <= 1, []string{OneCycleName}},
		positive("div_factor", o.DivFactor, OneCycleName),
		positive("final_div_factor", o.FinalDivFactor, OneCycleName),
	}
}
