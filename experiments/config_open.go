package experiments

import (
	"reflect"
	"strings"
)

// isOpen reports whether the schema leaves the value of f open.
func (f *field) isOpen() bool { return f.typ == reflect.TypeFor[Node]() }

// Given reports whether the document has the value.
func (n Node) Given() bool { return n.n != nil && n.n.src != nil }

// IsList reports whether the value is a list.
func (n Node) IsList() bool { return n.n != nil && n.n.kind == listNode }

// IsMapping reports whether the value is a mapping.
func (n Node) IsMapping() bool { return n.n != nil && n.n.kind == mapNode }

// IsNull reports whether nothing stands there.
func (n Node) IsNull() bool { return n.n == nil || n.n.kind == nullNode }

// Found describes the value for a message.
func (n Node) Found() string { return n.n.found() }

// Items returns the items of a list.
func (n Node) Items() []Node {
	var items []Node
	for _, item := range n.n.items {
		items = append(items, Node{item})
	}
	return items
}

// Entries returns the keys of a mapping in order, with those that are given twice.
func (n Node) Entries() []Entry {
	var entries []Entry
	for _, e := range n.n.entries {
		at := &node{kind: textNode, text: e.key, src: e.value.src, line: e.line, col: e.col}
		entries = append(entries, Entry{Key: e.key, At: Node{at}, Value: Node{e.value}})
	}
	return entries
}

// Scalar returns the value that text, unquoted, is in YAML, in the place of n.
func (n Node) Scalar(text string) Node {
	return Node{&node{kind: plainKind(text), text: text, src: n.n.src, line: n.n.line, col: n.n.col}}
}

// String returns the value in YAML's flow style; equal values of one spelling give equal
// texts.
func (n Node) String() string {
	if n.n == nil {
		return "null"
	}
	var parts []string
	switch n.n.kind {
	case listNode:
		for _, item := range n.Items() {
			parts = append(parts, item.String())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapNode:
		for _, e := range n.Entries() {
			parts = append(parts, quoteYAML(e.Key)+": "+e.Value.String())
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case textNode:
		return quoteYAML(n.n.text)
	case nullNode:
		return "null"
	}
	return n.n.text
}
