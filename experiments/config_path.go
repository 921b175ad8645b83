package experiments

import (
	"fmt"
	"strconv"
	"strings"
)

// A path names a value of the configuration: training.steps, machines[0].rule,
// or machines.exact.rule, where exact is the name of an item of the list.

// step is one part of a path: a key, or the number of an item of a list.
type step struct {
	key   string // or
	index int    // when key is ""
	at    int    // the column in the path, from 1, in characters
}

func (s step) String() string {
	if s.key != "" {
		return "." + s.key
	}
	return fmt.Sprintf("[%d]", s.index)
}

// pathText writes steps as a path.
func pathText(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String())
	}
	return strings.TrimPrefix(b.String(), ".")
}

// parsePath splits a path. Where it is none, fault says why, at column at.
func parsePath(text string) (steps []step, fault string, at int) {
	rest := text
	column := func() int { return len([]rune(text[:len(text)-len(rest)])) + 1 }
	for first := true; first || rest != ""; first = false {
		here := column()
		if !first && rest[0] == '[' {
			number, after, closed := strings.Cut(rest[1:], "]")
			index, err := strconv.Atoi(number)
			if !closed || err != nil || index < 0 || number[0] == '+' {
				return nil, "the number of an item is expected between [ and ]", here
			}
			if after != "" && after[0] != '.' && after[0] != '[' {
				return nil, "a . or a [ is expected after ]", here + len(number) + 2
			}
			steps, rest = append(steps, step{index: index, at: here}), after
			continue
		}
		if !first {
			rest = rest[1:] // the dot
			here++
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, "a key is expected", here
		}
		steps, rest = append(steps, step{key: rest[:end], at: here}), rest[end:]
	}
	return steps, "", 0
}

// descend returns the field of the steps, below f. Where the schema has none,
// bad is the number of the step that leads nowhere, and parent the field
// before it; otherwise bad is −1.
func (f *field) descend(steps []step) (found *field, bad int, parent *field) {
	for i, s := range steps {
		var next *field
		switch {
		case f.isListOfSections(), f.isList() && s.key == "":
			next = f.item()
		case f.isSection() && s.key != "":
			next = f.child(s.key)
		}
		if next == nil {
			return nil, i, f
		}
		f = next
	}
	return f, -1, nil
}

// noSuchKey describes the step bad of the steps, which the field parent does
// not have.
func (c *checker) noSuchKey(steps []step, bad int, parent *field) ConfigError {
	section, s := pathText(steps[:bad]), steps[bad]
	switch {
	case parent.isSection() && s.key != "":
		e := c.unknownKey(s.key, parent, section)
		// What is meant, down to its last step, where that exists.
		whole := e.Nearest + pathText(steps[bad+1:])
		if len(steps) > bad+1 && steps[bad+1].key != "" {
			whole = joinKey(e.Nearest, pathText(steps[bad+1:]))
		}
		if meant, fault, _ := parsePath(whole); e.Nearest != "" && fault == "" {
			if f, _, _ := c.schema.descend(meant); f != nil {
				e.Nearest = whole
			}
		}
		return e
	case parent.isSection():
		return ConfigError{Fault: "there is no " + s.String() + ": it is a mapping", Allowed: "a key of it: " + strings.Join(parent.keys(), ", ")}
	case parent.isList():
		return ConfigError{Fault: "there is no " + s.key + ": it is a list", Allowed: "an item of it, such as " + section + "[0]"}
	}
	return ConfigError{Fault: faultUnknownKey + ": " + section + " has no keys below it", Allowed: section + ", which is " + parent.allowed()}
}

// item returns the number of the item of a list that the step names, by its
// number or its name; fault says why there is none.
func (n *node) item(list string, s step) (index int, fault *ConfigError) {
	var names []string
	for i, item := range n.items {
		name := item.entry("name")
		if name == nil {
			continue
		}
		if s.key != "" && name.text == s.key {
			return i, nil
		}
		names = append(names, name.text)
	}
	switch {
	case s.key != "" && len(names) == 0:
		return 0, &ConfigError{Fault: "no item of " + list + " has a name", Allowed: fmt.Sprintf("the number of an item, such as %s[0]", list)}
	case s.key != "":
		e := &ConfigError{Found: word(s.key), Fault: "which is the name of no item of " + list, Allowed: strings.Join(names, ", ") + ", or a number, such as " + list + "[0]"}
		if near := nearest(s.key, names); near != "" {
			e.Nearest = joinKey(list, near)
		}
		return 0, e
	case len(n.items) == 0:
		return 0, &ConfigError{Found: s.String(), Fault: "while " + list + " is empty", Allowed: "an item that is there; +" + list + "=… appends one"}
	case s.index >= len(n.items):
		allowed := fmt.Sprintf("%s[0] to %s[%d]", list, list, len(n.items)-1)
		if len(n.items) == 1 {
			allowed = list + "[0]"
		}
		return 0, &ConfigError{Found: s.String(), Fault: fmt.Sprintf("while the number of items of %s is %d", list, len(n.items)), Allowed: allowed}
	}
	return s.index, nil
}
