package experiments

import (
	"encoding/csv"
	"math"
	"slices"
	"strings"
	"testing"
)

// made returns a study of one machine of an order, with these relative errors at η = 1, ½, ¼, ….
// The largest errors are three times as large.
func made(order int, errors ...float64) *Convergence {
	c := &Convergence{Error: RelativeErrorName, Quantity: "learning rate"}
	m := MachineConvergence{Name: "made", Order: order}
	for k, e := range errors {
		rate := Figure(math.Ldexp(1, -k))
		c.Levels = append(c.Levels, ConvergenceLevel{LearningRate: rate, Outcome: Completed})
		m.Points = append(m.Points, ConvergencePoint{LearningRate: rate, RelativeError: Figure(e), MaxAbsError: Figure(3 * e)})
	}
	c.Machines = []MachineConvergence{m}
	return c
}

// Fits that can be made by hand.
func TestConvergenceFit(t *testing.T) {
	none, none2 := math.NaN(), math.Inf(1)
	for name, test := range map[string]struct {
		c      *Convergence
		slope  float64
		fitted int
		floor  float64
		at     []bool    // the points at the floor
		orders []float64 // observed
	}{
		"order 1":            {made(1, 0.8, 0.4, 0.2, 0.1), 1, 4, 0, make([]bool, 4), []float64{none, 1, 1, 1}},
		"order 4":            {made(4, 16e-5, 1e-5, 1e-5/16), 4, 3, 0, make([]bool, 3), []float64{none, 4, 4}},
		"half as expected":   {made(2, 1e-2, 5e-3, 2.5e-3), 1, 3, 0, make([]bool, 3), []float64{none, 1, 1}},
		"not a line":         {made(2, 1, 0.5, 0.125), 1.5, 3, 0, make([]bool, 3), []float64{none, 1, 2}}, // the slope of 0, 1, 3 over 0, 1, 2
		"a floor":            {made(6, 64e-12, 1e-12, 2e-14, 1e-14), 6, 2, 1e-14, []bool{false, false, true, true}, []float64{none, 6, math.Log2(50), 1}},
		"a floor that rises": {made(4, 16e-13, 1e-13, 3e-13), none, 1, 3e-13, []bool{false, true, true}, []float64{none, 4, -math.Log2(3)}},
		"kinks":              {made(4, 1e-3, 0.5e-3, 0.25e-3), 1, 3, 0, make([]bool, 3), []float64{none, 1, 1}}, // above √ε nothing is rounding
		"no error":           {made(2, 4e-3, 1e-3, 0), 2, 2, 0, []bool{false, false, true}, []float64{none, 2, none2}},
		"only rounding":      {made(2, 0, 1e-16, 0), none, 0, 1e-16, []bool{true, true, true}, []float64{none, -none2, none2}},
		"diverged":           {made(2, none, 4e-9, 1e-9), 2, 2, 0, make([]bool, 3), []float64{none, none, 2}},
		"diverged but one":   {made(2, none, none, 1e-9), none, 1, 0, make([]bool, 3), []float64{none, none, none}},
		"all diverged":       {made(2, none, none), none, 0, 0, make([]bool, 2), []float64{none, none}},
	} {
		for _, by := range []string{RelativeErrorName, MaxAbsErrorName} { // a factor changes neither slopes nor the floor
			test.c.Error = by
			test.c.fit(0x1p-52)
			m := test.c.Machines[0]
			if !alike(float64(m.Slope), test.slope) || m.Fitted != test.fitted || float64(test.c.Floor) != test.floor {
				t.Errorf("%s: slope %g of %d points, floor %g; want %g of %d, %g", name, float64(m.Slope), m.Fitted, float64(test.c.Floor), test.slope, test.fitted, test.floor)
			}
			for k, p := range m.Points {
				if p.Floor != test.at[k] || !alike(float64(p.ObservedOrder), test.orders[k]) {
					t.Errorf("%s: point %d: at the floor %v, order %g; want %v, %g", name, k, p.Floor, float64(p.ObservedOrder), test.at[k], test.orders[k])
				}
			}
		}
	}
}

// alike compares numbers that rounding sets apart, a few ε of the logarithms of 1e-14 at most.
func alike(a, b float64) bool {
	return math.Abs(a-b) < 1e-12 || a == b || math.IsNaN(a) && math.IsNaN(b)
}

// The floor is one of the study, not of the machine.
func TestConvergenceFloorOfAll(t *testing.T) {
	c := made(6, 64e-12, 1e-12, 2e-14, 1e-14)
	c.Machines = append(c.Machines, made(1, 24e-14, 12e-14, 6e-14, 3e-14).Machines...)
	c.fit(0x1p-52)
	if m := c.Machines[1]; m.Fitted != 3 || !m.Points[3].Floor || !alike(float64(m.Slope), 1) {
		t.Errorf("slope %g of %d points; want 1 of the 3 above four times 1e-14", float64(m.Slope), m.Fitted)
	}
}

// In float32 rounding begins at √2⁻²³, 3.5e-4.
func TestConvergenceFloorOfFloat32(t *testing.T) {
	for epsilon, fitted := range map[float64]int{0x1p-23: 2, 0x1p-52: 4} {
		c := made(2, 16e-5, 4e-5, 1e-6, 1e-6)
		c.fit(epsilon)
		if m := c.Machines[0]; m.Fitted != fitted {
			t.Errorf("ε = %g: %d points are fitted, want %d", epsilon, m.Fitted, fitted)
		}
	}
}

// The table and the CSV say which errors are rounding and which runs diverged; what there is not is a dash, or empty.
func TestConvergenceTable(t *testing.T) {
	c := made(6, math.NaN(), 64e-12, 1e-12, 1e-15, 1e-15)
	c.Levels[0].Outcome, c.Levels[0].Reason, c.Levels[0].Run, c.Product = Diverged, "the loss ran away", "eta-1", 8
	c.fit(0x1p-52)
	var table, text strings.Builder
	if err := c.Table(&table); err != nil {
		t.Fatal(err)
	}
	want := `relative_error by learning rate, at learning rate × steps = 8
machine  family  rule  order  slope  points   1       0.5    0.25   0.125  0.0625
made                       6   6.00       2  -   6.4e-11   1e-12   1e-15*  1e-15*

observed order from one learning rate to the next
machine  1 to 0.5  0.5 to 0.25  0.25 to 0.125  0.125 to 0.0625
made           -         6.00           9.97*            0.00*
* set by rounding, and left out of the slope
eta-1 diverged: the loss ran away
`
	if got := table.String(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
	if err := c.CSV(&text); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil || len(lines) != 6 {
		t.Fatalf("%d lines, %v\n%s", len(lines), err, text.String())
	}
	if at := slices.Index(lines[0], "relative_error"); at < 0 || lines[1][at] != "" || lines[2][at] != "6.4e-11" {
		t.Errorf("relative errors of %v, %v", lines[1], lines[2])
	}
}

// Pictures of what cannot be drawn are pictures all the same.
func TestConvergenceFigureOfExtremes(t *testing.T) {
	for _, c := range []*Convergence{
		made(2, math.NaN(), math.NaN()), made(2, 0, 0), made(2, 1e300, 1e-300), made(2, math.Inf(1), 1e-3, 1e-4), made(1, 1e-9, 1e-9),
	} {
		c.fit(0x1p-52)
		var svg, png strings.Builder
		if err := c.SVG(&svg); err != nil || !strings.Contains(svg.String(), "</svg>") {
			t.Errorf("%v: SVG: %v", c.Machines[0].Points, err)
		}
		if err := c.PNG(&png); err != nil || !strings.HasPrefix(png.String(), "\x89PNG") {
			t.Errorf("%v: PNG: %v", c.Machines[0].Points, err)
		}
	}
}
