package sweeps

import (
	"fmt"
	"math"
	"reflect"
	"testing"
)

func TestRungs(t *testing.T) {
	for _, test := range []struct {
		rule     EarlyTerminate
		t, steps int
		want     []int
	}{
		{EarlyTerminate{Type: "none"}, 0, 100, nil},
		{EarlyTerminate{Type: "median", MinSteps: 10, Every: 30}, 0, 100, []int{10, 40, 70}},
		{EarlyTerminate{Type: "median", MinSteps: 10, Every: 30}, 0, 71, []int{10, 40}}, // the last step ends it anyway
		{EarlyTerminate{Type: "asha", MinSteps: 2, Eta: 3}, 5, 100, []int{2, 6, 18, 54}},
		{EarlyTerminate{Type: "hyperband", MinSteps: 2, Eta: 3, Brackets: 3}, 3, 100, []int{2, 6, 18, 54}},
		{EarlyTerminate{Type: "hyperband", MinSteps: 2, Eta: 3, Brackets: 3}, 5, 100, []int{18, 54}},
		{EarlyTerminate{Type: "hyperband", MinSteps: 10, Eta: 64, Brackets: 12}, 1, 100_000, []int{640, 40_960}},
		{EarlyTerminate{Type: "hyperband", MinSteps: 10, Eta: 64, Brackets: 12}, 11, 100_000, nil}, // 10·64^11 is no int
		{EarlyTerminate{Type: "asha", MinSteps: 1_000_000_000, Eta: 100}, 0, math.MaxInt, []int{1e9, 1e11, 1e13, 1e15, 1e17}},
	} {
		if got := test.rule.rungs(test.t, test.steps); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v, trial %d: %v, want %v", test.rule, test.t, got, test.want)
		}
	}
}

// The limits, worked out by hand.
func TestLimits(t *testing.T) {
	others := func(step int, losses ...float64) (out [][]Rung) {
		for _, l := range losses {
			out = append(out, []Rung{{step, l}})
		}
		return out
	}
	asha := EarlyTerminate{Type: "asha", MinSteps: 4, Eta: 3}
	median := EarlyTerminate{Type: "median", MinSteps: 4, Every: 100, MinTrials: 3}
	hyper := EarlyTerminate{Type: "hyperband", MinSteps: 4, Eta: 3, Brackets: 2}
	for _, test := range []struct {
		name   string
		rule   EarlyTerminate
		others [][]Rung
		want   []Limit
	}{
		{"nobody before", asha, nil, nil},
		{"one of two", asha, others(4, 2), []Limit{{4, 2}}},
		{"one of five", asha, others(4, 5, 2, 9, 7), []Limit{{4, 2}}},
		{"two of six", asha, others(4, 5, 2, 9, 7, 3), []Limit{{4, 3}}},
		{"not at this rung", asha, others(5, 1, 2), nil},
		{"diverged before it", asha, append(others(4, 3), []Rung{{4, math.NaN()}}, nil), []Limit{{4, 3}}},
		{"two are too few", median, others(4, 1, 2), nil},
		{"the median of three", median, others(4, 9, 1, 2), []Limit{{4, 2}}},
		{"the median of four", median, others(4, 9, 1, 2, 4), []Limit{{4, 3}}},
		{"its bracket only", hyper, others(4, 9, 1, 8, 2), []Limit{{4, 8}}}, // trials 0 and 2, for trial 4
	} {
		if got := test.rule.limits(len(test.others)+len(test.others)%2, 12, test.others); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// A loss at the limit goes on, one above it and one that is no number do not.
func TestExceeded(t *testing.T) {
	limits := []Limit{{4, 2}, {12, 1}}
	for _, test := range []struct {
		rungs []Rung
		want  int // the step at which it ends, 0: none
	}{
		{nil, 0}, {[]Rung{{4, 2}, {12, 1}}, 0}, {[]Rung{{4, 2.1}, {12, 3}}, 4}, {[]Rung{{4, 1}, {12, 1.5}}, 12}, {[]Rung{{4, math.NaN()}}, 4}, {[]Rung{{5, 99}}, 0},
	} {
		if l, over := exceeded(limits, test.rungs); l.Step != test.want || over != (test.want > 0) {
			t.Errorf("%v: %v, %v", test.rungs, l, over)
		}
	}
}

// With early termination no trial begins before those that it is compared with have ended.
func TestEarlyTerminationWaits(t *testing.T) {
	for method, want := range map[string]int{"random": 7, "sobol": 7, "tpe": 7} {
		s := sweep(t, fmt.Sprintf("method: %s\nrun_cap: 20\nconcurrency: 4\nearly_terminate: {type: asha}\n", method)+twoNumbers)
		sampler, err := s.newSampler()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.sees(sampler, 10); got != want {
			t.Errorf("%s: trial 10 sees %d, want %d", method, got, want)
		}
	}
}
