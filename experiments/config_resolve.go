package experiments

import (
	"fmt"
	"slices"
	"strings"
)

// maxText bounds what references make: bytes of a text with references in it.
const maxText = 4096

// hasReference reports whether n is a text to be replaced.
func (n *node) hasReference() bool { return n.kind == textNode && strings.Contains(n.text, "${") }

// resolver replaces references by what they refer to in the merged
// configuration.
type resolver struct {
	*checker
	merged  *node
	environ map[string]string
	done    map[*node]*node // texts with references by what replaces them, nil for a faulty one
	open    []*node         // texts being replaced
	chain   []string        // their keys
	count   int             // values made
}

// resolve replaces the references in docs. What stands below another value is
// left out where it has references: what is not used is not looked up.
func (c *checker) resolve(docs []*node, environ []string) []*node {
	r := &resolver{checker: c, environ: map[string]string{}, done: map[*node]*node{}}
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok {
			r.environ[name] = value
		}
	}
	for _, doc := range docs {
		r.merged = r.overlaid(r.merged, doc)
	}
	if r.merged != nil {
		r.value(r.merged, "")
	}
	var out []*node
	for _, doc := range docs {
		if resolved := r.replaced(doc); resolved != nil {
			out = append(out, resolved)
		}
	}
	return out
}

// overlaid lays top over bottom: mappings key by key, everything else as a whole.
func (r *resolver) overlaid(bottom, top *node) *node {
	if bottom == nil || bottom.kind != mapNode && top.kind != nullNode {
		return top
	}
	if top.kind != mapNode {
		r.done[top] = top // a fault, which is recorded when types are checked
		return bottom
	}
	out := *bottom
	out.entries = slices.Clone(bottom.entries)
	for _, e := range top.entries {
		if i := slices.IndexFunc(out.entries, func(old entry) bool { return old.key == e.key }); i >= 0 {
			e.value = r.overlaid(out.entries[i].value, e.value)
			out.entries[i] = e
		} else {
			out.entries = append(out.entries, e)
		}
	}
	return &out
}

// replaced returns n with its references replaced, or nil where one is faulty or
// not used.
func (r *resolver) replaced(n *node) *node {
	switch {
	case n.hasReference():
		return r.done[n]
	case n.kind == listNode:
		out := *n
		out.items = nil
		for _, item := range n.items {
			next := r.replaced(item)
			if next == nil {
				return nil
			}
			out.items = append(out.items, next)
		}
		return &out
	case n.kind == mapNode:
		out := *n
		out.entries = nil
		for _, e := range n.entries {
			if e.value = r.replaced(e.value); e.value != nil {
				out.entries = append(out.entries, e)
			}
		}
		return &out
	}
	return n
}

// value returns n, the value at path, with all references replaced, or nil where
// one is faulty, which is then recorded.
func (r *resolver) value(n *node, path string) *node {
	out, ok := *n, true
	switch {
	case n.hasReference():
		return r.text(n, path)
	case n.kind == listNode:
		out.items = nil
		for i, item := range n.items {
			item = r.value(item, itemPath(path, i))
			ok = ok && item != nil
			out.items = append(out.items, item)
		}
	case n.kind == mapNode:
		out.entries = nil
		for _, e := range n.entries {
			e.value = r.value(e.value, joinKey(path, e.key))
			ok = ok && e.value != nil
			out.entries = append(out.entries, e)
		}
	}
	if !ok {
		return nil
	}
	return &out
}

// text replaces the references of the text n.
func (r *resolver) text(n *node, path string) *node {
	if out, known := r.done[n]; known {
		return out
	}
	if i := slices.Index(r.open, n); i >= 0 {
		r.fail(n, path, part{}, ConfigError{Fault: "refers to itself: " + strings.Join(append(slices.Clone(r.chain[i:]), path), " → "), Allowed: "references that end at a value"})
		return nil
	}
	r.open, r.chain = append(r.open, n), append(r.chain, path)
	defer func() {
		r.open, r.chain = r.open[:len(r.open)-1], r.chain[:len(r.chain)-1]
	}()
	out := r.join(n, path)
	r.done[n] = out
	if out == nil {
		r.faulty[path] = true
	}
	return out
}

// join returns the value of a text: of the only reference that it is, or its
// parts in a row.
func (r *resolver) join(n *node, path string) *node {
	parts, fault := splitReferences(n.text)
	if fault != "" {
		r.fail(n, path, part{}, ConfigError{Found: n.text, Fault: fault, Allowed: "${a.key}, ${env:NAME} or ${env:NAME,VALUE}; $${ for ${ itself"})
		return nil
	}
	var values []*node
	for _, p := range parts {
		value := &node{kind: textNode, text: p.text}
		if p.ref {
			if value = r.refer(n, path, p); value == nil {
				return nil
			}
		}
		values = append(values, value)
	}
	if len(parts) == 1 && parts[0].ref {
		return r.copied(values[0], n, path)
	}
	var text strings.Builder
	for i, value := range values {
		if value.kind == listNode || value.kind == mapNode {
			r.fail(n, path, parts[i], ConfigError{Found: parts[i].String(), Fault: "which is " + value.found() + ", inside of a text", Allowed: "a reference to one value in a text; a list only as the whole value"})
			return nil
		}
		text.WriteString(value.text)
	}
	if text.Len() > maxText {
		r.fail(n, path, part{}, ConfigError{Fault: "becomes too long with its references", Allowed: fmt.Sprintf("at most %d bytes", maxText)})
		return nil
	}
	out := &node{kind: textNode, text: text.String(), src: n.src, line: n.line, col: n.col}
	if len(parts) > 1 || parts[0].ref {
		out.via = n.text
	}
	return out
}

// copied returns a copy of value that stands in the place of n.
func (r *resolver) copied(value, n *node, path string) *node {
	if r.count++; r.count > maxNodes {
		r.fail(n, path, part{}, ConfigError{Fault: "becomes too much with its references", Allowed: fmt.Sprintf("at most %d values", maxNodes)})
		return nil
	}
	out := *value
	out.src, out.line, out.col, out.via = n.src, n.line, n.col, n.text
	out.items, out.entries = nil, nil
	for _, item := range value.items {
		next := r.copied(item, n, path)
		if next == nil {
			return nil
		}
		out.items = append(out.items, next)
	}
	for _, e := range value.entries {
		e.line, e.col = n.line, n.col
		if e.value = r.copied(e.value, n, path); e.value == nil {
			return nil
		}
		out.entries = append(out.entries, e)
	}
	return &out
}

// fail records the fault e of the reference p in the text n at path.
func (r *resolver) fail(n *node, path string, p part, e ConfigError) {
	e.Key = path
	o := n.place()
	if n.src == nil {
		r.add(o, e)
		return
	}
	// The text starts at n; the reference is where its letters are.
	find := p.String()
	if !p.ref {
		find = "${"
	}
	for line := n.line; line >= 1 && line <= len(n.src.lines); line++ {
		text := []rune(n.src.lines[line-1])
		from := 0
		if line == n.line {
			from = min(max(n.col-1, 0), len(text))
		}
		if before, _, ok := strings.Cut(string(text[from:]), find); ok {
			o.line, o.col = line, from+len([]rune(before))+1
			break
		}
	}
	r.add(o, e)
}
