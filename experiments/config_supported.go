package experiments

// supported records what no machine can account for.
func (v *validator) supported(c *Config) {
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
