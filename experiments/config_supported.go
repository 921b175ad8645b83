package experiments

import (
	"fmt"
	"slices"
	"strings"
)

// supported records the values that the design names and that the runner
// cannot do yet. To support one, add it to its line here, or delete the line.
func (v *validator) supported(c *Config) {
	v.only("data.source", c.Data.Source, "digits")
	v.machinesSupported(c)
	for i, m := range c.Machines {
		if m.Rule == "adaptive" {
			v.notYet(itemPath("machines", i)+".rule", m.Rule, strings.ReplaceAll(exactRules, ", adaptive", ""))
		}
	}
}

// machinesSupported records what no machine accounts for yet.
func (v *validator) machinesSupported(c *Config) {
	if len(c.Machines) == 0 {
		return
	}
	o := &c.Training.Optimizer
	const none = "%s; or machines: [] and path_kernel: none"
	switch {
	case o.Kind != "sgd" && o.Kind != "flow":
		v.notYet("training.optimizer.kind", o.Kind, fmt.Sprintf(none, "sgd, flow"))
	case o.Momentum != 0 && o.Kind == "sgd":
		v.notYet("training.optimizer.momentum", decimal(o.Momentum), fmt.Sprintf(none, "0"))
	case o.WeightDecay != 0 && o.Kind == "sgd":
		v.notYet("training.optimizer.weight_decay", decimal(o.WeightDecay), fmt.Sprintf(none, "0"))
	}
	for i, m := range c.Machines {
		path := itemPath("machines", i) + ".family"
		if m.Family == "exact" && o.Kind == "flow" {
			v.fail(path, ConfigError{Found: "exact", Fault: "while training.optimizer.kind is flow, whose steps are no steps of descent", Allowed: "flow"})
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
