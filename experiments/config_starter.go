package experiments

import (
	"strings"
)

// Starter returns a configuration to begin with, of that name: every key of a default experiment with its default, what
// it means and what it may be, and as comments the keys that it has with other kinds, and those of the items of lists.
func Starter(name string) ([]byte, error) {
	config, err := Parse("starter", []byte("name: "+quoteYAML(name)+"\n"), "yaml", nil, nil)
	if err != nil {
		return nil, err
	}
	plain, err := config.YAML()
	if err != nil {
		return nil, err
	}
	s := &starter{means: keyDescriptions(), after: map[int][]string{}}
	schema := configSchema()
	root, fault := parseYAML(string(plain))
	if fault != nil {
		return nil, fault
	}
	s.others(schema, root, 0)
	text := annotated(plain, func(paths []string) string {
		f := schema.find(paths[0])
		if f == nil {
			return s.means[paths[0]]
		}
		return s.explain(f)
	})
	var b strings.Builder
	b.WriteString("# An experiment of pkm; every key but name may be left out. `pkm schema` writes a JSON Schema,\n" +
		"# with which editors complete and check this file. `pkm run FILE --print-config` shows what a run uses.\n")
	line := 0
	for text := range strings.Lines(string(text)) {
		line++
		b.WriteString(text)
		for _, other := range s.after[line] {
			b.WriteString(other)
		}
	}
	return []byte(b.String()), nil
}

// starter collects the comments of keys that the default experiment does not have.
type starter struct {
	means map[string]string
	after map[int][]string // by the line of the configuration that they follow on
}

// explain says what a key means and what it may be.
func (s *starter) explain(f *field) string {
	text := s.means[f.path]
	if words := f.oneOf(); len(words) > 0 {
		return text + " (" + strings.Join(words, ", ") + ")"
	}
	bounds := strings.TrimPrefix(f.bounds(), ", ")
	if most, ok := f.bound("max"); ok && most >= 1e6 { // which is there against slips only
		bounds, _, _ = strings.Cut(bounds, " and at most ")
	}
	if bounds != "" && !f.isSection() {
		return text + " (" + bounds + ")"
	}
	return text
}

// others adds the keys of the section f, given as n, that it has only beside another kind or another word, after its last
// line, and returns that line.
func (s *starter) others(f *field, n *node, depth int) (last int) {
	var lines []string
	for _, sub := range f.children {
		var at int
		var value *node
		for _, e := range n.entries {
			if e.key == sub.key {
				at, value = e.line, e.value
			}
		}
		switch {
		case value == nil:
			lines = append(lines, s.commented(sub, sub.key, depth))
			for _, key := range sub.children {
				lines = append(lines, s.commented(key, sub.key+"."+key.key, depth))
			}
		case sub.isSection():
			last = max(last, at, s.others(sub, value, depth+1))
			continue
		default:
			last = max(last, at)
			for _, item := range value.items {
				last = max(last, item.line)
			}
		}
		if !sub.isListOfSections() {
			continue
		}
		items := []string{}
		for _, key := range sub.item().children {
			items = append(items, s.commented(key, sub.key+"[]."+key.key, depth))
		}
		if value == nil {
			lines = append(lines, items...)
		} else {
			s.after[last] = append(s.after[last], items...)
		}
	}
	s.after[last] = append(s.after[last], lines...)
	return last
}

// commented returns a key as a comment: with its default, and what it means.
func (s *starter) commented(f *field, name string, depth int) string {
	text := strings.Repeat("  ", depth) + "# " + name + ":"
	if standard, ok := f.tag.Lookup("default"); ok {
		text += " " + standard
	}
	where := ""
	if kinds := f.tag.Get("of"); kinds != "" {
		where = "of " + strings.Join(strings.Fields(kinds), ", ") + ": "
	}
	if words := strings.Fields(f.tag.Get("when")); len(words) > 1 {
		where = "of " + strings.Join(words[1:], ", ") + ": "
	}
	return text + strings.Repeat(" ", max(0, 25-len([]rune(text)))) + "  # " + where + s.explain(f) + "\n"
}
