package training

import (
	"math"
	"strings"
	"testing"
)

func TestOptionsRefuse(t *testing.T) {
	for _, test := range []struct {
		kind string
		edit func(*Options)
		want string
	}{
		{"lion", func(*Options) {}, `no optimizer is named "lion"; there are sgd, adam, adamw, rmsprop, adagrad`},
		{SGDName, func(o *Options) { o.Momentum = 1 }, "found momentum 1, it has to be in [0, 1)"},
		{SGDName, func(o *Options) { o.Momentum = math.NaN() }, "found momentum NaN"},
		{SGDName, func(o *Options) { o.Momentum, o.Dampening = 0.5, 1.5 }, "found dampening 1.5, it has to be in [0, 1]"},
		{SGDName, func(o *Options) { o.Dampening = 0.5 }, "without momentum"},
		{SGDName, func(o *Options) { o.Nesterov = true }, "needs a momentum above 0"},
		{SGDName, func(o *Options) { o.Nesterov, o.Momentum, o.Dampening = true, 0.5, 0.5 }, "dampening 0.5; it needs"},
		{SGDName, func(o *Options) { o.Beta1 = 0.9 }, "found beta1, which it does not have; its options are momentum, dampening, nesterov, weight_decay, decoupled, clip_norm"},
		{SGDName, func(o *Options) { o.WeightDecay = -1 }, "found weight_decay -1"},
		{SGDName, func(o *Options) { o.ClipNorm = math.Inf(1) }, "found clip_norm +Inf"},
		{AdamName, func(o *Options) { o.Beta1 = 1 }, "found beta1 1"},
		{AdamWName, func(o *Options) { o.Beta2 = -0.1 }, "found beta2 -0.1"},
		{AdamName, func(o *Options) { o.Epsilon = -1 }, "found epsilon -1"},
		{AdamName, func(o *Options) { o.Nesterov = true }, "found nesterov, which it does not have"},
		{RMSpropName, func(o *Options) { o.Alpha = 1 }, "found alpha 1"},
		{RMSpropName, func(o *Options) { o.AMSGrad = true }, "found amsgrad, which"},
		{AdagradName, func(o *Options) { o.InitialAccumulator = -1 }, "found initial_accumulator -1"},
		{AdagradName, func(o *Options) { o.LearningRateDecay = -1 }, "found learning_rate_decay -1"},
		{AdagradName, func(o *Options) { o.Centered = true }, "found centered, which"},
	} {
		o := DefaultOptions(test.kind)
		test.edit(&o)
		if _, err := NewOptimizer[float64](o, 1); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v does not say %q", err, test.want)
		}
	}
	for _, kind := range Optimizers() {
		if _, err := NewOptimizer[float64](DefaultOptions(kind), 1); err != nil {
			t.Errorf("the defaults of %s: %v", kind, err)
		}
		if _, err := NewOptimizer[float64](DefaultOptions(kind), 0); err == nil {
			t.Errorf("%s of no weights was taken", kind)
		}
	}
}
