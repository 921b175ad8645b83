package experiments

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"pkm/experiments/datasets"
	"pkm/graphs"
)

// explainedSamples are what is explained: a query of the run, or the samples of a file.
type explainedSamples struct {
	samples *Samples // inputs as the network sees them; a label of −1 is not known
	known   bool     // all have a label or targets
	query   int      // of the run, −1: of a file
	file    string
	index   *int64 // row of the data set, of a query
}

func (s *explainedSamples) count() int { return s.samples.Count() }

func (s *explainedSamples) inputs(k int) []float64 {
	width := len(s.samples.Inputs) / s.count()
	return s.samples.Inputs[k*width : (k+1)*width]
}

// number returns the number of the query, nil of the samples of a file.
func (s *explainedSamples) number() *int {
	if s.query < 0 {
		return nil
	}
	return &s.query
}

// row returns the place of sample k in the file, nil of a query.
func (s *explainedSamples) row(k int) *int {
	if s.query >= 0 {
		return nil
	}
	return &k
}

// samples reads what is to be explained.
func (x *explainer) samples() (*explainedSamples, error) {
	if x.options.Input != "" {
		return x.file()
	}
	if x.options.Label != "" {
		return nil, x.fault("leave it out", "--label is for samples of --input, a query has its own label")
	}
	q, m := x.options.Query, x.run.Summary.Samples.Query
	if q < 0 || q >= m {
		return nil, x.fault(fmt.Sprintf("choose one from 0 to %d, or explain a sample of a file with --input", m-1), "it has no query %d, but %d queries", q, m)
	}
	inputs, err := x.inputs("query_inputs", q)
	if err != nil {
		return nil, err
	}
	if err := x.check("arrays/query_targets.npy"); err != nil {
		return nil, err
	}
	all, err := x.read.readTargets("query_targets")
	if err != nil {
		return nil, err
	}
	indices, err := x.whole("query_indices")
	if err != nil {
		return nil, err
	}
	one := &Samples{Inputs: inputs, Indices: indices[q : q+1]}
	if all.Labels != nil {
		one.Labels = all.Labels[q : q+1]
	} else {
		c := x.run.Summary.Outputs
		one.Targets = all.Targets[q*c : (q+1)*c]
	}
	return &explainedSamples{samples: one, known: true, query: q, index: &indices[q]}, nil
}

// file reads the samples of a file and standardises them as the training samples were.
func (x *explainer) file() (*explainedSamples, error) {
	d, path := x.config.Data, x.options.Input
	features := graphs.Shape(x.shape).Size()
	options := datasets.Options{Path: path, Target: d.Target, Header: d.Header, Regression: x.classes == nil, ChannelsLast: d.Channels == "last", Features: features, Names: x.featureNames()}
	if d.Source == "csv" || d.Source == "parquet" {
		options.Inputs = d.Inputs
	} else {
		options.Target = ""
	}
	if options.Header == "" || options.Header == "absent" {
		options.Header = "auto" // the file need not be as that of the data
	}
	t, err := datasets.NewReader().Samples(options)
	if err != nil {
		return nil, x.fault("mend the file, or give another with --input", "%v", err)
	}
	s := &explainedSamples{query: -1, file: path, samples: &Samples{Inputs: t.Values, Indices: make([]int64, t.Rows)}}
	if t.Pixels != nil {
		s.samples.Inputs = make([]float64, len(t.Pixels))
		for i, p := range t.Pixels {
			s.samples.Inputs[i] = float64(p) / 255
		}
	}
	u, err := x.units()
	if err != nil {
		return nil, err
	}
	if err := u.standardize(s.samples.Inputs); err != nil {
		return nil, x.fault("check the unit of the inputs", "%s: %v", path, err)
	}
	return s, x.labelSamples(s, t)
}

// labelSamples gives the samples of a file the labels that are known of them.
func (x *explainer) labelSamples(s *explainedSamples, t *datasets.Table) error {
	n, c := t.Rows, x.run.Summary.Outputs
	texts := t.Labels
	if x.options.Label != "" {
		texts = nil
		for range n {
			texts = append(texts, x.options.Label)
		}
	}
	if x.classes != nil {
		s.samples.Labels, s.known = make([]int, n), true
		for i := range n {
			s.samples.Labels[i] = -1
			if texts == nil {
				s.known = false
				continue
			}
			var err error
			if s.samples.Labels[i], err = x.class(texts[i], "the label"); err != nil {
				return err
			}
		}
		return nil
	}
	if len(t.Targets) == n*c {
		s.samples.Targets = t.Targets
	}
	if x.options.Label != "" {
		s.samples.Targets = nil
		for range n {
			for text := range strings.SplitSeq(x.options.Label, ",") {
				v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
				if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
					return x.fault("name the numbers to predict, separated by commas", "--label %s holds %q, a number is due", x.options.Label, text)
				}
				s.samples.Targets = append(s.samples.Targets, v)
			}
		}
		if len(s.samples.Targets) != n*c {
			return x.fault(fmt.Sprintf("name %d", c), "--label %s holds %d number(s), a sample of the run has %d to predict", x.options.Label, len(s.samples.Targets)/n, c)
		}
	}
	s.known = s.samples.Targets != nil
	return nil
}

// featureNames returns what the data call the inputs of a sample; nil where they have no names.
func (x *explainer) featureNames() []string {
	if names := x.run.Manifest.Data.Inputs; len(names) == graphs.Shape(x.shape).Size() {
		return names
	}
	return nil
}
