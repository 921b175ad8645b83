package sweeps

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pkm/experiments"
	"pkm/internal/atomicfile"
)

// definitionName is the file in a sweep's folder that says which sweep it is.
const definitionName = "sweep.json"

// Definition is what a folder knows of its sweep.
type Definition struct {
	ID         string   `json:"id"`
	PkmVersion string   `json:"pkm_version"`
	File       string   `json:"file"` // path of the sweep file
	Method     string   `json:"method"`
	Metric     Metric   `json:"metric"`
	Trials     int      `json:"trials"`
	Parameters []string `json:"parameters"` // full keys
	// Priors are those of Parameters, for the report; none in folders that were begun before there was one.
	Priors []Prior `json:"priors,omitempty"`
	Server string  `json:"server,omitempty"`
	// Space is all that the trials' configurations follow from, a line for each key. A sweep
	// whose lines differ is another.
	Space []SpaceLine `json:"space"`
	// Base is the experiment without the parameters, resolved, a line each: a trial may take from it what the
	// trial in Space does not. None in folders that were begun before it was kept, or where the experiment
	// needs its parameters.
	Base []string `json:"base,omitempty"`
	// Data are the data sets of the trials; none in folders that were begun before they were kept.
	Data []DataSum `json:"data,omitempty"`
}

// Prior is what the values of a parameter are drawn from before there are results.
type Prior struct {
	Name   string   `json:"name"` // as in the sweep file; categorical for values, constant for value
	Min    float64  `json:"min,omitempty"`
	Max    float64  `json:"max,omitempty"`
	Q      float64  `json:"q,omitempty"`
	Mu     float64  `json:"mu,omitempty"`
	Sigma  float64  `json:"sigma,omitempty"`
	Values []string `json:"values,omitempty"` // as in results.csv
}

// SpaceLine is a key of a sweep file or of its experiment, and what it says.
type SpaceLine struct {
	Key  string `json:"key"`
	Says string `json:"says"`
}

// definition returns that of the sweep.
func (s *Sweep) definition(id string) (*Definition, error) {
	d := &Definition{ID: id, PkmVersion: experiments.Version(), File: s.Path, Method: s.Method, Metric: s.Metric, Trials: s.Trials}
	say := func(key, format string, args ...any) {
		d.Space = append(d.Space, SpaceLine{key, fmt.Sprintf(format, args...)})
	}
	say("method", "%s", s.Method)
	say("seed", "%d", s.Seed)
	if s.Method == "tpe" || s.EarlyTerminate.Type != "none" {
		say("concurrency", "%d", s.Concurrency)
	}
	switch s.Method {
	case "tpe":
		say("startup_trials", "%d", s.StartupTrials)
	case "cmaes":
		say("population", "%d", s.Population)
	}
	if s.Method == "tpe" || s.Method == "cmaes" {
		say("metric", "%s, %s", s.Metric.Goal, s.Metric.Name)
	}
	say("early_terminate", "%s", s.EarlyTerminate)
	for _, p := range s.Space {
		d.Parameters = append(d.Parameters, p.Key)
		d.Priors = append(d.Priors, p.prior())
		say("parameters."+p.Key, "%s", p)
	}
	// The experiment is what one trial makes of it.
	config, err := s.Config(s.example)
	if err != nil {
		return nil, err
	}
	text, err := config.YAML()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		say("experiment", "%s", strings.TrimSuffix(line, "\n"))
	}
	if d.Base, err = s.base(); err != nil {
		return nil, err
	}
	d.Data, err = s.dataSums()
	return d, err
}

// base returns the lines of the experiment without the parameters, none where it is impossible.
func (s *Sweep) base() ([]string, error) {
	config, err := experiments.LoadWith(s.Experiment, nil, s.environ, false)
	if err != nil {
		return nil, nil // with parameters it is possible, as the file was checked
	}
	text, err := config.YAML()
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}

// prior returns that of the parameter, without what belongs to others.
func (p *Parameter) prior() Prior {
	d := Prior{Name: p.Distribution}
	switch p.Distribution {
	case "categorical", "constant":
		d.Values = p.Values
	case "normal", "log_normal":
		d.Mu, d.Sigma = p.Mu, p.Sigma
	case "q_uniform":
		d.Min, d.Max, d.Q = p.Min, p.Max, p.Q
	default:
		d.Min, d.Max = p.Min, p.Max
	}
	return d
}

// String describes the parameter's values and conditions whole.
func (p *Parameter) String() string {
	text := ""
	switch p.Distribution {
	case "categorical", "constant":
		text = strings.Join(p.Values, ", ")
	case "normal", "log_normal":
		text = fmt.Sprintf("%s, mu %g, sigma %g", p.Distribution, p.Mu, p.Sigma)
	case "q_uniform":
		text = fmt.Sprintf("q_uniform from %g to %g by %g", p.Min, p.Max, p.Q)
	default:
		text = fmt.Sprintf("%s from %g to %g", p.Distribution, p.Min, p.Max)
	}
	for _, c := range p.When {
		text += fmt.Sprintf(", when %s is %s", c.Key, strings.Join(c.Values, " or "))
	}
	return text
}

// String describes the rule whole.
func (e EarlyTerminate) String() string {
	switch e.Type {
	case "median":
		return fmt.Sprintf("median, from step %d, every %d, of at least %d trials", e.MinSteps, e.Every, e.MinTrials)
	case "asha":
		return fmt.Sprintf("asha, from step %d, eta %d", e.MinSteps, e.Eta)
	case "hyperband":
		return fmt.Sprintf("hyperband, from step %d, eta %d, %d brackets", e.MinSteps, e.Eta, e.Brackets)
	}
	return "none"
}

// differs returns a line that says how another sweep differs, or "".
func (d *Definition) differs(other *Definition) string {
	for i := range max(len(d.Space), len(other.Space)) {
		was, is := SpaceLine{Says: "nothing"}, SpaceLine{Says: "nothing"}
		if i < len(d.Space) {
			was = d.Space[i]
		}
		if i < len(other.Space) {
			is = other.Space[i]
		}
		if was == is {
			continue
		}
		if was.Key == is.Key {
			return fmt.Sprintf("%s: it began with %q, now it would be %q", was.Key, strings.TrimSpace(was.Says), strings.TrimSpace(is.Says))
		}
		return fmt.Sprintf("it began with %s (%s), now there would be %s (%s)", was.Key, strings.TrimSpace(was.Says), is.Key, strings.TrimSpace(is.Says))
	}
	if difference := d.baseDiffers(other); difference != "" {
		return difference
	}
	return d.dataDiffers(other)
}

// baseDiffers is differs for the experiment without the parameters.
func (d *Definition) baseDiffers(other *Definition) string {
	if len(d.Base) == 0 {
		return "" // not known
	}
	line := func(lines []string, i int) string {
		if i < len(lines) {
			return strings.TrimSpace(lines[i])
		}
		return "nothing"
	}
	for i := range max(len(d.Base), len(other.Base)) {
		if was, is := line(d.Base, i), line(other.Base, i); was != is {
			return fmt.Sprintf("experiment, without the parameters: it began with %q, now it would be %q", was, is)
		}
	}
	return ""
}

// ReadDefinition reads that of the sweep in the folder dir.
func ReadDefinition(dir string) (*Definition, error) {
	text, err := os.ReadFile(filepath.Join(dir, definitionName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FolderError{Dir: dir, Fault: "there is no sweep in it (no " + definitionName + ")"}
	}
	if err != nil {
		return nil, fmt.Errorf("read sweep %s: %w", dir, err)
	}
	var d Definition
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, &FolderError{Dir: dir, Fault: definitionName + " cannot be read: " + err.Error() +
			"; it is damaged: put back a copy of it, or begin again in another folder with --out. The runs in trials are whole all the same"}
	}
	return &d, nil
}

func (d *Definition) write(dir string) error {
	_, err := atomicfile.Write(filepath.Join(dir, definitionName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(d)
	})
	return err
}
