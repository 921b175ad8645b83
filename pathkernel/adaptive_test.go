package pathkernel

import (
	"math"
	"testing"
)

// curve is a Curve of given functions that counts what it is asked for.
type curve struct {
	value, slope   func(t float64) []float64
	values, slopes int
}

func (c *curve) Value(t float64) ([]float64, error) { c.values++; return c.value(t), nil }
func (c *curve) Slope(t float64) ([]float64, error) { c.slopes++; return c.slope(t), nil }

// refine refines a curve from the slopes of the base rule.
func refine(t *testing.T, a Adaptive, c *curve) Mesh {
	t.Helper()
	var slopes [][]float64
	for _, x := range a.Base().Nodes {
		slopes = append(slopes, c.slope(x))
	}
	m, err := a.Refine(c, c.value(0), c.value(1), slopes, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m.Spent != c.slopes+len(slopes) {
		t.Errorf("%d Jacobians spent, evaluated %d", m.Spent, c.slopes+len(slopes))
	}
	return m
}

// integral returns a mesh's quadrature of a function.
func (m *Mesh) integral(f func(t float64) float64) (s float64) {
	for k, x := range m.Nodes {
		s += m.Weights[k] * f(x)
	}
	return s
}

// kinked is a curve of two outputs whose slopes jump at the given places, beside a smooth part.
func kinked(places ...float64) *curve {
	return &curve{
		value: func(t float64) []float64 {
			v := []float64{t - 0.05*t*t + 0.01*t*t*t, math.Sin(0.2 * t)}
			for i, p := range places {
				v[i%2] += float64(i+1) * 0.01 * max(0, t-p)
				v[1-i%2] -= 0.003 * max(0, t-p)
			}
			return v
		},
		slope: func(t float64) []float64 {
			v := []float64{1 - 0.1*t + 0.03*t*t, 0.2 * math.Cos(0.2*t)}
			for i, p := range places {
				if t > p {
					v[i%2] += float64(i+1) * 0.01
					v[1-i%2] -= 0.003
				}
			}
			return v
		},
	}
}

func TestAdaptiveMeetsItsTolerance(t *testing.T) {
	steep := &curve{
		value: func(t float64) []float64 { return []float64{math.Tanh(5 * (t - 0.4))} },
		slope: func(t float64) []float64 { return []float64{5 / math.Pow(math.Cosh(5*(t-0.4)), 2)} },
	}
	for _, row := range []struct {
		name  string
		curve *curve
		nodes int // at most: so that a kink is found, not hunted down by halving
	}{
		{"a cubic", kinked(), 9},
		{"a kink", kinked(0.3), 15},
		{"a kink at the end", kinked(0.999), 21},
		{"a kink at a node", kinked(0.5), 12},
		{"two kinks", kinked(0.2, 0.7), 24},
		{"two near kinks", kinked(0.5003, 0.5004), 60},
		{"seven kinks", kinked(0.11, 0.23, 0.31, 0.52, 0.53, 0.77, 0.9), 120},
		{"a steep curve", steep, 160},
	} {
		const tolerance = 1e-12
		m := refine(t, Adaptive{Tolerance: tolerance, MaxNodes: 400}, row.curve)
		if !(m.Residual <= tolerance) {
			t.Errorf("%s: residual %.2g after %d Jacobians", row.name, m.Residual, m.Spent)
		}
		// What the mesh says of itself holds for its nodes and weights: 1e-15 is rounding.
		for c, end := range row.curve.value(1) {
			change := m.integral(func(t float64) float64 { return row.curve.slope(t)[c] })
			if miss := math.Abs(end - row.curve.value(0)[c] - change); miss > m.Residual+1e-15 {
				t.Errorf("%s: output %d misses by %.2g, the residual says %.2g", row.name, c, miss, m.Residual)
			}
		}
		if one := m.integral(func(float64) float64 { return 1 }); math.Abs(one-1) > 1e-14 {
			t.Errorf("%s: weights sum to %.17g", row.name, one)
		}
		if m.Spent > row.nodes {
			t.Errorf("%s: %d Jacobians, more than %d", row.name, m.Spent, row.nodes)
		}
	}
}

// A mesh that is good for the outputs is good for every other function with kinks at the same
// places: the contributions of single samples are such.
func TestAdaptiveMeshServesWhatItHasNotSeen(t *testing.T) {
	m := refine(t, Adaptive{Tolerance: 1e-12, MaxNodes: 400}, kinked(0.37))
	got := m.integral(func(t float64) float64 {
		if t < 0.37 {
			return 1 + t*t
		}
		return -3 * t
	})
	want := 0.37 + math.Pow(0.37, 3)/3 - 1.5*(1-0.37*0.37)
	// The kink of the outputs, 0.01, is placed to 1e-12/0.01; the one here is 400 times as high.
	if math.Abs(got-want) > 400e-12 {
		t.Errorf("integral %.15g, want %.15g: %.2g apart", got, want, got-want)
	}
}

// Nodes that run out leave the residual standing.
func TestAdaptiveStopsAtMaxNodes(t *testing.T) {
	m := refine(t, Adaptive{Tolerance: 1e-15, MaxNodes: 20}, kinked(0.1, 0.3, 0.5, 0.7, 0.9))
	if m.Spent > 20 || m.Spent < 15 || m.Residual <= 1e-15 {
		t.Errorf("%d Jacobians, residual %.2g", m.Spent, m.Residual)
	}
}

// Values that are not finite end a refinement.
func TestAdaptiveEndsAtNaN(t *testing.T) {
	c := kinked(0.3)
	slope := c.slope
	c.slope = func(t float64) []float64 {
		if t > 0.6 && t != Gauss(3).Nodes[2] {
			return []float64{math.NaN(), 0}
		}
		return slope(t)
	}
	if m := refine(t, Adaptive{Tolerance: 1e-12, MaxNodes: 1000}, c); m.Residual <= 1e-12 {
		t.Errorf("a NaN met the tolerance: residual %.2g", m.Residual)
	}
}
