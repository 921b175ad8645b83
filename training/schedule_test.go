package training

import (
	"math"
	"strings"
	"testing"
)

func TestSchedulesByHand(t *testing.T) {
	cycle := ScheduleOptions{Kind: OneCycleName, PctStart: 0.5, DivFactor: 4, FinalDivFactor: 5}
	for _, test := range []struct {
		name  string
		o     ScheduleOptions
		steps int
		rates map[int]float64 // of rate 2
	}{
		{"constant", ScheduleOptions{Kind: ConstantName}, 10, map[int]float64{0: 2, 9: 2, 99: 2}},
		{"step", ScheduleOptions{Kind: StepName, StepSize: 3, Gamma: 0.5}, 10, map[int]float64{0: 2, 2: 2, 3: 1, 5: 1, 6: 0.5}},
		{"exponential", ScheduleOptions{Kind: ExponentialName, Gamma: 0.5}, 10, map[int]float64{0: 2, 1: 1, 3: 0.25}},
		{"cosine to the number of steps", ScheduleOptions{Kind: CosineName}, 10, map[int]float64{0: 2, 5: 1, 10: 0, 20: 2}},
		{"cosine to a minimum", ScheduleOptions{Kind: CosineName, TMax: 4, Minimum: 1}, 10, map[int]float64{0: 2, 2: 1.5, 4: 1, 6: 1.5, 8: 2}},
		{"linear warm-up", ScheduleOptions{Kind: LinearWarmupName, StartFactor: 0.5, TotalIters: 4}, 10, map[int]float64{0: 1, 1: 1.25, 3: 1.75, 4: 2, 9: 2}},
		{"one cycle", cycle, 10, map[int]float64{0: 0.5, 2: 1.25, 4: 2, 9: 0.1, 10: 0.1, 99: 0.1}}, // its top is step 4
		{"one cycle whose rise ends at step 0", cycle, 2, map[int]float64{0: 2, 1: 0.1}},
		{"one cycle of a single step", cycle, 1, map[int]float64{0: 0.1}},
		{"one cycle of a single rising step", ScheduleOptions{Kind: OneCycleName, PctStart: 1, DivFactor: 4, FinalDivFactor: 5}, 1, map[int]float64{0: 2}},
	} {
		s, err := NewSchedule(test.o, 2, test.steps)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for step, want := range test.rates {
			if got := s.Rate(step); !(math.Abs(got-want) <= 1e-15) { // a cosine and four operations on values up to 2
				t.Errorf("%s: rate %.17g at step %d, want %g", test.name, got, step, want)
			}
		}
	}
}

func TestScheduleRefusals(t *testing.T) {
	for _, test := range []struct {
		kind  string
		rate  float64
		steps int
		edit  func(*ScheduleOptions)
		want  string
	}{
		{"triangle", 1, 1, nil, `no schedule is named "triangle"; there are constant, step`},
		{ConstantName, 0, 1, nil, "found learning rate 0"},
		{ConstantName, math.NaN(), 1, nil, "found learning rate NaN"},
		{ConstantName, 1, 0, nil, "found 0 steps"},
		{ConstantName, 1, 1, func(o *ScheduleOptions) { o.Gamma = 0.5 }, "found gamma, which it does not have; its options are []"},
		{StepName, 1, 1, nil, "found step_size 0, it has to be at least 1"},
		{ExponentialName, 1, 1, nil, "found gamma 0, it has to be positive"},
		{ExponentialName, 1, 1, func(o *ScheduleOptions) { o.Gamma, o.StepSize = 0.5, 3 }, "found step_size, which it does not have; its options are [gamma]"},
		{CosineName, 1, 1, func(o *ScheduleOptions) { o.TMax = -1 }, "found t_max -1"},
		{CosineName, 1, 1, func(o *ScheduleOptions) { o.Minimum = 2 }, "found minimum 2, it has to be in [0, 1]"},
		{LinearWarmupName, 1, 1, func(o *ScheduleOptions) { o.StartFactor = 0 }, "found start_factor 0"},
		{LinearWarmupName, 1, 1, func(o *ScheduleOptions) { o.TotalIters = 0 }, "found total_iters 0"},
		{OneCycleName, 1, 1, func(o *ScheduleOptions) { o.PctStart = 1.1 }, "found pct_start 1.1"},
		{OneCycleName, 1, 1, func(o *ScheduleOptions) { o.DivFactor = 0 }, "found div_factor 0"},
		{OneCycleName, 1, 1, func(o *ScheduleOptions) { o.FinalDivFactor = math.Inf(1) }, "found final_div_factor +Inf"},
	} {
		o := DefaultScheduleOptions(test.kind)
		if test.edit != nil {
			test.edit(&o)
		}
		if _, err := NewSchedule(o, test.rate, test.steps); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v does not say %q", err, test.want)
		}
	}
}
