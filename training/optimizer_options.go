package training

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The optimizers by their names in a configuration.
const (
	SGDName     = "sgd"
	AdamName    = "adam"
	AdamWName   = "adamw"
	RMSpropName = "rmsprop"
	AdagradName = "adagrad"
)

// Optimizers returns the names of all optimizers.
func Optimizers() []string {
	return []string{SGDName, AdamName, AdamWName, RMSpropName, AdagradName}
}

// Options choose an optimizer. Their meaning is that of torch.optim; values are
// taken as they are, see DefaultOptions. An option that the kind does not have must
// be left at zero.
type Options struct {
	Kind      string  // one of Optimizers
	Momentum  float64 // sgd, rmsprop: μ in [0, 1)
	Dampening float64 // sgd: in [0, 1]
	Nesterov  bool    // sgd: needs a momentum and no dampening
	Beta1     float64 // adam, adamw: β₁ in [0, 1)
	Beta2     float64 // adam, adamw: β₂ in [0, 1)
	Epsilon   float64 // all but sgd: ε ≥ 0. At 0 a weight without a gradient becomes NaN
	Alpha     float64 // rmsprop: α in [0, 1)
	Centered  bool    // rmsprop
	AMSGrad   bool    // adam, adamw

	// WeightDecay is λ ≥ 0. It enters the gradient, ĝ = ḡ + λw, or, where Decoupled
	// (always for adamw), shrinks the weights by 1−ηλ before the update.
	WeightDecay float64
	Decoupled   bool

	InitialAccumulator float64 // adagrad: ≥ 0
	LearningRateDecay  float64 // adagrad: ≥ 0
	ClipNorm           float64 // largest norm of ḡ over all weights; 0: no clipping
}

// DefaultOptions returns PyTorch's defaults for the kind.
func DefaultOptions(kind string) Options {
	o := Options{Kind: kind}
	switch kind {
	case AdamName, AdamWName:
		o.Beta1, o.Beta2, o.Epsilon = 0.9, 0.999, 1e-8
		if kind == AdamWName {
			o.WeightDecay, o.Decoupled = 1e-2, true
		}
	case RMSpropName:
		o.Alpha, o.Epsilon = 0.99, 1e-8
	case AdagradName:
		o.Epsilon = 1e-10
	}
	return o
}

func (o Options) decoupled() bool { return o.Decoupled || o.Kind == AdamWName }

// option is one field of Options: its name in a configuration, its value (1 for
// true), what is allowed and the kinds that have it (all where nil).
type option struct {
	name    string
	value   float64
	allowed string
	valid   bool
	kinds   []string
}

func (o Options) list() []option {
	const below1, positive = "in [0, 1)", "finite and not negative"
	number := func(name string, v float64, allowed string, kinds ...string) option {
		valid := v >= 0 && !math.IsInf(v, 1)
		switch allowed {
		case below1:
			valid = valid && v < 1
		case "in [0, 1]":
			valid = valid && v <= 1
		}
		return option{name, v, allowed, valid, kinds}
	}
	flag := func(name string, set bool, kinds ...string) option {
		v := 0.0
		if set {
			v = 1
		}
		return option{name, v, "", true, kinds}
	}
	return []option{
		number("momentum", o.Momentum, below1, SGDName, RMSpropName),
		number("dampening", o.Dampening, "in [0, 1]", SGDName),
		flag("nesterov", o.Nesterov, SGDName),
		number("beta1", o.Beta1, below1, AdamName, AdamWName),
		number("beta2", o.Beta2, below1, AdamName, AdamWName),
		number("epsilon", o.Epsilon, positive, AdamName, AdamWName, RMSpropName, AdagradName),
		number("alpha", o.Alpha, below1, RMSpropName),
		flag("centered", o.Centered, RMSpropName),
		flag("amsgrad", o.AMSGrad, AdamName, AdamWName),
		number("weight_decay", o.WeightDecay, positive),
		flag("decoupled", o.Decoupled),
		number("initial_accumulator", o.InitialAccumulator, positive, AdagradName),
		number("learning_rate_decay", o.LearningRateDecay, positive, AdagradName),
		number("clip_norm", o.ClipNorm, positive+" (0: no clipping)"),
	}
}

// check refuses what no update can be made from.
func (o Options) check() error {
	if !slices.Contains(Optimizers(), o.Kind) {
		return fmt.Errorf("training: no optimizer is named %q; there are %s", o.Kind, strings.Join(Optimizers(), ", "))
	}
	var own []string
	has := func(p option) bool { return p.kinds == nil || slices.Contains(p.kinds, o.Kind) }
	for _, p := range o.list() {
		if has(p) {
			own = append(own, p.name)
		}
	}
	for _, p := range o.list() {
		switch {
		case !has(p) && p.value != 0:
			return fmt.Errorf("training: optimizer %q: found %s, which it does not have; its options are %s", o.Kind, p.name, strings.Join(own, ", "))
		case !p.valid:
			return fmt.Errorf("training: optimizer %q: found %s %g, it has to be %s", o.Kind, p.name, p.value, p.allowed)
		}
	}
	if o.Nesterov && (o.Momentum == 0 || o.Dampening != 0) {
		return fmt.Errorf("training: optimizer %q: found nesterov with momentum %g and dampening %g; it needs a momentum above 0 and dampening 0", o.Kind, o.Momentum, o.Dampening)
	}
	if o.Dampening != 0 && o.Momentum == 0 {
		return fmt.Errorf("training: optimizer %q: found dampening %g without momentum, where it has no effect; set a momentum above 0 or dampening 0", o.Kind, o.Dampening)
	}
	return nil
}
