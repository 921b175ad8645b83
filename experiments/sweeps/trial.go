package sweeps

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"

	"pkm/experiments"
)

// Trial is a trial as it was drawn. What a worker needs is in it.
type Trial struct {
	Number int       `json:"number"`
	Hash   string    `json:"hash"`   // identity: of Config
	Point  []float64 `json:"point"`  // coordinates in the search space
	Values []string  `json:"values"` // by parameter, as YAML; "" where its condition does not hold
	Config string    `json:"config"` // resolved configuration
	Steps  int       `json:"steps"`
	Rungs  []int     `json:"rungs,omitempty"`  // after which the training loss is kept
	Limits []Limit   `json:"limits,omitempty"` // of early termination
	CopyOf int       `json:"copy_of"`          // the earlier trial of the same identity, whose result is this one's; or −1
	Fault  string    `json:"fault,omitempty"`  // why the configuration is impossible
}

// Folder returns where the trial runs, within the folder of its sweep.
func (t *Trial) Folder() string {
	return filepath.Join("trials", fmt.Sprintf("%04d-%s", t.Number, t.Hash[:min(12, len(t.Hash))]))
}

// folder returns where the trial ran, or will.
func (r *Row) folder() string {
	if r.finished && r.Result.Folder != "" {
		return r.Result.Folder
	}
	return r.Trial.Folder()
}

// Task asks a worker for an attempt at a trial, or at a part of a run.
type Task struct {
	Trial   Trial             `json:"trial"`
	Attempt int               `json:"attempt"`         // from 1; one that a worker dies of or hands back is the same for the next
	Part    *experiments.Part `json:"part,omitempty"`  // instead of the trial, of which only Number counts: the part's place
	Carry   string            `json:"carry,omitempty"` // file that the part takes up
}

// State says how a trial ended.
type State string

// The states of a trial.
const (
	Pending    State = "pending"    // not yet
	Completed  State = "completed"  // to the end
	Terminated State = "terminated" // ended early, as others were better
	Diverged   State = "diverged"
	Failed     State = "failed" // an error, or workers that died of it
)

// Result is what became of an attempt.
type Result struct {
	Trial   int                    `json:"trial"`
	Attempt int                    `json:"attempt"`
	State   State                  `json:"state"`
	Message string                 `json:"message,omitempty"` // why, unless completed
	Steps   int                    `json:"steps"`             // of training that were done
	Figures []Figure               `json:"figures,omitempty"` // of summary.json
	Rungs   []Rung                 `json:"rungs,omitempty"`
	Seconds float64                `json:"seconds"` // that the last worker took
	Worker  string                 `json:"worker,omitempty"`
	Folder  string                 `json:"folder,omitempty"` // where it ran, other than that of the trial, which another process had
	Files   *experiments.PartFiles `json:"files,omitempty"`  // of a part
}

// identity returns the hash of a resolved configuration.
func identity(config string) string {
	sum := sha256.Sum256([]byte(config))
	return hex.EncodeToString(sum[:])
}

// finished returns what a sampler knows of the trial.
func (s *Sweep) finished(t *Trial, r *Result) Finished {
	f := Finished{Point: t.Point, Values: t.Values, Rank: 2, Loss: math.NaN(), Steps: r.Steps}
	switch r.State {
	case Completed:
		if x, ok := value(r.Figures, s.Metric.Name); ok {
			f.Rank, f.Loss = 0, s.loss(x)
		}
	case Terminated:
		if n := len(r.Rungs); n > 0 {
			f.Rank, f.Loss, f.Steps = 1, r.Rungs[n-1].Loss, r.Rungs[n-1].Step
		}
	}
	return f
}

// loss is the metric, so that less is better.
func (s *Sweep) loss(metric float64) float64 {
	if s.Metric.Goal == "maximize" {
		return -metric
	}
	return metric
}

// draw draws trial number t, given those before it and their results, of which it looks at those
// that it sees.
func (s *Sweep) draw(sampler sampler, t int, trials []*Trial, results []*Result) (*Trial, error) {
	var done []Finished
	var rungs [][]Rung
	for i := range s.sees(sampler, t) {
		done = append(done, s.finished(trials[i], results[i]))
		rungs = append(rungs, results[i].Rungs)
	}
	point, err := sampler.draw(t, done)
	if err != nil {
		return nil, err
	}
	trial := &Trial{Number: t, Point: point, Values: s.Space.At(point).Values, CopyOf: -1}
	config, err := s.Config(point)
	if err != nil {
		trial.Fault, trial.Hash = firstLine(err), identity(fmt.Sprint(trial.Values))
		return trial, nil
	}
	text, err := config.YAML()
	if err != nil {
		return nil, fmt.Errorf("draw trial %d: %w", t, err)
	}
	trial.Config, trial.Hash, trial.Steps = string(text), identity(string(text)), config.Training.Steps
	for _, earlier := range trials {
		if earlier.Hash == trial.Hash && earlier.CopyOf < 0 {
			trial.CopyOf = earlier.Number
		}
	}
	trial.Rungs = s.EarlyTerminate.rungs(t, trial.Steps)
	trial.Limits = s.EarlyTerminate.limits(t, trial.Steps, rungs)
	return trial, nil
}

// sees returns how many of the first trials have to be finished before trial t is drawn.
func (s *Sweep) sees(sampler sampler, t int) int {
	n := sampler.sees(t)
	if s.EarlyTerminate.Type != "none" {
		n = max(n, t-s.Concurrency+1)
	}
	return n
}

// configOf reads the configuration of a trial.
func (t *Trial) configOf() (*experiments.Config, error) {
	return experiments.Parse("trial "+fmt.Sprint(t.Number), []byte(t.Config), "yaml", nil, nil)
}

// Value returns the figure of that name, NaN where there is none.
func (r *Result) Value(name string) float64 {
	x, _ := value(r.Figures, name)
	return x
}
