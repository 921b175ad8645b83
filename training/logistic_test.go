package training

import (
	"math"
	"testing"
)

func TestLogisticByHand(t *testing.T) {
	e40 := math.Exp(-40)
	for _, test := range []struct{ f, y, loss, derivative float64 }{
		{0, 0, math.Ln2, 0.5},
		{0, 1, math.Ln2, -0.5},
		{math.Log(3), 0, math.Log(4), 0.75},
		{math.Log(3), 1, math.Log(4.0 / 3), -0.25},
		{math.Log(3), 0.5, (math.Log(4) + math.Log(4.0/3)) / 2, 0.25},
		{40, 1, e40, -e40}, // σ(40) − 1 by subtraction would be 0
		{-40, 0, e40, e40},
		{1e300, 1, 0, 0},
		{1e300, 0, 1e300, 1},
		{-1e300, 1, 1e300, -1},
		{-1e300, 0, 0, 0},
	} {
		losses, derivatives := evaluate(Logistic[float64]{}, []float64{test.f}, []float64{test.y}, 1)
		// Half a dozen roundings, and none by subtraction at y = 0 and 1.
		near := func(got, want float64) bool { return math.Abs(got-want) <= 1e-15*math.Abs(want) }
		if !near(losses[0], test.loss) || !near(derivatives[0], test.derivative) {
			t.Errorf("f = %g, y = %g: ℓ = %g, ℓ′ = %g; want %g, %g", test.f, test.y, losses[0], derivatives[0], test.loss, test.derivative)
		}
	}
}
