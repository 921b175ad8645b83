package experiments

import "strings"

// envPrefix begins the environment variables that configure an experiment:
// PKM_TRAINING_BATCH_SIZE is training.batch_size.
const envPrefix = "PKM_"

// reservedEnv are the variables with that prefix that configure something else.
func reservedEnv() []string { return []string{"PKM_BLAS"} }

// envName returns the environment variable of a full key.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// The order of the sources in a list of faults.
const (
	rankEnvironment = 1
	rankOverride    = 2
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

// environment returns the layer of the PKM_… variables.
func (c *checker) environment(environ []string) *layer {
	names := map[string]*field{}
	var known []string
	c.schema.each(func(f *field) {
		names[envName(f.path)] = f
		known = append(known, envName(f.path))
	})
	reserved := map[string]bool{}
	for _, name := range reservedEnv() {
		reserved[name] = true
	}
	l := &layer{values: map[string]any{}, origins: map[string]origin{}}
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || reserved[name] {
			continue
		}
		src := &source{label: "environment variable " + name, rank: rankEnvironment}
		f := names[name]
		if f == nil {
			c.add(origin{src: src}, ConfigError{
				Fault:   "unknown variable",
				Nearest: nearest(name, known),
				Allowed: "PKM_ and a key, such as PKM_TRAINING_STEPS for training.steps",
			})
			continue
		}
		c.lay(l, src, f, text)
	}
	return l
}

// overrides returns the layer of the key=value texts.
func (c *checker) overrides(overrides []string) *layer {
	l := &layer{values: map[string]any{}, origins: map[string]origin{}}
	for _, override := range overrides {
		src := &source{label: "override " + override, rank: rankOverride}
		key, text, ok := strings.Cut(override, "=")
		key = strings.TrimSpace(key)
		if !ok {
			c.add(origin{src: src}, ConfigError{
				Fault:   "has no =",
				Allowed: "key=value, such as training.steps=100",
			})
			continue
		}
		if f := c.schema.find(key); f != nil {
			c.lay(l, src, f, text)
			continue
		}
		c.unknownOverride(src, key)
	}
	return l
}

// unknownOverride records an override whose key does not exist.
func (c *checker) unknownOverride(src *source, key string) {
	section, path, rest := c.schema, "", key
	for {
		first, more, deeper := strings.Cut(rest, ".")
		name, _, indexed := strings.Cut(first, "[")
		sub := section.child(name)
		if sub != nil && sub.isList() && (deeper || indexed) {
			c.add(origin{src: src}, ConfigError{Key: key, Fault: "a list is replaced as a whole", Allowed: sub.path + "=[…]"})
			return
		}
		if sub == nil || !sub.isSection() || !deeper {
			if sub != nil && !sub.isSection() {
				c.add(origin{src: src}, ConfigError{Key: key, Fault: faultUnknownKey + ": " + sub.path + " has no keys below it", Allowed: sub.path + "=" + sub.allowed()})
				return
			}
			c.unknown(origin{src: src}, key, first, section, path)
			return
		}
		section, path, rest = sub, sub.path, more
	}
}

// lay reads text, as a YAML value, into the key f of the layer.
func (c *checker) lay(l *layer, src *source, f *field, text string) {
	var n *node
	fault := legible(text)
	if fault == nil {
		n, fault = parseYAML(text)
	}
	if fault != nil {
		fault.Key, fault.Line, fault.Column = f.path, 0, 0
		fault.Allowed = f.allowed()
		c.faulty[f.path] = true
		c.add(origin{src: src}, *fault)
		return
	}
	if n == nil {
		n = &node{}
	}
	one := &layer{src: src, origins: map[string]origin{}}
	if value, ok := c.value(one, n, f, f.path); ok {
		l.set(f.path, value)
		l.cover(one)
	}
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
