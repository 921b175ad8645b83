package experiments

import (
	"slices"
	"strings"
)

// supported records the values that the design names and that the runner
// cannot do yet. To support one, add it to its line here, or delete the line.
func (v *validator) supported(c *Config) {
	v.only("data.source", c.Data.Source, supportedSources()...)
	v.machinesSupported(c)
}

// machinesSupported records what no machine can account for.
func (v *validator) machinesSupported(c *Config) {
	o := &c.Training.Optimizer
	if v.faulty["training.optimizer.kind"] {
		return
	}
	for i, m := range c.Machines {
		path := itemPath("machines", i) + ".family"
		switch {
		case o.suits(m.Family):
		case m.Family == "exact":
			v.fail(path, ConfigError{Found: "exact", Fault: "while training.optimizer.kind is flow, whose steps are no steps of descent", Allowed: "flow"})
		case m.Family == "flow":
			v.fail(path, ConfigError{Found: "flow", Fault: "while the steps of " + o.describe() + " do not follow the gradient flow", Allowed: "exact; flow with plain sgd and with training.optimizer.kind: flow"})
		}
	}
	if len(c.Machines) > 0 && c.PathKernel == "full" && !o.plain() {
		v.fail("path_kernel", ConfigError{Found: "full", Fault: "while the steps of " + o.describe() + " have no coefficients of a kernel", Allowed: "trace, none"})
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
