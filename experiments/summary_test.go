package experiments

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestSummaryJSON(t *testing.T) {
	nan, one := Figure(math.NaN()), 1
	s := Summary{
		Samples: SampleCounts{Train: 1000, Query: 50}, Outputs: 10, Parameters: 9000, Steps: 300,
		Network: NetworkFigures{TrainLoss: 0.1, QueryLoss: 1. / 3, QueryAccuracy: nan},
		// Not in the order of the alphabet.
		Machines: MachineSummaries{
			{"zeta", MachineFigures{MaxAbsError: 5e-324, RMSE: 1e21, RelativeError: Figure(math.Inf(1)), ArgmaxAgreement: 1, QueryAccuracy: nan}},
			{"alpha", MachineFigures{Conditioning: &Conditioning{Threshold: 1e-9, SmallKernels: 2, LargeCoefficients: &one, MaxAbsCoefficient: 40}}},
		},
	}
	const want = `{"samples":{"train":1000,"query":50},"outputs":10,"parameters":9000,"steps":300,` +
		`"network":{"train_loss":0.1,"query_loss":0.3333333333333333,"query_accuracy":null},` +
		`"machines":{"zeta":{"max_abs_error":5e-324,"rmse":1e+21,"relative_error":null,"argmax_agreement":1,"query_accuracy":null},` +
		`"alpha":{"max_abs_error":0,"rmse":0,"relative_error":0,"argmax_agreement":0,"query_accuracy":0,` +
		`"conditioning":{"threshold":1e-9,"small_kernels":2,"large_coefficients":1,"max_abs_coefficient":40}}}}`
	got, err := json.Marshal(s)
	must(t, err)
	if string(got) != want {
		t.Errorf("JSON is\n%s\nwant\n%s", got, want)
	}
	var back Summary
	must(t, json.Unmarshal(got, &back))
	again, err := json.Marshal(back)
	must(t, err)
	if string(again) != want {
		t.Errorf("read back and written again, JSON is\n%s", again)
	}
	if !math.IsNaN(float64(back.Network.QueryAccuracy)) {
		t.Errorf("null was read as %v", back.Network.QueryAccuracy)
	}
	if alpha, ok := back.Machines.Get("alpha"); !ok || !reflect.DeepEqual(alpha, s.Machines[1].Figures) {
		t.Errorf("alpha was read as %+v", alpha)
	}
}

func TestMachinesJSONRefuses(t *testing.T) {
	if _, err := json.Marshal(MachineSummaries{{Name: "a"}, {Name: "a"}}); err == nil {
		t.Error("two machines of one name were written")
	}
	for _, b := range []string{`{"a":{},"a":{}}`, `[]`, `null`, `3`, `{"a":3}`, `{"a":{"rmse":"x"}}`} {
		var s struct{ Machines MachineSummaries }
		if err := json.Unmarshal([]byte(`{"machines":`+b+`}`), &s); err == nil {
			t.Errorf("%s was read as %v", b, s.Machines)
		}
	}
}

func TestFigures(t *testing.T) {
	nan := math.NaN()
	// Errors of account: (0, 0), (−0.25, 2); the outputs changed by (0.25, 1.25), (−0.5, −0.75).
	rmse := math.Sqrt((0.0625 + 4) / 4)
	one := func(final float64) Decomposition {
		return Decomposition{M: 2, C: 1, N: 1, Initial: []float64{0, 0}, Final: []float64{1, final},
			Contributions: []float64{1, 2}, Regularization: []float64{0, 0}}
	}
	still := one(0)
	still.Initial, still.Final = []float64{1, 2}, []float64{1, 2}
	poisoned := account()
	poisoned.Contributions = append([]float64{nan}, poisoned.Contributions[1:]...)
	poisoned.Final = append([]float64{nan}, poisoned.Final[1:]...) // two NaN are no agreement
	tests := []struct {
		name    string
		d       Decomposition
		classes []int
		want    MachineFigures
	}{
		{"two outputs", account(), []int{1, 0}, MachineFigures{2, Figure(rmse), 1.6, 0.5, 0.5, nil, nil, "", ""}},
		{"without classes", account(), nil, MachineFigures{2, Figure(rmse), 1.6, Figure(nan), Figure(nan), nil, nil, "", ""}},
		{"regression", one(-2), nil, MachineFigures{4, Figure(math.Sqrt(8)), 2, Figure(nan), Figure(nan), nil, nil, "", ""}},
		{"logit", one(-2), []int{1, 1}, MachineFigures{4, Figure(math.Sqrt(8)), 2, 0.5, 1, nil, nil, "", ""}},
		{"nothing changed", still, nil, MachineFigures{2, Figure(math.Sqrt(2.5)), Figure(math.Inf(1)), Figure(nan), Figure(nan), nil, nil, "", ""}},
		{"a NaN", poisoned, []int{1, 0}, MachineFigures{Figure(nan), Figure(nan), Figure(nan), 0, 0, nil, nil, "", ""}},
		{"no queries", Decomposition{C: 2, N: 3}, nil, MachineFigures{Figure(nan), Figure(nan), Figure(nan), Figure(nan), Figure(nan), nil, nil, "", ""}},
	}
	for _, tt := range tests {
		got, err := Figures(tt.d, tt.classes)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		g, w := reflect.ValueOf(got), reflect.ValueOf(tt.want)
		for i := range 5 {
			a, b := g.Field(i).Float(), w.Field(i).Float()
			if !(a == b || math.IsNaN(a) && math.IsNaN(b)) { // the numbers are exact in binary, or rounded once
				t.Errorf("%s: %s is %v, want %v", tt.name, g.Type().Field(i).Name, a, b)
			}
		}
	}
}

func TestFiguresRefuses(t *testing.T) {
	a := account()
	a.Contributions = a.Contributions[1:]
	if _, err := Figures(a, nil); err == nil || !strings.Contains(err.Error(), "contributions has 11 elements") {
		t.Errorf("short contributions: %v", err)
	}
	if _, err := Figures(account(), []int{1}); err == nil {
		t.Error("one class for two queries was accepted")
	}
	if err := (Decomposition{M: -1, C: -1}).Check(); err == nil {
		t.Error("a negative shape was accepted")
	}
}

func TestClasses(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		outputs []float64
		C       int
		want    []int
	}{
		{[]float64{1, 2, 2, 3, 0, 3}, 3, []int{1, 0}}, // the first of equals
		{[]float64{-inf, -inf, -2, -1}, 2, []int{0, 1}},
		{[]float64{nan, 1, 1, nan}, 2, []int{-1, -1}},
		{[]float64{-1, 0, 1e-300, nan, inf}, 1, []int{0, 0, 1, -1, 1}},
	}
	for _, tt := range tests {
		if got := Classes(tt.outputs, tt.C); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Classes(%v, %d) = %v, want %v", tt.outputs, tt.C, got, tt.want)
		}
	}
}

// Residuals summed in opposite orders must differ by less than rounding allows,
// and the bound must not be so wide that it would hide an error.
func TestRoundingBound(t *testing.T) {
	const n = 10_000
	d := Decomposition{M: 1, C: 1, N: n, Initial: []float64{1}, Final: []float64{2}, Regularization: []float64{0}, Contributions: make([]float64, n)}
	backwards := d
	backwards.Contributions = make([]float64, n)
	for i := range n {
		v := math.Sin(float64(i*i)) * math.Exp(float64(i%40)-20)
		d.Contributions[i], backwards.Contributions[n-1-i] = v, v
	}
	off := math.Abs(d.Residual()[0] - backwards.Residual()[0])
	bound := d.rounding()[0]
	if off == 0 || off > bound {
		t.Errorf("orders differ by %g, bound %g", off, bound)
	}
	if bound > 1e-8*maxAbs(d.Contributions) {
		t.Errorf("bound %g for contributions up to %g", bound, maxAbs(d.Contributions))
	}
}
