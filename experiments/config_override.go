package experiments

import (
	"fmt"
	"slices"
	"strings"
)

// overrides lays the texts of the command line over docs: key=value,
// +key=value, which adds a key or an item of a list, and ~key, which takes one
// away.
func (c *checker) overrides(docs []*node, texts []string) []*node {
	for i, text := range texts {
		src := &source{label: "override " + text, rank: rankOverride + i, lines: strings.Split(text, "\n")}
		docs = c.override(docs, src, text)
	}
	return docs
}

func (c *checker) override(docs []*node, src *source, text string) []*node {
	head, value, hasValue := strings.Cut(text, "=")
	key := strings.TrimSpace(head)
	op := byte('=')
	if key != "" && (key[0] == '+' || key[0] == '~') {
		op, key = key[0], strings.TrimSpace(key[1:])
	}
	ch := &change{checker: c, op: op, place: origin{src: src, line: 1, col: len([]rune(head[:strings.LastIndex(head, key)])) + 1}}
	switch {
	case op == '~' && hasValue:
		return ch.fail(docs, 0, ConfigError{Key: key, Fault: "~ takes a key away and has no value", Allowed: "~" + key + ", or " + key + "=" + printable(value)})
	case op != '~' && !hasValue:
		return ch.fail(docs, 0, ConfigError{Fault: "has no =", Allowed: "key=value, such as training.steps=100; +key=value to add; ~key to take away"})
	case key == "" && op == '=':
		return ch.fail(docs, 0, ConfigError{Fault: faultUnknownKey, Allowed: strings.Join(c.schema.keys(), ", ")})
	case strings.HasPrefix(key, "+"):
		return ch.fail(docs, 0, ConfigError{Fault: "begins with more than one +", Allowed: "key=value, which sets a key whether it is given or not; +key=value, which adds one that is not"})
	}
	ch.text, ch.before = value, len([]rune(head))+1
	return ch.apply(docs, key)
}

// change is one change of what the sources say.
type change struct {
	*checker
	op       byte   // '=' set, '+' add, '~' take away
	place    origin // of the path in its source
	key      string // to report a fault under; "": the path
	fromFile bool   // what is taken away is named in a file
	value    *node  // or nil: that of text
	text     string // the value, as YAML
	before   int    // characters before it
}

// fail records the fault e, at a column of the path (0: its first).
func (ch *change) fail(docs []*node, at int, e ConfigError) []*node {
	o := ch.place
	if at > 1 && !ch.fromFile {
		o.col += at - 1
	}
	if ch.key != "" {
		if e.Found == "" {
			e.Found = e.Key
		}
		e.Key = ch.key
	}
	ch.add(o, e)
	return docs
}

// apply makes the change at a path and returns the documents with it. A list is
// changed in a copy, which becomes a document of its own.
func (ch *change) apply(docs []*node, path string) []*node {
	steps, fault, at := parsePath(path)
	if fault != "" {
		return ch.fail(docs, at, ConfigError{Key: path, Fault: fault, Allowed: "a key, such as training.steps or machines[0].rule"})
	}
	f, bad, parent := ch.schema.descend(steps)
	if f == nil {
		e := ch.noSuchKey(steps, bad, parent)
		e.Key = path
		return ch.fail(docs, steps[bad].at, e)
	}
	value := ch.value
	if ch.op != '~' && value == nil {
		var fault *ConfigError
		value, fault = ch.parse(ch.text, ch.place.src, ch.before)
		if fault != nil {
			fault.Key = path
			if fault.Allowed == "" || fault.Nearest == "" {
				fault.Allowed = f.allowed()
			}
			ch.faulty[path] = true
			ch.add(origin{src: ch.place.src, line: fault.Line, col: fault.Column}, *fault)
			return docs
		}
	}
	inList := -1 // the step after the first list
	for i := range steps {
		if before, _, _ := ch.schema.descend(steps[:i]); before.isList() {
			inList = i
			break
		}
	}
	if inList < 0 && ch.op == '+' && f.isList() {
		inList = len(steps)
	}
	if inList >= 0 {
		return ch.inList(docs, steps, inList, value)
	}
	old, replaces := given(docs, steps), ", which replaces it"
	if f.isSection() {
		replaces = ", which is laid over it"
	}
	switch {
	case ch.op == '~' && old == nil:
		e := ConfigError{Key: path, Fault: "given nowhere, so there is nothing to take away", Allowed: "a key that a file, a variable or an override before this one gives"}
		if ch.fromFile {
			e.Allowed = "a key that a file below this one gives"
		}
		return ch.fail(docs, 0, e)
	case ch.op == '~':
		for _, doc := range docs {
			doc.remove(steps)
		}
		return docs
	case ch.op == '+' && old != nil:
		return ch.fail(docs, 0, ConfigError{Key: path, Fault: "is given already, " + old.place().words(), Allowed: path + "=" + printable(ch.text) + replaces})
	}
	return append(docs, ch.nest(steps, value))
}

// inList makes a change inside of the list at steps[:k].
func (ch *change) inList(docs []*node, steps []step, k int, value *node) []*node {
	list, _, _ := ch.schema.descend(steps[:k])
	old := given(docs, steps[:k])
	if old == nil {
		old = ch.defaultNode(list)
		old.src = ch.place.src
	}
	changed, at, fault := ch.edited(old, list, steps[:k], steps[k:], value)
	if fault != nil {
		if fault.Key == "" {
			fault.Key = pathText(steps)
		}
		return ch.fail(docs, at, *fault)
	}
	return append(docs, ch.nest(steps[:k], changed))
}

// edited returns a copy of n, the value at the path done, with the change made
// at the steps rest below it; at is the column of the step that is at fault.
func (ch *change) edited(n *node, f *field, done, rest []step, value *node) (changed *node, at int, fault *ConfigError) {
	path, out := pathText(done), *n
	if len(rest) == 0 && (ch.op == '=' || !f.isList()) {
		return value, 0, nil
	}
	s := step{at: done[len(done)-1].at}
	if len(rest) > 0 {
		s = rest[0]
	}
	last := len(rest) == 1
	switch {
	case n.kind == textNode && strings.Contains(n.text, "${"):
		return nil, s.at, &ConfigError{Found: n.text, Fault: "a reference, which cannot be changed in part", Allowed: path + "=…"}
	case f.isList() && n.kind != listNode, f.isSection() && n.kind != mapNode:
		return nil, s.at, &ConfigError{Key: path, Found: n.found(), Allowed: f.allowed()}
	case len(rest) == 0:
		items := []*node{value}
		if value.kind == listNode {
			items = value.items
		}
		out.items = append(slices.Clone(n.items), items...)
		return &out, 0, nil
	case f.isList():
		i, fault := n.item(path, s)
		switch {
		case fault != nil:
			return nil, s.at, fault
		case last && ch.op == '~':
			out.items = slices.Delete(slices.Clone(n.items), i, i+1)
			return &out, 0, nil
		case last && ch.op == '+' && !f.item().isList():
			return nil, s.at, &ConfigError{Fault: "is given already, " + n.items[i].place().words(), Allowed: path + s.String() + "=…, which replaces it, or +" + path + "=…, which appends an item"}
		}
		item, at, fault := ch.edited(n.items[i], f.item(), append(slices.Clone(done), s), rest[1:], value)
		if fault != nil {
			return nil, at, fault
		}
		out.items = slices.Clone(n.items)
		out.items[i] = item
		return &out, 0, nil
	}
	// A section: the schema has no other way down.
	sub, i := f.child(s.key), slices.IndexFunc(n.entries, func(e entry) bool { return e.key == s.key })
	switch {
	case last && ch.op == '~' && i < 0:
		return nil, s.at, &ConfigError{Fault: "given nowhere, so there is nothing to take away", Allowed: "a key of " + path + " that is given"}
	case last && ch.op == '~':
		out.entries = slices.Delete(slices.Clone(n.entries), i, i+1)
		return &out, 0, nil
	case last && ch.op == '+' && i >= 0 && !sub.isList():
		return nil, s.at, &ConfigError{Fault: "is given already, " + n.entries[i].value.place().words(), Allowed: path + s.String() + "=…, which replaces it"}
	}
	col := ch.place.col + s.at - 1
	e := entry{key: s.key, line: ch.place.line, col: col, value: &node{kind: listNode, src: ch.place.src, line: ch.place.line, col: col}}
	if sub.isSection() {
		e.value.kind = mapNode
	}
	if i >= 0 {
		e = n.entries[i]
	}
	below, at, fault := ch.edited(e.value, sub, append(slices.Clone(done), s), rest[1:], value)
	if fault != nil {
		return nil, at, fault
	}
	e.value = below
	out.entries = slices.Clone(n.entries)
	if i >= 0 {
		out.entries[i] = e
	} else {
		out.entries = append(out.entries, e)
	}
	return &out, 0, nil
}

// nest returns a document that says only that the key at steps is value.
func (ch *change) nest(steps []step, value *node) *node {
	for _, s := range slices.Backward(steps) {
		value = &node{kind: mapNode, src: ch.place.src, entries: []entry{{key: s.key, line: ch.place.line, col: ch.place.col + s.at - 1, value: value}}}
	}
	return value
}

// parse reads text as a YAML value of the source, before which so many
// characters stand in its first line.
func (c *checker) parse(text string, src *source, before int) (*node, *ConfigError) {
	var n *node
	fault := legible(text)
	if fault == nil {
		n, fault = parseYAML(text)
	}
	if fault != nil {
		if fault.Line == 0 {
			fault.Line, fault.Column = 1, 1
		}
		if fault.Line == 1 {
			fault.Column += before
		}
		return nil, fault
	}
	if n == nil {
		n = &node{line: 1, col: 1}
	}
	n.from(src, before)
	return n, nil
}

// defaultNode returns the default of f, an empty list where it has none.
func (c *checker) defaultNode(f *field) *node {
	if n, fault := parseYAML(f.tag.Get("default")); fault == nil && n != nil && !f.isItem() {
		return n
	}
	return &node{kind: listNode}
}

// given returns what the highest document that has the key at steps says, or nil.
func given(docs []*node, steps []step) *node {
	for _, doc := range slices.Backward(docs) {
		n := doc
		for _, s := range steps {
			n = n.entry(s.key)
		}
		if n != nil {
			return n
		}
	}
	return nil
}

// remove takes the key at steps away.
func (n *node) remove(steps []step) {
	for _, s := range steps[:len(steps)-1] {
		n = n.entry(s.key)
	}
	if n != nil {
		n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.key == steps[len(steps)-1].key })
	}
}

// String returns file:line:column, or the variable or override.
func (o origin) String() string {
	switch {
	case o.src == nil:
		return "default"
	case o.src.file != "":
		return fmt.Sprintf("%s:%d:%d", printable(o.src.file), o.line, o.col)
	}
	return printable(o.src.label)
}

// words says in words where a value comes from.
func (o origin) words() string {
	switch {
	case o.src == nil:
		return "as a default"
	case o.src.file != "":
		return "in " + o.String()
	}
	return "by the " + o.String()
}
