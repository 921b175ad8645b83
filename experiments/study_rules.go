package experiments

import (
	"fmt"
	"slices"
	"strings"

	"pkm/pathkernel"
)

// usualRules are the rules of a study that names none.
func usualRules(family string) []string {
	if family == pathkernel.FlowFamily {
		return []string{"left", "trapezoid"}
	}
	return []string{"left", "trapezoid", "midpoint-1", "gauss-2", "gauss-3"}
}

// StudyRules returns a machine for each rule: a name of family exact, such as gauss-2, or
// with its family before it, as in flow/trapezoid. The error is a *StudyError.
func StudyRules(rules []string) ([]Machine, error) {
	var machines []Machine
	for _, text := range rules {
		text = strings.TrimSpace(text)
		family, rule, found := strings.Cut(text, "/")
		if !found {
			family, rule = pathkernel.ExactFamily, text
		}
		refuse := func(fault string, args ...any) ([]Machine, error) {
			return nil, &StudyError{Key: "rules", Fault: fmt.Sprintf("found %.60q: ", text) + fmt.Sprintf(fault, args...)}
		}
		allowed := Rules(family)
		switch {
		case allowed == nil:
			return refuse("no family is named %q; allowed: exact, flow", family)
		case rule == adaptiveRule:
			return refuse("its error is set by its tolerance, not by the learning rate; allowed: rules with an order")
		case !slices.Contains(allowed, rule):
			hint := ""
			if near := nearest(rule, allowed); near != "" && stem(near) != stem(rule) {
				hint = " did you mean " + near + "?"
			}
			list := "left, trapezoid, midpoint-K, gauss-K with K from 1 to 64"
			if family == pathkernel.FlowFamily {
				list = flowRules
			}
			return refuse("not a rule of family %s;%s allowed: %s", family, hint, list)
		}
		machines = addMachine(machines, family, rule)
	}
	return machines, nil
}

// usualMachines returns the machines of a configuration and those of the usual rules; and the names of those left out.
func usualMachines(c *Config) (machines []Machine, dropped []string) {
	for _, m := range c.Machines {
		if m.Rule == adaptiveRule {
			dropped = append(dropped, m.Name)
			continue
		}
		machines = append(machines, m)
	}
	for _, family := range []string{pathkernel.ExactFamily, pathkernel.FlowFamily} {
		if !c.Training.Optimizer.suits(family) {
			continue
		}
		for _, rule := range usualRules(family) {
			machines = addMachine(machines, family, rule)
		}
	}
	return machines, dropped
}

// addMachine adds the machine of a rule, with a name of its own, unless there is one.
func addMachine(machines []Machine, family, rule string) []Machine {
	if slices.ContainsFunc(machines, func(m Machine) bool { return m.Family == family && m.Rule == rule && m.Target == outputsTarget }) {
		return machines
	}
	name := rule
	if family == pathkernel.FlowFamily {
		name = family + "-" + rule
	}
	taken := func(m Machine) bool { return strings.EqualFold(m.Name, name) }
	for slices.ContainsFunc(machines, taken) {
		name = family + "-" + name
	}
	return append(machines, Machine{Name: name, Family: family, Rule: rule, Target: outputsTarget, Tolerance: 1e-9, MaxNodes: 512})
}
