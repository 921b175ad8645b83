package experiments

import (
	"slices"
	"strconv"
	"strings"
)

// supported records the values that the design names and that the runner
// cannot do yet. To support one, add it to its line here, or delete the line.
func (v *validator) supported(c *Config) {
	v.only("data.source", c.Data.Source, "digits")
	v.only("loss.kind", c.Loss.Kind, "cross-entropy", "squared-error")
	v.only("training.optimizer.kind", c.Training.Optimizer.Kind, "sgd")
	v.only("training.schedule.kind", c.Training.Schedule.Kind, "constant")
	if n := c.Training.BatchSize; n != 0 {
		v.notYet("training.batch_size", strconv.Itoa(n), "0 (every sample of data.train)")
	}
	if x := c.Training.Optimizer.Momentum; x != 0 {
		v.notYet("training.optimizer.momentum", strconv.FormatFloat(x, 'g', -1, 64), "0")
	}
	if c.Training.Optimizer.Nesterov {
		v.notYet("training.optimizer.nesterov", "true", "false")
	}
	if x := c.Training.Optimizer.WeightDecay; x != 0 {
		v.notYet("training.optimizer.weight_decay", strconv.FormatFloat(x, 'g', -1, 64), "0")
	}
	for i, m := range c.Machines {
		if m.Rule == "adaptive" {
			v.notYet(itemPath("machines", i)+".rule", m.Rule, strings.ReplaceAll(exactRules, ", adaptive", ""))
		}
	}
}

// only records the word at path unless it is one of the supported ones.
func (v *validator) only(path, found string, supported ...string) {
	if !slices.Contains(supported, found) {
		v.notYet(path, found, strings.Join(supported, ", "))
	}
}

func (v *validator) notYet(path, found, supported string) {
	v.fail(path, ConfigError{Found: found, Fault: faultUnsupported, Allowed: supported})
}
