package experiments

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"pkm/experiments/datasets"
	"pkm/training"
)

const (
	allRules   = "for family exact " + exactRules + "; for family flow " + flowRules
	exactRules = "left, trapezoid, midpoint-K, gauss-K with K from 1 to 64, adaptive"
	flowRules  = "left, trapezoid"

	adaptiveRule = "adaptive"
)

// Rules returns the quadrature rules of a machine family, exact or flow; none
// for any other (design.md §2).
func Rules(family string) []string {
	switch family {
	case "flow":
		return []string{"left", "trapezoid"}
	case "exact":
		rules := []string{"left", "trapezoid", "adaptive"}
		for k := 1; k <= 64; k++ {
			rules = append(rules, "midpoint-"+strconv.Itoa(k), "gauss-"+strconv.Itoa(k))
		}
		return rules
	}
	return nil
}

// crossChecks records the values that are impossible beside other values.
func (v *validator) crossChecks(config *Config) {
	v.data(&config.Data)
	v.layerList(&config.Network)
	v.samples(config)
	v.training(config)
	if len(config.Machines) == 0 && config.PathKernel != "none" && !v.faulty["path_kernel"] {
		v.fail("machines", ConfigError{Found: "an empty list", Fault: "while path_kernel is " + word(config.PathKernel), Allowed: "at least one machine, or path_kernel: none"})
	}
	v.machines(config.Machines)
	v.decompose(config)
	v.bound(config)
	v.baselines(config)
}

// decompose records windows that steps cannot be cut into.
func (v *validator) decompose(config *Config) {
	d, steps := &config.Decompose, config.Training.Steps
	if d.Windows > steps && !v.faulty["training.steps"] {
		v.fail("decompose.windows", ConfigError{Found: strconv.Itoa(d.Windows), Fault: fmt.Sprintf("more than the %d steps", steps), Allowed: "a whole number from 0 to training.steps"})
	}
	if d.Windows > 0 && d.Epochs > 0 {
		v.fail("decompose.epochs", ConfigError{Found: strconv.Itoa(d.Epochs), Fault: fmt.Sprintf("while decompose.windows is %d", d.Windows), Allowed: "one of the two, the other 0"})
	}
}

func (v *validator) data(data *Data) {
	files := []string{"idx", "csv", "npy", "npz", "parquet", "images", "cifar-10"}
	fromFile := slices.Contains(files, data.Source)
	if fromFile && data.Path == "" {
		v.fail("data.path", ConfigError{Found: "no path", Fault: "while data.source is " + data.Source, Allowed: "the path of the file or folder, from the working directory"})
	}
	if !fromFile && data.Source != "fashion-mnist" && data.Path != "" && !v.faulty["data.source"] {
		v.fail("data.path", ConfigError{Found: strconv.Quote(data.Path), Fault: "while data.source is " + data.Source, Allowed: "a path only with the sources fashion-mnist, " + strings.Join(files, ", ")})
	}
	v.misplaced(v.schema.find("data"), reflect.ValueOf(data).Elem(), "data")
	if data.Task == "regression" && len(data.Classes) > 0 {
		v.fail("data.classes", ConfigError{Found: "classes", Fault: "while data.task is regression", Allowed: "[]"})
	}
	if len(data.Classes) == 1 {
		v.fail("data.classes", ConfigError{Found: "one class", Allowed: "at least two classes, such as [3, 8], or [] for every class"})
	}
	for i, class := range data.Classes {
		if first := slices.Index(data.Classes, class); first < i && !v.faulty[itemPath("data.classes", first)] {
			v.fail(itemPath("data.classes", i), ConfigError{Found: strconv.Itoa(class), Fault: "given twice", Allowed: "each class once"})
		}
	}
}

// samples records a demand for samples or classes that the data does not have.
func (v *validator) samples(config *Config) {
	data := &config.Data
	for path := range v.faulty {
		if path == "data" || strings.HasPrefix(path, "data.") {
			return
		}
	}
	if v.withoutData {
		return
	}
	set, err := data.Load()
	if err != nil {
		path := "data.path"
		if data.Path == "" {
			path = "data.source"
		}
		var key *datasets.KeyError
		if errors.As(err, &key) && v.origins[key.Key].src != nil { // the file may be right, the value is not
			path = key.Key
		}
		v.fail(path, ConfigError{Fault: strings.TrimPrefix(err.Error(), "load data: "), Err: err})
		return
	}
	v.dataset = set
	outputs := set.outputs(data.Classes)
	if set.Classes == 0 {
		v.regression(config)
	} else if config.Loss.Kind == training.LogisticName && outputs != 2 {
		v.fail("loss.kind", ConfigError{Found: config.Loss.Kind, Fault: fmt.Sprintf("while the data has %d classes", outputs), Allowed: "logistic for two classes, such as data.classes: [3, 8]; cross-entropy, squared-error"})
	}
	if set.Classes > 0 && config.Loss.Kind == training.LogisticName {
		v.refuseLogProbabilities(config, "while loss.kind logistic has one output, whose softmax is always 1")
	}
	v.network(&config.Network, set, training.Outputs(config.Loss.Kind, outputs))
	_, _, _, err = set.choose(data.Train, data.Query, data.Classes)
	var size *SizeError
	var class *ClassError
	switch {
	case errors.As(err, &class):
		v.fail(itemPath("data.classes", slices.Index(data.Classes, class.Class)), ConfigError{Found: strconv.Itoa(class.Class),
			Fault: "not a class of " + data.Source, Allowed: "whole numbers, " + class.allowed()})
	case errors.As(err, &size):
		path, found, allowed := "data.train", data.Train, fmt.Sprintf("data.train + data.query of at most %d", size.Available)
		if data.Train < size.Available || size.Apart && data.Train == size.Available {
			path, found = "data.query", data.Query
		}
		if size.Apart {
			allowed = fmt.Sprintf("data.train of at most %d and data.query of at most %d", size.Available, size.HeldOut)
		}
		v.fail(path, ConfigError{Found: strconv.Itoa(found), Fault: "more samples than the data has: " + size.Error(), Allowed: allowed})
	}
}

// regression records what needs classes, which the data does not have.
func (v *validator) regression(config *Config) {
	const fault = "while the data has no classes but numbers to predict"
	if config.Loss.Kind != training.SquaredErrorName {
		e := ConfigError{Found: config.Loss.Kind, Fault: fault, Allowed: training.SquaredErrorName}
		path := "loss.kind"
		if v.origins != nil && v.origins[path].src == nil { // the default: the place is what asks for another
			e = ConfigError{Fault: "numbers to predict need loss: {kind: squared-error}; the default is " + config.Loss.Kind}
			path = "data.source"
			if v.origins["data.task"].src != nil {
				path = "data.task"
			}
		}
		v.fail(path, e)
	}
	if config.Data.Noise.Labels > 0 {
		v.fail("data.noise.labels", ConfigError{Found: floatText(config.Data.Noise.Labels), Fault: fault, Allowed: "0"})
	}
	if config.Decompose.Classes {
		v.fail("decompose.classes", ConfigError{Found: "true", Fault: fault, Allowed: "false"})
	}
	v.refuseLogProbabilities(config, fault)
}

// refuseLogProbabilities records machines whose target does not exist.
func (v *validator) refuseLogProbabilities(config *Config, fault string) {
	for i, m := range config.Machines {
		if m.Target == logProbabilityTarget {
			v.fail(itemPath("machines", i)+".target", ConfigError{Found: m.Target, Fault: fault, Allowed: outputsTarget + ", " + lossTarget})
		}
	}
}

func (v *validator) machines(machines []Machine) {
	for i, m := range machines {
		path := itemPath("machines", i)
		for j, earlier := range machines[:i] {
			if m.Name == "" || !strings.EqualFold(m.Name, earlier.Name) {
				continue
			}
			fault := fmt.Sprintf("the name of machines[%d] too", j)
			if m.Name != earlier.Name {
				fault = fmt.Sprintf("which differs from the name %s of machines[%d] only by case", earlier.Name, j)
			}
			v.fail(path+".name", ConfigError{Found: word(m.Name), Fault: fault, Allowed: "a name of its own for each machine, for its folder"})
		}
		if strings.HasSuffix(strings.ToLower(m.Name), ".npy") {
			v.fail(path+".name", ConfigError{Found: word(m.Name), Fault: "which may be the name of an array", Allowed: "a name without .npy"})
		}
		for _, key := range []string{"tolerance", "max_nodes"} {
			if _, given := v.origins[path+"."+key]; given && m.Rule != adaptiveRule {
				v.fail(path+"."+key, ConfigError{Fault: "given while " + path + ".rule is " + word(m.Rule), Allowed: "only with rule: adaptive"})
			}
		}
		rules := Rules(m.Family)
		if rules == nil || slices.Contains(rules, m.Rule) {
			continue // an impossible family is recorded already
		}
		e := ConfigError{Found: word(m.Rule), Fault: "not a rule of family " + m.Family, Allowed: exactRules}
		if m.Family == "flow" {
			e.Allowed = flowRules
		}
		e.Nearest = nearest(m.Rule, rules)
		if stem(e.Nearest) == stem(m.Rule) {
			e.Nearest = "" // only the number differs, and which was meant is unknown
		}
		v.fail(path+".rule", e)
	}
}

// stem returns a rule's name without its number.
func stem(rule string) string { return strings.TrimRight(rule, "0123456789") }
