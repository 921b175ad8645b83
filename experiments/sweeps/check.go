package sweeps

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"pkm/experiments"
)

// Config returns the configuration of the trial at the point u, without its data set being
// looked at. Faults lie in the sweep file where it gives the value.
func (s *Sweep) Config(u []float64) (*experiments.Config, error) { return s.config(u, false) }

func (s *Sweep) config(u []float64, data bool) (*experiments.Config, error) {
	return experiments.LoadWith(s.Experiment, s.Space.At(u).settings, s.environ, data)
}

// check tries every parameter in a configuration, and every point of a grid. The data set is
// read only where a parameter has to do with it.
func (r *reader) check(s *Sweep) {
	experiment := r.key("experiment")
	s.example = s.typical()
	first, err := s.config(s.example, true)
	var fault *experiments.ConfigError
	if errors.As(err, &fault) && fault.File == s.Experiment && fault.Fault == "no such file" {
		r.Fail(experiment, experiments.ConfigError{Key: "experiment", Found: s.Experiment, Fault: "which is no file", Nearest: fault.Nearest, Allowed: "a configuration, relative to the sweep file", Err: err})
		return
	}
	if err != nil && !s.inFile(err) {
		r.Add(experiment, err)
		return
	}
	for i, p := range s.Space {
		for _, u := range p.probes() {
			point, ok := s.activating(i)
			if !ok {
				r.Fail(p.whenOf, experiments.ConfigError{Key: "parameters." + p.Key + ".when", Fault: "never holds: the conditions of its parameters exclude one another", Allowed: "a condition that some trial meets"})
				break
			}
			point[i] = u
			if _, err := s.config(point, dataMatters(p.Key)); err != nil && !s.possible(i, u) {
				r.Add(p.place, err)
				if p.numeric() {
					break // the other end is likely to say it again
				}
			}
		}
	}
	if err != nil && r.Err() == nil {
		if first = s.anyConfig(); first == nil {
			r.Add(experiment, err)
		}
	}
	if r.Err() != nil {
		return
	}
	if known := Metrics(first); !measurable(s, known) {
		name := r.key("metric")
		for _, e := range name.Entries() {
			if e.Key == "name" {
				name = e.Value
			}
		}
		fault := experiments.ConfigError{Key: "metric.name", Found: s.Metric.Name, Fault: "which no summary.json of this experiment has", Nearest: nearestMetric(s.Metric.Name, known)}
		if fault.Nearest == "" {
			fault.Allowed = strings.Join(known, ", ")
		}
		r.Fail(name, fault)
	}
	r.brackets(s, first)
	if s.Method != "grid" {
		return
	}
	points, _ := s.Space.points(maxGrid)
	for t, u := range points[:s.Trials] {
		if _, err := s.config(u, false); err != nil {
			r.Add(r.key("parameters"), err)
			if t > 1000 {
				return // so many faults are enough
			}
		}
	}
}

// brackets refuses brackets that begin after the last step of every trial, so that nothing in them is compared.
func (r *reader) brackets(s *Sweep, first *experiments.Config) {
	e := &s.EarlyTerminate
	if e.Type != "hyperband" {
		return
	}
	steps := first.Training.Steps
	for i, p := range s.Space {
		if point, ok := s.activating(i); ok && p.Key == "training.steps" {
			for _, u := range p.probes() {
				point[i] = u
				if c, err := s.config(point, false); err == nil {
					steps = max(steps, c.Training.Steps)
				}
			}
		}
	}
	if steps == 0 || e.first(e.Brackets-1, steps+1) <= steps {
		return
	}
	most := 1
	for most < e.Brackets && e.first(most, steps+1) <= steps {
		most++
	}
	place := r.key("early_terminate")
	for _, given := range place.Entries() {
		if given.Key == "brackets" {
			place = given.Value
		}
	}
	allowed := fmt.Sprintf("at most %d", most)
	if e.first(0, steps+1) > steps {
		allowed = fmt.Sprintf("min_steps of at most %d", steps)
	}
	r.Fail(place, experiments.ConfigError{Key: "early_terminate.brackets", Found: strconv.Itoa(e.Brackets),
		Fault: fmt.Sprintf("of which the last begins after min_steps·eta^(brackets−1) steps (%d, %d), while trials have %d", e.MinSteps, e.Eta, steps), Allowed: allowed})
}

// others is how many points are tried where the typical one is impossible.
const others = 20

// possible reports whether parameter i may take its value at u in some trial: a value that is
// impossible beside typical ones may be right beside others. A grid has no impossible points.
func (s *Sweep) possible(i int, u float64) bool {
	for k := range others {
		point := uniform(stream(0, k), len(s.Space))
		point[i] = u
		if s.Method == "grid" || s.Space.At(point).Values[i] == "" {
			continue
		}
		if _, err := s.config(point, dataMatters(s.Space[i].Key)); err == nil {
			return true
		}
	}
	return false
}

// anyConfig makes the example a point that is possible, and returns its configuration, or nil.
func (s *Sweep) anyConfig() *experiments.Config {
	for k := range others {
		point := uniform(stream(0, k), len(s.Space))
		if c, err := s.config(point, true); err == nil && s.Method != "grid" {
			s.example = point
			return c
		}
	}
	return nil
}

// inFile reports whether all faults lie in the sweep file.
func (s *Sweep) inFile(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return false
	}
	for _, e := range joined.Unwrap() {
		var fault *experiments.ConfigError
		if !errors.As(e, &fault) || fault.File != s.Path {
			return false
		}
	}
	return true
}

// dataMatters reports whether a key is checked against the data set.
func dataMatters(key string) bool {
	top, _, _ := strings.Cut(key, ".")
	return top == "data" || top == "network" || top == "loss"
}

// probes returns the coordinates to try a parameter at: of every value, or of the ends of
// its distribution and its middle.
func (p *Parameter) probes() []float64 {
	if p.numeric() {
		return []float64{0, 0.5, 1 - 1e-9}
	}
	var probes []float64
	for k := range p.Values {
		probes = append(probes, (float64(k)+0.5)/float64(len(p.Values)))
	}
	return probes
}

// typical returns a point of first values and of the middles of distributions.
func (s *Sweep) typical() []float64 {
	u := make([]float64, len(s.Space))
	for i, p := range s.Space {
		if u[i] = 0.5; !p.numeric() {
			u[i] = p.probes()[0]
		}
	}
	return u
}

// activating returns the typical point in which parameter i has an effect.
func (s *Sweep) activating(i int) (point []float64, ok bool) {
	u := s.typical()
	var fix func(i int)
	fix = func(i int) {
		for _, c := range s.Space[i].When {
			parent := s.Space[c.parent]
			for k, value := range parent.Values {
				if value == c.Values[0] {
					u[c.parent] = (float64(k) + 0.5) / float64(len(parent.Values))
				}
			}
			fix(c.parent)
		}
	}
	fix(i)
	return u, s.Space.At(u).Values[i] != ""
}
