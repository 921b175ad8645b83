package experiments

import (
	"slices"
	"strings"
)

// envPrefix begins the environment variables that configure an experiment:
// PKM_TRAINING_BATCH_SIZE is training.batch_size.
const envPrefix = "PKM_"

// reservedEnv are the variables with that prefix that configure something else.
func reservedEnv() []string { return []string{"PKM_BLAS", "PKM_SERVER_TOKEN"} }

// envName returns the environment variable of a full key.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// The order of the sources in a list of faults.
const (
	rankEnvironment = 1
	rankOverride    = 1_000_000 // and following, one for each
)

// defaults returns the layer below all others.
func (c *checker) defaults() *layer {
	l := &layer{values: map[string]any{}}
	c.schema.each(func(f *field) {
		if text, ok := f.tag.Lookup("default"); ok {
			l.set(f.path, c.parseDefault(f, text))
		}
	})
	return l
}

// parseDefault returns the default of f. The tests load every default; a fault
// in one is a fault like any other.
func (c *checker) parseDefault(f *field, text string) any {
	n, fault := parseYAML(text)
	if fault != nil || n == nil {
		c.add(origin{}, ConfigError{Key: f.path, Fault: "the default cannot be read", Found: text})
		return nil
	}
	value, _ := c.value(&layer{origins: map[string]origin{}}, n, f, f.path)
	return value
}

// environment returns what the PKM_… variables say, those of sections before
// those of their keys.
func (c *checker) environment(environ []string) []*node {
	names := map[string]*field{}
	var known []string
	c.schema.each(func(f *field) {
		names[envName(f.path)] = f
		known = append(known, envName(f.path))
	})
	var docs []*node
	environ = slices.Clone(environ)
	slices.SortStableFunc(environ, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return strings.Compare(nameA, nameB)
	})
	for i, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(reservedEnv(), name) {
			continue
		}
		src := &source{label: "environment variable " + name, rank: rankEnvironment + min(i, rankOverride-2), lines: strings.Split(variable, "\n")}
		f := names[name]
		if f == nil {
			c.add(origin{src: src, line: 1, col: 1}, ConfigError{
				Fault:   "unknown variable",
				Nearest: nearest(name, known),
				Allowed: "PKM_ and a key, such as PKM_TRAINING_STEPS for training.steps",
			})
			continue
		}
		set := &change{checker: c, op: '=', place: origin{src: src, line: 1, col: 1}, text: text, before: len([]rune(name)) + 1}
		docs = set.apply(docs, f.path)
	}
	return docs
}

// set puts value under the full key path, into the sections that are there.
func (l *layer) set(path string, value any) {
	section := l.values
	for {
		first, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			if old, ok := section[first].(map[string]any); ok {
				if given, ok := value.(map[string]any); ok {
					overlay(old, given)
					return
				}
			}
			section[first] = value
			return
		}
		next, ok := section[first].(map[string]any)
		if !ok {
			next = map[string]any{}
			section[first] = next
		}
		section, path = next, rest
	}
}

// overlay lays the nested values of top over those of bottom.
func overlay(bottom, top map[string]any) {
	for key, value := range top {
		old, isOld := bottom[key].(map[string]any)
		given, isGiven := value.(map[string]any)
		if isOld && isGiven {
			overlay(old, given)
		} else {
			bottom[key] = value
		}
	}
}

// cover lays the origins of top over those of l; a list covers all the items
// of the list below it.
func (l *layer) cover(top *layer) {
	for path := range top.origins {
		for old := range l.origins {
			if strings.HasPrefix(old, path+"[") {
				delete(l.origins, old)
			}
		}
	}
	for path, o := range top.origins {
		l.origins[path] = o
	}
}

// find returns the key with the full path, or nil.
func (f *field) find(path string) *field {
	var found *field
	f.each(func(sub *field) {
		if sub.path == path {
			found = sub
		}
	})
	return found
}
