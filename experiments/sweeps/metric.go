package sweeps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"pkm/experiments"
)

// Figure is a figure of summary.json under its dotted name.
type Figure struct {
	Name  string             `json:"name"`
	Value experiments.Figure `json:"value"` // NaN where the summary has null
}

// Flatten returns the numbers of a run's summary in its order.
func Flatten(s *experiments.Summary) ([]Figure, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("flatten a summary: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var figures []Figure
	if err := flatten(d, "", &figures); err != nil {
		return nil, fmt.Errorf("flatten a summary: %w", err)
	}
	return figures, nil
}

// flatten reads one value.
func flatten(d *json.Decoder, path string, into *[]Figure) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		for d.More() {
			below := path
			if v == '{' {
				key, err := d.Token()
				if err != nil {
					return err
				}
				if below = key.(string); path != "" {
					below = path + "." + below
				}
			}
			out := into
			if v == '[' {
				out = new([]Figure) // lists are names, not figures
			}
			if err := flatten(d, below, out); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	case float64:
		*into = append(*into, Figure{path, experiments.Figure(v)})
	case nil:
		*into = append(*into, Figure{path, experiments.Figure(math.NaN())})
	}
	return nil
}

// Metrics returns the names of the figures that a run of the configuration may have.
func Metrics(c *experiments.Config) []string {
	count := 0
	s := experiments.Summary{}
	for _, m := range c.Machines {
		f := experiments.MachineFigures{}
		if m.Family == "exact" {
			f.Certificate = &experiments.Certificate{}
			if m.Rule == "adaptive" {
				f.Certificate.Tolerance = new(experiments.Figure)
			}
		}
		if c.PathKernel != "none" && m.Target == "outputs" {
			f.Conditioning = &experiments.Conditioning{LargeCoefficients: &count}
		}
		s.Machines = append(s.Machines, experiments.MachineSummary{Name: m.Name, Figures: f})
	}
	if c.Bound.Kind != "none" {
		s.Generalization = &experiments.Generalization{}
	}
	figures, err := Flatten(&s)
	if err != nil {
		return nil // two machines of one name, which a configuration does not have
	}
	var names []string
	for _, f := range figures {
		names = append(names, f.Name)
	}
	return names
}

// measurable reports whether runs have the metric; where machines or the bound are
// parameters, or the metric is theirs, that shows later.
func measurable(s *Sweep, known []string) bool {
	if slices.Contains(known, s.Metric.Name) {
		return true
	}
	top, _, _ := strings.Cut(s.Metric.Name, ".")
	changed := map[string][]string{"machines": {"machines", "path_kernel"}, "generalization": {"bound"}}
	return slices.ContainsFunc(s.Space, func(p *Parameter) bool {
		return slices.ContainsFunc(changed[top], func(key string) bool { return strings.HasPrefix(p.Key, key) })
	})
}

// nearestMetric returns the metric that a name, or the last part of one, is nearest to.
func nearestMetric(name string, known []string) string {
	if near := experiments.Nearest(name, known); near != "" {
		return near
	}
	var last []string
	for _, k := range known {
		last = append(last, k[strings.LastIndexByte(k, '.')+1:])
	}
	if i := slices.Index(last, experiments.Nearest(name[strings.LastIndexByte(name, '.')+1:], last)); i >= 0 {
		return known[i]
	}
	return ""
}

// value returns the figure of that name, and whether there is one that is a number.
func value(figures []Figure, name string) (float64, bool) {
	for _, f := range figures {
		if f.Name == name {
			x := float64(f.Value)
			return x, !math.IsNaN(x) && !math.IsInf(x, 0)
		}
	}
	return math.NaN(), false
}
