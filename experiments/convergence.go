package experiments

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// The errors that a study can be read by.
const (
	RelativeErrorName = "relative_error"
	MaxAbsErrorName   = "max_abs_error"
)

// Convergence is what a study found: convergence.json. What there is not is NaN, null in JSON.
type Convergence struct {
	Format   string               `json:"format"`   // convergenceFormat: by it a file is known as ours
	Name     string               `json:"name"`     // of the configuration
	Error    string               `json:"error"`    // by which slopes and orders are computed
	Quantity string               `json:"quantity"` // what becomes smaller: learning rate, or, of a gradient flow, fixed step
	Product  Figure               `json:"learning_rate_times_steps"`
	Floor    Figure               `json:"rounding_floor"` // largest relative error that rounding was seen to set; 0: none
	Levels   []ConvergenceLevel   `json:"levels"`         // the largest learning rate first
	Machines []MachineConvergence `json:"machines"`
}

const convergenceFormat = "pkm convergence study 1"

// ConvergenceLevel is a run of the study.
type ConvergenceLevel struct {
	LearningRate Figure  `json:"learning_rate"` // or the fixed step of a gradient flow
	Factor       string  `json:"factor"`        // of the learning rate of the configuration
	Steps        int     `json:"steps"`
	Run          string  `json:"run"` // directory, within that of the study
	Outcome      Outcome `json:"outcome"`
	Reason       string  `json:"reason,omitempty"` // of a run that diverged
}

// MachineConvergence is how the error of a machine falls.
type MachineConvergence struct {
	Name   string             `json:"name"`
	Family string             `json:"family"`
	Rule   string             `json:"rule"`
	Target string             `json:"target"`
	Order  int                `json:"order"`  // expected of the rule on a smooth network
	Points []ConvergencePoint `json:"points"` // one for each level
	Slope  Figure             `json:"slope"`  // of log error over log η, by least squares; NaN for fewer than two points
	Fitted int                `json:"fitted"` // points that it is fitted to
}

// ConvergencePoint is the error of a machine at one learning rate.
type ConvergencePoint struct {
	LearningRate  Figure `json:"learning_rate"`
	RelativeError Figure `json:"relative_error"` // NaN of a run that diverged
	MaxAbsError   Figure `json:"max_abs_error"`
	ObservedOrder Figure `json:"observed_order"`    // log(e′/e)/log(η′/η) with the next larger learning rate η′; NaN for the first
	Floor         bool   `json:"at_rounding_floor"` // left out of the slope
}

// error returns the error by which the study is read.
func (p ConvergencePoint) error(name string) float64 {
	if name == MaxAbsErrorName {
		return float64(p.MaxAbsError)
	}
	return float64(p.RelativeError)
}

// fit computes the observed orders, finds the rounding floor and fits the slopes. epsilon is the
// spacing of numbers at 1 in the precision of the runs.
//
// Rounding and no longer the quadrature sets an error that no longer falls as it should: a relative
// error below √ε whose observed order is not above half the rule's. The largest of these is the floor of
// the study; every point up to four times of it is left out, and every error of 0. An error that stops falling above √ε
// stays in the fit: that is no rounding, but for instance the kinks of a ReLU.
func (c *Convergence) fit(epsilon float64) {
	floor := 0.0
	for i := range c.Machines {
		m := &c.Machines[i]
		for k := range m.Points {
			p := &m.Points[k]
			p.ObservedOrder = nan()
			if k == 0 {
				continue
			}
			before, e := m.Points[k-1], float64(p.RelativeError)
			p.ObservedOrder = Figure(observedOrder(before, *p, c.Error))
			if e < math.Sqrt(epsilon) && observedOrder(before, *p, RelativeErrorName) <= float64(m.Order)/2 {
				floor = max(floor, e)
			}
		}
	}
	c.Floor = Figure(floor)
	for i := range c.Machines {
		m := &c.Machines[i]
		var x, y []float64
		for k := range m.Points {
			p := &m.Points[k]
			p.Floor = float64(p.RelativeError) <= 4*floor
			if e := p.error(c.Error); !p.Floor && e > 0 && !math.IsInf(e, 0) {
				x, y = append(x, math.Log(float64(p.LearningRate))), append(y, math.Log(e))
			}
		}
		m.Slope, m.Fitted = nan(), len(x)
		if len(x) > 1 {
			_, slope := stat.LinearRegression(x, y, nil, false)
			m.Slope = Figure(slope)
		}
	}
}

// observedOrder returns log(e′/e)/log(η′/η) of two points; it is not finite where an error is not, or 0.
func observedOrder(coarse, fine ConvergencePoint, name string) float64 {
	return math.Log(coarse.error(name)/fine.error(name)) / math.Log(float64(coarse.LearningRate)/float64(fine.LearningRate))
}
