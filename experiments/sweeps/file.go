package sweeps

import (
	"fmt"
	"path/filepath"

	"pkm/experiments"
)

// file is the schema of a sweep file, by the tags of [experiments.Config].
type file struct {
	Experiment     string           `yaml:"experiment"`
	Method         string           `yaml:"method" oneof:"grid random sobol tpe cmaes" also:"strategy"`
	Metric         Metric           `yaml:"metric" also:"objective"`
	Parameters     experiments.Node `yaml:"parameters" note:"a mapping of keys of the configuration, such as training.steps: {values: [100, 200]}"`
	Seed           int64            `yaml:"seed" default:"1"`
	RunCap         int              `yaml:"run_cap" default:"0" min:"0" max:"100000" note:"0: every point of a grid" also:"count trials max_trials"`
	Concurrency    int              `yaml:"concurrency" default:"4" min:"1" max:"10000" note:"trial t is drawn from the results of trials 0 … t−concurrency"`
	StartupTrials  int              `yaml:"startup_trials" when:"method tpe" default:"10" min:"1" max:"100000"`
	Population     int              `yaml:"population" when:"method cmaes" default:"0" min:"0" max:"10000" note:"0: 4 + ⌊3 ln d⌋ for d parameters"`
	EarlyTerminate EarlyTerminate   `yaml:"early_terminate" default:"{type: none}"`
	Retries        int              `yaml:"retries" default:"0" min:"0" max:"100"`
	OnFailure      string           `yaml:"on_failure" default:"continue" oneof:"continue stop"`
}

// Metric is the figure that a sweep is for.
type Metric struct {
	Name string `yaml:"name" json:"name"` // dotted, of summary.json
	Goal string `yaml:"goal" json:"goal" default:"minimize" oneof:"minimize maximize"`
}

// EarlyTerminate says which trials are not run to their end, see [Sweep.limits].
type EarlyTerminate struct {
	Type      string `yaml:"type" default:"none" oneof:"none median asha hyperband"`
	MinSteps  int    `yaml:"min_steps" when:"type median asha hyperband" default:"10" min:"1" max:"1000000000" also:"min_iter"`
	Every     int    `yaml:"every" when:"type median" default:"10" min:"1" max:"1000000000"`
	MinTrials int    `yaml:"min_trials" when:"type median" default:"5" min:"1" max:"100000"`
	Eta       int    `yaml:"eta" when:"type asha hyperband" default:"3" min:"2" max:"100" also:"reduction_factor"`
	Brackets  int    `yaml:"brackets" when:"type hyperband" default:"3" min:"1" max:"20"`
}

// Sweep is a sweep file, read and checked.
type Sweep struct {
	Path           string // of the file
	Experiment     string // path of the configuration
	Method         string
	Metric         Metric
	Space          Space
	Seed           int64
	Trials         int // that are run unless the sweep is stopped
	Concurrency    int
	StartupTrials  int
	Population     int
	EarlyTerminate EarlyTerminate
	Retries        int
	OnFailure      string

	environ []string
	example []float64 // a point whose configuration is possible
}

// Read reads the sweep file at path and checks it: keys and values with the rules of
// configurations, every parameter and every one of its values, and the ends of its
// distribution, in the configuration that it belongs to; of a grid every point. environ
// holds PKM_… variables for the configuration. Every fault is returned, joined, as an
// [*experiments.ConfigError].
func Read(path string, environ []string) (*Sweep, error) {
	var f file
	d, err := experiments.ReadDocument(path, &f)
	if err != nil {
		return nil, err
	}
	r := &reader{Document: d}
	s := &Sweep{Path: path, Experiment: f.Experiment, Method: f.Method, Metric: f.Metric, Seed: f.Seed, Trials: f.RunCap, Concurrency: f.Concurrency,
		StartupTrials: f.StartupTrials, Population: f.Population, EarlyTerminate: f.EarlyTerminate, Retries: f.Retries, OnFailure: f.OnFailure, environ: environ}
	if s.Experiment != "" && !filepath.IsAbs(s.Experiment) {
		s.Experiment = filepath.Join(filepath.Dir(path), s.Experiment)
	}
	if f.Parameters.Given() {
		r.space(&s.Space, f.Parameters)
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	r.method(s)
	if err := d.Err(); err != nil {
		return nil, err
	}
	if r.check(s); d.Err() != nil {
		return nil, d.Err()
	}
	return s, nil
}

// reader reads a sweep file.
type reader struct{ *experiments.Document }

// key returns the value of a key at the top of the file, or the file where it is not given.
func (r *reader) key(name string) experiments.Node {
	for _, e := range r.Root().Entries() {
		if e.Key == name {
			return e.Value
		}
	}
	return r.Root()
}

// method checks what the method asks of the space.
func (r *reader) method(s *Sweep) {
	if s.Method != "grid" && s.Trials == 0 {
		r.Fail(r.key("method"), experiments.ConfigError{Key: "run_cap", Fault: "missing, while method is " + s.Method, Allowed: "the number of trials, such as run_cap: 50"})
		return
	}
	switch s.Method {
	case "grid":
		for _, p := range s.Space {
			if p.Count() == 0 {
				r.Fail(p.place, experiments.ConfigError{Key: "parameters." + p.Key, Found: p.Distribution, Fault: "which has no grid, while method is grid",
					Allowed: "values, value, int_uniform, q_uniform; or another method"})
				return
			}
		}
		points, all := s.Space.points(maxGrid)
		if !all {
			r.Fail(r.key("parameters"), experiments.ConfigError{Key: "parameters", Fault: fmt.Sprintf("a grid of more than %d points", maxGrid), Allowed: "fewer values, or method: random"})
			return
		}
		if s.Trials == 0 || s.Trials > len(points) {
			s.Trials = len(points)
		}
	case "sobol":
		if len(s.Space) > maxSobol {
			r.Fail(r.key("parameters"), experiments.ConfigError{Key: "parameters", Found: fmt.Sprintf("%d parameters", len(s.Space)), Fault: "while method is sobol", Allowed: fmt.Sprintf("at most %d", maxSobol)})
		}
	case "cmaes":
		d := len(s.Space.numeric())
		if d == 0 {
			r.Fail(r.key("method"), experiments.ConfigError{Key: "method", Found: "cmaes", Fault: "while no parameter is a number from a distribution", Allowed: "method: tpe, random or grid"})
			return
		}
		if s.Population == 0 {
			s.Population = population(d)
		}
		if s.Population < 4 {
			r.Fail(r.key("population"), experiments.ConfigError{Key: "population", Found: fmt.Sprint(s.Population), Fault: "too few to choose among", Allowed: "a whole number, at least 4, or 0"})
		}
	}
}

// AtOnce returns how many trials run at once at most, as others wait for their results.
func (s *Sweep) AtOnce() int {
	n := s.Trials
	if s.Method == "cmaes" {
		n = min(n, s.Population) // a generation
	}
	if s.Method == "tpe" || s.EarlyTerminate.Type != "none" {
		n = min(n, s.Concurrency)
	}
	return n
}
