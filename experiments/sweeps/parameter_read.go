package sweeps

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"pkm/experiments"
)

// parameterFile is the schema of one parameter.
type parameterFile struct {
	Distribution string           `yaml:"distribution" default:"categorical" oneof:"uniform log_uniform int_uniform q_uniform normal log_normal categorical constant"`
	Min          float64          `yaml:"min" when:"distribution uniform log_uniform int_uniform q_uniform" default:"0" also:"minimum low lower"`
	Max          float64          `yaml:"max" when:"distribution uniform log_uniform int_uniform q_uniform" default:"0" also:"maximum high upper"`
	Q            float64          `yaml:"q" when:"distribution q_uniform" default:"1" above:"0"`
	Mu           float64          `yaml:"mu" when:"distribution normal log_normal" default:"0"`
	Sigma        float64          `yaml:"sigma" when:"distribution normal log_normal" default:"1" above:"0"`
	Values       experiments.Node `yaml:"values" default:"null" note:"a list of values, such as [8, 16]"`
	Value        experiments.Node `yaml:"value" default:"null" note:"a value"`
	When         experiments.Node `yaml:"when" default:"null" note:"a mapping of parameters above this one to their values, such as {training.optimizer.kind: adam}"`
}

// parameter reads one parameter of the file.
func (r *reader) parameter(e experiments.Entry, space Space) (*Parameter, bool) {
	path := "parameters." + e.Key
	p := &Parameter{Key: e.Key, at: e.At, place: e.Value}
	if !e.Value.IsMapping() {
		found := experiments.ConfigError{Key: path, Found: e.Value.Found(), Allowed: "a distribution, {values: […]} or {value: …}"}
		if e.Value.IsList() {
			found.Nearest = "{values: " + e.Value.String() + "}"
		} else if !e.Value.IsNull() {
			found.Nearest = "{value: " + e.Value.String() + "}"
		}
		r.Fail(e.Value, found)
		return nil, false
	}
	given := map[string]experiments.Node{}
	for _, sub := range e.Value.Entries() {
		given[sub.Key] = sub.Value
	}
	_, named := given["distribution"]
	_, values := given["values"]
	_, value := given["value"]
	if !named && !values && !value {
		r.shapeless(path, e, given)
		return nil, false
	}
	var f parameterFile
	if !r.Section(e.Value, path, &f) {
		return nil, false
	}
	p.Distribution, p.Min, p.Max, p.Q, p.Mu, p.Sigma = f.Distribution, f.Min, f.Max, f.Q, f.Mu, f.Sigma
	p.distributionOf = e.Value
	if n, ok := given["distribution"]; ok {
		p.distributionOf = n
	}
	fail := func(n experiments.Node, key string, e experiments.ConfigError) (*Parameter, bool) {
		e.Key = path + key
		r.Fail(n, e)
		return nil, false
	}
	switch {
	case values && value:
		return fail(given["value"], ".value", experiments.ConfigError{Found: f.Value.String(), Fault: "beside values", Allowed: "one of the two"})
	case named && p.numeric() && (values || value):
		return fail(p.distributionOf, ".distribution", experiments.ConfigError{Found: p.Distribution, Fault: "beside values", Allowed: "a distribution, or values, or a value"})
	case value:
		p.Distribution, p.nodes = "constant", []experiments.Node{f.Value}
	case values && (!f.Values.IsList() || len(f.Values.Items()) == 0):
		fault := experiments.ConfigError{Found: f.Values.Found(), Allowed: "a list of values, such as [8, 16]"}
		if !f.Values.IsNull() && !f.Values.IsList() {
			fault.Nearest = "[" + f.Values.String() + "]"
		} else if f.Values.IsList() {
			fault.Found = "an empty list"
		}
		return fail(given["values"], ".values", fault)
	case values:
		p.Distribution, p.nodes = "categorical", f.Values.Items()
	case p.Distribution == "categorical" || p.Distribution == "constant":
		return fail(e.Value, ".values", experiments.ConfigError{Fault: "missing, while distribution is " + p.Distribution, Allowed: "values: […], or value: …"})
	}
	for i, n := range p.nodes {
		text := n.String()
		if j := slices.Index(p.Values, text); j >= 0 {
			return fail(n, ".values["+strconv.Itoa(i)+"]", experiments.ConfigError{Found: text, Fault: "given twice", Allowed: "each value once"})
		}
		p.Values = append(p.Values, text)
	}
	if p.numeric() && !r.bounds(p, path, given) {
		return nil, false
	}
	if n, ok := given["when"]; ok {
		p.whenOf = n
		return p, r.when(p, path+".when", n, space)
	}
	return p, true
}

// shapeless records a parameter that gives no values in any way.
func (r *reader) shapeless(path string, e experiments.Entry, given map[string]experiments.Node) {
	const ways = "distribution: uniform, log_uniform, int_uniform, q_uniform, normal, log_normal; or values: […]; or value: …"
	for _, sub := range e.Value.Entries() {
		if sub.Value.IsMapping() {
			r.Fail(sub.At, experiments.ConfigError{Key: path, Fault: "a mapping of parameters", Nearest: e.Key + "." + sub.Key + ": " + sub.Value.String(), Allowed: "full keys, with dots"})
			return
		}
	}
	fault := experiments.ConfigError{Key: path, Fault: "says no values", Allowed: ways}
	if _, min := given["min"]; min {
		fault = experiments.ConfigError{Key: path + ".distribution", Fault: "missing", Allowed: ways}
	}
	r.Fail(e.Value, fault)
}

// bounds checks the numbers of a distribution.
func (r *reader) bounds(p *Parameter, path string, given map[string]experiments.Node) bool {
	if p.Distribution == "normal" || p.Distribution == "log_normal" {
		return true
	}
	fail := func(key string, e experiments.ConfigError) bool {
		e.Key = path + "." + key
		n, ok := given[key]
		if !ok {
			n = p.place
		}
		r.Fail(n, e)
		return false
	}
	for _, key := range []string{"min", "max"} {
		if _, ok := given[key]; !ok {
			return fail(key, experiments.ConfigError{Fault: "missing, while distribution is " + p.Distribution, Allowed: "a number"})
		}
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	switch whole := p.Distribution == "int_uniform"; {
	case p.Distribution == "log_uniform" && p.Min <= 0:
		return fail("min", experiments.ConfigError{Found: number(p.Min), Fault: "while distribution is log_uniform", Allowed: "a number above 0: the least value itself, not its logarithm"})
	case whole && p.Min != math.Trunc(p.Min):
		return fail("min", experiments.ConfigError{Found: number(p.Min), Fault: "while distribution is int_uniform", Allowed: "a whole number"})
	case whole && p.Max != math.Trunc(p.Max):
		return fail("max", experiments.ConfigError{Found: number(p.Max), Fault: "while distribution is int_uniform", Allowed: "a whole number"})
	case p.Max <= p.Min:
		return fail("max", experiments.ConfigError{Found: number(p.Max), Fault: "not above min, which is " + number(p.Min), Allowed: "a larger number"})
	case whole && p.Max-p.Min > 1e9:
		return fail("max", experiments.ConfigError{Found: number(p.Max), Fault: "too far from min", Allowed: "at most a billion values"})
	case p.Distribution == "q_uniform":
		first, last := math.Ceil(p.Min/p.Q-1e-9), math.Floor(p.Max/p.Q+1e-9)
		if last < first || last-first > 1e9 || math.Abs(first) > 1e15 {
			return fail("q", experiments.ConfigError{Found: number(p.Q), Fault: "of which no multiple, or too many, lie between min and max", Allowed: "a step smaller than max − min"})
		}
		p.firstMultiple, p.multiple = int(first), int(last-first)+1
	}
	return true
}

// when reads the condition of a parameter, on parameters above it.
func (r *reader) when(p *Parameter, path string, n experiments.Node, space Space) bool {
	if !n.IsMapping() {
		r.Fail(n, experiments.ConfigError{Key: path, Found: n.Found(), Allowed: "a mapping such as {training.optimizer.kind: adam}"})
		return false
	}
	for _, e := range n.Entries() {
		key := path + "." + e.Key
		i := slices.IndexFunc(space, func(other *Parameter) bool { return other.Key == e.Key })
		if i < 0 {
			var known []string
			for _, other := range space {
				known = append(known, other.Key)
			}
			allowed := "a parameter above this one"
			if len(known) > 0 {
				allowed += ": " + strings.Join(known, ", ")
			}
			r.Fail(e.At, experiments.ConfigError{Key: key, Fault: "not a parameter above this one", Nearest: experiments.Nearest(e.Key, known), Allowed: allowed})
			return false
		}
		parent := space[i]
		if parent.numeric() {
			r.Fail(e.At, experiments.ConfigError{Key: key, Fault: "a parameter with the distribution " + parent.Distribution, Allowed: "a parameter with values"})
			return false
		}
		c := Condition{Key: e.Key, parent: i}
		items := []experiments.Node{e.Value}
		if e.Value.IsList() && !slices.Contains(parent.Values, e.Value.String()) {
			items = e.Value.Items()
		}
		for _, item := range items {
			if !slices.Contains(parent.Values, item.String()) {
				r.Fail(item, experiments.ConfigError{Key: key, Found: item.String(), Fault: "which is no value of " + e.Key, Nearest: experiments.Nearest(item.String(), parent.Values), Allowed: strings.Join(parent.Values, ", ")})
				return false
			}
			c.Values = append(c.Values, item.String())
		}
		p.When = append(p.When, c)
	}
	return true
}
