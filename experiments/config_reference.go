package experiments

import (
	"slices"
	"strings"
)

// part is a piece of a text: text as it is, or a reference.
type part struct {
	text string // what stands between ${ and } of a reference
	ref  bool
}

func (p part) String() string { return "${" + p.text + "}" }

// splitReferences splits a text at its references, ${…}; $${ stands for ${.
// Where it cannot be split, fault says why.
func splitReferences(text string) (parts []part, fault string) {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, part{text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "$${"):
			plain.WriteString("${")
			i += len("$${")
		case strings.HasPrefix(text[i:], "${"):
			flush()
			inner := text[i+len("${"):]
			end, open := 0, 1
			for ; end < len(inner); end++ {
				if inner[end] == '{' {
					open++
				}
				if inner[end] == '}' {
					open--
				}
				if open == 0 {
					break
				}
			}
			switch {
			case open > 0:
				return nil, "a reference without its }"
			case strings.Contains(inner[:end], "${"):
				return nil, "a reference inside of a reference"
			}
			parts = append(parts, part{text: inner[:end], ref: true})
			i += len("${") + end + len("}")
		default:
			plain.WriteByte(text[i])
			i++
		}
	}
	flush()
	return parts, ""
}

// escapeReferences returns text such that [splitReferences] gives it back.
func escapeReferences(text string) string { return strings.ReplaceAll(text, "${", "$${") }

// refer returns what the reference p, in the text n at path, stands for.
func (r *resolver) refer(n *node, path string, p part) *node {
	const allowed = "${a.key}, ${env:NAME} or ${env:NAME,VALUE}"
	if scheme, rest, ok := strings.Cut(p.text, ":"); ok {
		e := ConfigError{Found: p.String(), Fault: "which is no reference", Allowed: allowed}
		switch scheme {
		case "env":
			return r.variable(n, path, p, rest)
		case "oc.env", "ENV", "Env", "environ":
			e.Nearest = "${env:" + rest + "}"
		}
		r.fail(n, path, p, e)
		return nil
	}
	steps, fault, _ := parsePath(p.text)
	if fault != "" {
		r.fail(n, path, p, ConfigError{Found: p.String(), Fault: "which is no key: " + fault, Allowed: allowed})
		return nil
	}
	return r.lookUp(n, path, p, steps)
}

// variable returns the value of ${env:…}.
func (r *resolver) variable(n *node, path string, p part, text string) *node {
	name, instead, hasInstead := strings.Cut(text, ",")
	name = strings.TrimSpace(name)
	value, set := r.environ[name]
	switch {
	case !matches(`^[A-Za-z_][A-Za-z0-9_]*$`, name):
		r.fail(n, path, p, ConfigError{Found: p.String(), Fault: "which names no environment variable", Allowed: "letters, digits and _ in ${env:NAME} or ${env:NAME,VALUE}"})
		return nil
	case !set && !hasInstead:
		var names []string
		for known := range r.environ {
			names = append(names, known)
		}
		slices.Sort(names)
		e := ConfigError{Found: p.String(), Fault: "an environment variable that is not set", Allowed: "a variable that is set, or ${env:" + name + ",VALUE} with a value for when it is not"}
		if near := nearest(name, names); near != "" {
			e.Nearest = "${env:" + near + "}"
		}
		r.fail(n, path, p, e)
		return nil
	case !set:
		value = instead
	}
	return looseNode(value)
}

// looseNode reads the text of a variable: a number, true, false or nothing as in
// YAML, a list in brackets, and text otherwise.
func looseNode(text string) *node {
	trimmed := strings.TrimSpace(text)
	if kind := plainKind(trimmed); kind != textNode {
		return &node{kind: kind, text: trimmed, loose: true}
	}
	if strings.HasPrefix(trimmed, "[") && legible(trimmed) == nil {
		if list, fault := parseYAML(trimmed); fault == nil && list != nil && list.kind == listNode {
			return list
		}
	}
	return &node{kind: textNode, text: trimmed, loose: true}
}

// lookUp returns the value at the steps of the merged configuration.
func (r *resolver) lookUp(at *node, path string, p part, steps []step) *node {
	fail := func(e ConfigError) *node {
		nothing := strings.Trim(e.Found+", "+e.Fault, ", ")
		e.Found, e.Fault = p.String(), "which refers to nothing: "+nothing
		if e.Nearest != "" {
			e.Nearest = "${" + e.Nearest + "}"
		}
		r.fail(at, path, p, e)
		return nil
	}
	n, f, isItem := r.merged, r.schema, false
	for i, s := range steps {
		here := pathText(steps[:i])
		_, bad, parent := f.descend(steps[i : i+1])
		isItem = f.isList()
		switch {
		case bad == 0:
			return fail(r.noSuchKey(steps, i, parent))
		case f.isList():
			if n == nil {
				n = r.defaultNode(f)
			}
			index, fault := n.item(here, s)
			if fault != nil {
				return fail(*fault)
			}
			n, f = n.items[index], f.item()
		default:
			if kind := r.kind(n, f, here); kind != "" && !f.child(s.key).of(kind) {
				return fail(ConfigError{Fault: s.key + " is not a key of kind " + kind, Allowed: strings.Join(f.only(kind).keys(), ", ")})
			}
			n, f = n.entry(s.key), f.child(s.key)
		}
		if n != nil && n.hasReference() {
			if n = r.text(n, pathText(steps[:i+1])); n == nil {
				return nil
			}
		}
	}
	if text, ok := f.tag.Lookup("default"); n == nil && ok && !isItem {
		n, _ = parseYAML(text)
	}
	switch {
	case f.isSection() && !isItem:
		r.fail(at, path, p, ConfigError{Found: p.String(), Fault: "which is a mapping", Allowed: "one of its keys, " + strings.Join(f.keys(), ", ")})
		return nil
	case n == nil:
		return fail(ConfigError{Fault: pathText(steps) + " has no value", Allowed: "a key that has a value"})
	}
	return r.value(n, pathText(steps))
}

// kind returns the kind of the section n with the field f.
func (r *resolver) kind(n *node, f *field, path string) string {
	kind := f.child("kind")
	if kind == nil {
		return ""
	}
	given := n.entry("kind")
	if given == nil {
		return kind.tag.Get("default")
	}
	if given = r.value(given, joinKey(path, "kind")); given == nil {
		return ""
	}
	return given.text
}
