package pathkernel

import (
	"math"
	"slices"
)

// sample is a point of the curve seen along one direction.
type sample struct{ t, g float64 }

// kink returns where to cut a panel: at the kink of the outputs that its residual comes
// from, or in its middle where none is found. Only values are needed, which cost a
// forward pass each: the curve is seen along the residual, g(t) = r·f(t). Of the second differences
// of nine equidistant points one or two stand out from their median at a kink, where they
// fall like the distance of the points and elsewhere like its cube; around that one lie
// the next nine. On both sides the curve is continued as a parabola; where the two meet is
// the kink, as soon as the curve goes through that point.
func (r *refinement) kink(p *panel) (float64, error) {
	middle := p.from + (p.to-p.from)/2
	var x [9]sample
	for i := range x {
		var err error
		if x[i], err = r.along(p, p.from+(p.to-p.from)*float64(i)/8); err != nil {
			return 0, err
		}
	}
	before := 0.0
	for x[8].t-x[0].t > 1e-12 {
		at, bend := bent(&x)
		if bend == 0 || bend < before/10 {
			return middle, nil // as smooth as curves are
		}
		before = bend
		if meet, found := meeting(x[:at], x[at+1:]); found && meet.t > x[at-1].t && meet.t < x[at+1].t {
			on, err := r.along(p, meet.t)
			if err != nil {
				return 0, err
			}
			if math.Abs(on.g-meet.g) <= r.rule.Tolerance/8 {
				return meet.t, nil
			}
		}
		x[0], x[4], x[8] = x[at-1], x[at], x[at+1]
		for _, i := range []int{2, 6, 1, 3, 5, 7} {
			near := 1 // distance of the points between which it lies
			if i%4 == 2 {
				near = 2
			}
			var err error
			if x[i], err = r.along(p, x[i-near].t+(x[i+near].t-x[i-near].t)/2); err != nil {
				return 0, err
			}
		}
	}
	return x[4].t, nil
}

// bent returns the point, not the first or the last, whose second difference stands out most
// from the median, and by how much.
func bent(x *[9]sample) (at int, bend float64) {
	var d [7]float64
	for i := range d {
		d[i] = x[i].g - 2*x[i+1].g + x[i+2].g
	}
	sorted := d
	slices.Sort(sorted[:])
	for i := range d {
		if b := math.Abs(d[i] - sorted[3]); b > bend {
			at, bend = i+1, b
		}
	}
	return at, bend
}

// meeting returns where the curve left of a kink meets the one right of it, both continued
// from the points nearest to the kink: parabolas through three, lines through two.
func meeting(left, right []sample) (sample, bool) {
	if len(left) < 2 || len(right) < 2 {
		return sample{}, false
	}
	l, r := continued(reversed(left)), continued(right)
	t := (left[len(left)-1].t + right[0].t) / 2
	for range 4 { // Newton's method
		fl, sl := l(t)
		fr, sr := r(t)
		if sl == sr {
			return sample{}, false
		}
		t -= (fl - fr) / (sl - sr)
	}
	g, _ := l(t)
	return sample{t, g}, !math.IsNaN(t)
}

func reversed(x []sample) []sample {
	y := slices.Clone(x)
	slices.Reverse(y)
	return y
}

// continued returns the polynomial through the first two or three points, as value and slope.
func continued(x []sample) func(t float64) (value, slope float64) {
	a, b := x[0], x[1]
	first := (b.g - a.g) / (b.t - a.t)
	var second float64
	if len(x) > 2 {
		second = ((x[2].g-b.g)/(x[2].t-b.t) - first) / (x[2].t - a.t)
	}
	return func(t float64) (float64, float64) {
		return a.g + (t-a.t)*(first+second*(t-b.t)), first + second*(2*t-a.t-b.t)
	}
}

// along returns the curve at t, seen along the panel's residual.
func (r *refinement) along(p *panel, t float64) (sample, error) {
	f := p.left
	switch t {
	case p.from:
	case p.to:
		f = p.right
	default:
		var err error
		if f, err = r.curve.Value(t); err != nil {
			return sample{}, err
		}
	}
	var g float64
	for c, v := range f {
		g += v * (p.residual[c] / p.worst)
	}
	return sample{t, g}, nil
}
