package experiments

import (
	"fmt"
	"reflect"
)

// What a fast development run has at most.
const (
	devSteps = 3
	devTrain = 20
	devQuery = 5
	devBatch = 10
)

// shorten makes a configuration with fast_dev_run one of a few steps and samples, in which everything else is as it was:
// network, machines, baselines, shares and analysis. Twice is as good as once.
func (c *Config) shorten() {
	if !c.FastDevRun {
		return
	}
	t := &c.Training
	if o := &t.Optimizer; o.Kind == "flow" { // as far as so many steps of one length go, the last of which is half as long
		o.Time *= float64(min(t.Steps, devSteps)) / float64(t.Steps)
		o.FixedStep, o.MaxStep = o.Time/(float64(min(t.Steps, devSteps))-0.5), 0
	}
	t.Steps, c.Data.Train, c.Data.Query = min(t.Steps, devSteps), min(c.Data.Train, devTrain), min(c.Data.Query, devQuery)
	t.BatchSize = min(t.BatchSize, devBatch) // 0 stays every sample
	t.Checkpoints.Every = min(t.Checkpoints.Every, 1)
	c.Decompose.Windows = min(c.Decompose.Windows, t.Steps)
	c.Analysis.Every, c.Analysis.Samples = min(c.Analysis.Every, 1), min(c.Analysis.Samples, c.Data.Train)
}

// shorten is [Config.shorten]; the values that it changes come from the key fast_dev_run, wherever that is given.
func (c *checker) shorten(config *Config, given map[string]origin) {
	if !config.FastDevRun {
		return
	}
	long := *config
	config.shorten()
	from := given["fast_dev_run"]
	from.via = "fast_dev_run"
	c.schema.each(func(f *field) {
		if f.isSection() || f.isList() {
			return
		}
		if a, b := valueAt(c.schema, &long, f.path), valueAt(c.schema, config, f.path); a.IsValid() && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			given[f.path] = from
		}
	})
	c.withoutData = true // the samples were looked for
	c.validate(config, given)
}

// valueAt returns the value of the key at path, of sections within sections.
func valueAt(schema *field, config *Config, path string) reflect.Value {
	steps, _, _ := parsePath(path)
	v, f := reflect.ValueOf(config).Elem(), schema
	for _, s := range steps {
		i := 0
		for i < len(f.children) && f.children[i].key != s.key {
			i++
		}
		if i == len(f.children) {
			return reflect.Value{}
		}
		v, f = v.Field(i), f.children[i]
	}
	return v
}

// devNote says that a run is one of development.
func (c *Config) devNote() string {
	if !c.FastDevRun {
		return ""
	}
	return fmt.Sprintf("; fast_dev_run: at most %d steps, %d training and %d query samples, to see that everything works", devSteps, devTrain, devQuery)
}
