package graphs

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestInitialise(t *testing.T) {
	n := mlp(t, Tanh, true, 300, 200, 10)
	for _, test := range []struct {
		scheme Scheme
		want   float64 // standard deviation of the first layer: 300 inputs, 200 outputs
	}{
		{GlorotNormal, math.Sqrt(2.0 / 500)}, {GlorotUniform, math.Sqrt(2.0 / 500)},
		{HeNormal, math.Sqrt(2.0 / 300)}, {HeUniform, math.Sqrt(2.0 / 300)},
		{Normal, math.Sqrt(1.0 / 300)}, {StandardNormal, 1}, {Zeros, 0},
	} {
		w, err := Initialise[float64](n, test.scheme, 1.5, 1)
		if err != nil {
			t.Fatal(err)
		}
		var square float64
		for _, v := range View(w, n.Layout()[0]) {
			square += v * v
		}
		// 60,000 draws: the standard error of a standard deviation is 0.3 %.
		if got, want := math.Sqrt(square/60000), 1.5*test.want; math.Abs(got-want) > 0.015*want {
			t.Errorf("%s: standard deviation %.5f, want %.5f", test.scheme, got, want)
		}
		for _, b := range View(w, n.Layout()[1]) {
			if b != 0 {
				t.Fatalf("%s: a bias starts at %g", test.scheme, b)
			}
		}
	}
	a, _ := Initialise[float64](n, GlorotNormal, 1, 7)
	b, _ := Initialise[float64](n, GlorotNormal, 1, 7)
	c, _ := Initialise[float64](n, GlorotNormal, 1, 8)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the seed, and only the seed, decides the weights")
	}
	if _, err := Initialise[float64](n, "xavier", 1, 1); err == nil || !strings.Contains(err.Error(), "glorot-normal") {
		t.Errorf("unknown scheme: %v", err)
	}
}
