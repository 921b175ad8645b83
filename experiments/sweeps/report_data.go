package sweeps

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// reportData is what the scripts of the page read. Slices are by trial.
type reportData struct {
	Metric     reportMetric   `json:"metric"`
	States     []State        `json:"states"`
	Number     []int          `json:"number"`
	State      []int          `json:"state"` // number in States
	Values     []any          `json:"values"`
	Steps      []any          `json:"steps"`
	Seconds    []any          `json:"seconds"`
	Folder     []string       `json:"folder"`  // within that of the sweep
	Reports    []int          `json:"reports"` // places of the trials that have a report of their own
	Messages   map[int]string `json:"messages"`
	Parameters []*column      `json:"parameters"` // in which trials differ
	Importance []float64      `json:"importance"` // of Parameters, or null
	Best       int            `json:"best"`       // place of the best trial, −1: none

	metric []float64 // of completed trials, NaN of others
}

// reportMetric is the metric and its axis.
type reportMetric struct {
	Name  string `json:"name"`
	Short string `json:"short"`
	Goal  string `json:"goal"`
	Log   bool   `json:"log"`
}

// states in the order in which the page names them.
var states = []State{Completed, Terminated, Diverged, Failed, Pending}

// newReportData reads what the page shows.
func newReportData(r *Results, dir string) (*reportData, error) {
	d := &reportData{Metric: reportMetric{Name: r.Metric.Name, Goal: r.Metric.Goal}, States: states, Reports: []int{}, Messages: map[int]string{}, Parameters: []*column{}, Best: -1,
		Number: []int{}, State: []int{}, Values: []any{}, Steps: []any{}, Seconds: []any{}, Folder: []string{}}
	at := map[string]int{}
	for _, name := range []string{"trial", "state", "seconds", "steps", "folder", "message"} {
		if at[name] = r.Column(name); at[name] < 0 {
			return nil, fmt.Errorf("%s has no column %q", csvName, name)
		}
	}
	metric := r.Column(r.Metric.Name)
	for i, row := range r.Rows {
		n, err := strconv.Atoi(row[at["trial"]])
		state := slices.Index(states, State(row[at["state"]]))
		if err != nil || state < 0 {
			return nil, fmt.Errorf("%s, row %d: trial %q, state %q", csvName, i+1, row[at["trial"]], row[at["state"]])
		}
		d.Number, d.State = append(d.Number, n), append(d.State, state)
		x := math.NaN()
		if metric >= 0 && states[state] == Completed {
			x = numberOf(row[metric])
		}
		d.metric, d.Values = append(d.metric, x), append(d.Values, orNull(x))
		d.Steps, d.Seconds = append(d.Steps, orNull(numberOf(row[at["steps"]]))), append(d.Seconds, orNull(numberOf(row[at["seconds"]])))
		folder := row[at["folder"]]
		if !filepath.IsLocal(filepath.FromSlash(folder)) {
			folder = ""
		}
		d.Folder = append(d.Folder, folder)
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(folder), ReportName)); err == nil && folder != "" {
			d.Reports = append(d.Reports, i)
		}
		if text := row[at["message"]]; text != "" {
			d.Messages[i] = text
		}
		if !math.IsNaN(x) && (d.Best < 0 || d.better(x, d.metric[d.Best])) {
			d.Best = i
		}
	}
	d.Metric.Log = logarithmic(d.metric)
	d.readParameters(r)
	return d, nil
}

// better reports whether the metric x is better than y.
func (d *reportData) better(x, y float64) bool {
	if d.Metric.Goal == "maximize" {
		return x > y
	}
	return x < y
}

// numberOf reads a number, NaN where there is none.
func numberOf(text string) float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(x, 0) {
		return math.NaN()
	}
	return x
}

// orNull returns a number as JSON holds it.
func orNull(x float64) any {
	if math.IsNaN(x) {
		return nil
	}
	return x
}

// logarithmic reports whether figures are shown by their logarithm: they are positive, and the largest is more
// than thirty times the least.
func logarithmic(values []float64) bool {
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range values {
		if !math.IsNaN(x) {
			low, high = min(low, x), max(high, x)
		}
	}
	return low > 0 && high > 30*low
}

// readParameters reads the columns of the parameters with more than one value.
func (d *reportData) readParameters(r *Results) {
	names := append([]string{r.Metric.Name}, r.Parameters...)
	short := shortNames(names)
	d.Metric.Short = short[0]
	for j, name := range r.Parameters {
		at := r.Column(name)
		if at < 0 {
			continue
		}
		texts := make([]string, len(r.Rows))
		distinct := map[string]bool{}
		for i, row := range r.Rows {
			texts[i] = row[at]
			if row[at] != "" {
				distinct[row[at]] = true
			}
		}
		if len(distinct) < 2 {
			continue
		}
		var prior Prior
		if j < len(r.Priors) {
			prior = r.Priors[j]
		}
		c := newColumn(name, prior, texts)
		c.Short = short[1+j]
		d.Parameters = append(d.Parameters, c)
	}
}

// shortNames returns as many of the last parts of dotted names as tell them from one another.
func shortNames(names []string) []string {
	short := slices.Clone(names)
	for i, name := range names {
		parts := strings.Split(name, ".")
		for k := len(parts) - 1; k >= 0; k-- {
			end := strings.Join(parts[k:], ".")
			if !slices.ContainsFunc(names, func(other string) bool { return other != name && strings.HasSuffix("."+other, "."+end) }) {
				short[i] = end
				break
			}
		}
	}
	return short
}

// importance returns that of the parameters for the metric as it is drawn, of its logarithm if that is.
func (d *reportData) importance() (Importance, bool) {
	var there []int
	var y []float64
	for i, x := range d.metric {
		if !math.IsNaN(x) {
			if d.Metric.Log {
				x = math.Log(x)
			}
			there, y = append(there, i), append(y, x)
		}
	}
	var factors []factor
	for _, c := range d.Parameters {
		f := newFactor(c)
		level := make([]int, len(there))
		for k, i := range there {
			level[k] = f.level[i]
		}
		f.level = level
		factors = append(factors, f)
	}
	return importance(factors, y)
}
