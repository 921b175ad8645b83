package experiments

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The targets of an explanation, beside those of machines.
const outputTarget, classTarget, marginTarget = "output", "class", "margin"

// explainedTarget is what is explained: Σ weight·h_c of the values h of a machine's target.
type explainedTarget struct {
	machine *Machine // that accounts for h
	h       string   // outputs, loss or log-probability: what is followed
	kind    string   // of an ExplainTarget
	class   int      // −1: the one that the network predicts
	against int      // of a margin; −1: the best of the others
}

// term is a part of a target.
type term struct {
	index  int // of h
	weight float64
}

// resolve finds out what is asked for, and which machine accounts for it.
func (x *explainer) resolve(s *explainedSamples) (*explainedTarget, error) {
	o, t := &x.options, &explainedTarget{class: -1, against: -1}
	machines := x.config.Machines
	if len(machines) == 0 {
		return nil, x.fault("run it again with +machines='{name: exact, family: exact, rule: gauss-3}'", "the run has no machine, so nothing of it is accounted for")
	}
	if o.Machine != "" {
		i := slices.IndexFunc(machines, func(m Machine) bool { return m.Name == o.Machine })
		if i < 0 {
			return nil, x.fault("name one of them with --machine", "it has no machine %q, but %s", o.Machine, x.machineNames())
		}
		t.machine = &machines[i]
	}
	t.kind = o.Target
	switch {
	case t.kind == "" && o.Against != "":
		t.kind = marginTarget
	case t.kind == "" && t.machine != nil && t.machine.Target != outputsTarget:
		t.kind = t.machine.Target
	case t.kind == "", t.kind == classTarget, t.kind == outputsTarget:
		t.kind = outputTarget
	}
	switch t.kind {
	case outputTarget, marginTarget:
		t.h = outputsTarget
	case lossTarget, logProbabilityTarget:
		t.h = t.kind
	default:
		return nil, x.fault("--target is output (or class), margin, loss or log-probability", "there is no target %q", t.kind)
	}
	if t.machine == nil {
		if i := slices.IndexFunc(machines, func(m Machine) bool { return m.Target == t.h }); i >= 0 {
			t.machine = &machines[i]
		} else {
			t.machine = &machines[0]
		}
	}
	return t, x.resolveClasses(t, s)
}

// resolveClasses reads the classes of a target, and refuses what it has not.
func (x *explainer) resolveClasses(t *explainedTarget, s *explainedSamples) (err error) {
	o := &x.options
	if t.kind == lossTarget {
		if o.Class != "" {
			return x.fault("leave --class out, or choose --target output, margin or log-probability", "the loss of a sample is no value of a class, found --class %s", o.Class)
		}
		if !s.known {
			return x.fault("name its class, or the numbers to predict, with --label", "%s has no label, without which it has no loss", o.Input)
		}
	}
	if o.Against != "" && t.kind != marginTarget {
		return x.fault("choose --target margin, or leave --against out", "--against is of a margin, found --target %s", t.kind)
	}
	if t.kind == logProbabilityTarget && (x.classes == nil || x.run.Summary.Outputs == 1) {
		return x.fault("choose --target output or loss", "log-probabilities are of two or more outputs of classes, the run has loss.kind %s and %d output(s)", x.config.Loss.Kind, x.run.Summary.Outputs)
	}
	if t.kind == marginTarget && x.run.Summary.Outputs == 1 && x.classes == nil {
		return x.fault("choose --target output", "a margin is the difference of two outputs, the run has one")
	}
	if t.kind == marginTarget && x.classes == nil && o.Against == "" {
		return x.fault("name the other with --against", "a margin is the difference of two outputs, found one")
	}
	if o.Class != "" {
		if t.class, err = x.class(o.Class, "--class"); err != nil {
			return err
		}
	} else if x.classes == nil && t.kind != lossTarget {
		t.class = 0
	}
	if o.Against != "" {
		if t.against, err = x.class(o.Against, "--against"); err != nil {
			return err
		}
		if t.against == t.class {
			return x.fault("name two classes", "--class and --against are both %s", x.className(t.class))
		}
	}
	return nil
}

// class returns the number of a class, or of an output of a regression, that text names.
func (x *explainer) class(text, flag string) (int, error) {
	if i := slices.Index(x.classes, text); i >= 0 {
		return i, nil
	}
	count, whole := max(x.run.Summary.Outputs, len(x.classes)), false
	for _, name := range x.classes {
		whole = whole || isWhole(name)
	}
	if i, err := strconv.Atoi(text); err == nil && !whole && i >= 0 && i < count {
		return i, nil
	}
	allowed := fmt.Sprintf("the outputs 0 to %d", count-1)
	if x.classes != nil {
		allowed = "the classes " + strings.Join(x.classes[:min(20, count)], ", ")
		if count > 20 {
			allowed += ", …"
		}
	}
	return 0, x.fault("choose one of them", "%s %s: the run has %s", flag, text, allowed)
}

// className returns what a class is called.
func (x *explainer) className(c int) string {
	if x.classes == nil {
		return strconv.Itoa(c)
	}
	return x.classes[c]
}

// of returns the target of a sample whose final outputs are f (C), as a sum over h, and what it is called.
func (t *explainedTarget) of(x *explainer, f []float64) ([]term, ExplainTarget, error) {
	e := ExplainTarget{Kind: t.kind}
	if t.kind == lossTarget {
		e.Text = "the loss (" + x.config.Loss.Kind + ") of its label"
		return []term{{0, 1}}, e, nil
	}
	c, d := t.class, t.against
	if c < 0 {
		if c = t.best(f, d); c < 0 {
			return nil, e, x.fault("name a class with --class", "an output of the network is not a number, so that it predicts no class")
		}
	}
	e.Class = x.className(c)
	what := "class " + e.Class
	if x.classes == nil {
		what = "output " + e.Class
	}
	sign := func(c int) float64 { // of the logit of class 1, the only output of two classes
		return float64(2*c - 1)
	}
	logit := len(f) == 1 && x.classes != nil
	switch {
	case t.kind == marginTarget:
		if d < 0 {
			d = t.best(f, c)
		}
		e.Against = x.className(d)
		if logit {
			e.Text = fmt.Sprintf("the margin of class %s over %s: the logit, log p(%s) − log p(%s)", e.Class, e.Against, e.Class, e.Against)
			return []term{{0, sign(c)}}, e, nil
		}
		e.Text = fmt.Sprintf("the margin of %s over %s, the difference of their outputs", what, e.Against)
		return []term{{c, 1}, {d, -1}}, e, nil
	case t.kind == logProbabilityTarget:
		e.Text = "the log-probability of " + what
	case logit && c == 0:
		e.Text = fmt.Sprintf("minus the output, the logit of class %s, which speaks for class %s", x.className(1), e.Class)
		return []term{{0, -1}}, e, nil
	case logit:
		e.Text = "the output, the logit of " + what
		return []term{{0, 1}}, e, nil
	case x.classes == nil:
		e.Text = what
	default:
		e.Text = "the output of " + what
	}
	return []term{{c, 1}}, e, nil
}

// best returns the class that outputs choose, but for one (−1: none).
func (t *explainedTarget) best(f []float64, but int) int {
	if len(f) == 1 {
		if but >= 0 {
			return 1 - but
		}
		return class(f)
	}
	if class(f) < 0 { // there is one that is not a number
		return -1
	}
	best := -1
	for c, v := range f {
		if c != but && (best < 0 || v > f[best]) {
			best = c
		}
	}
	return best
}
