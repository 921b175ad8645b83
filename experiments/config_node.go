package experiments

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// node is a value as it stands in a file, a variable or an override, before
// the schema is known. All formats are read into it.
type node struct {
	kind      nodeKind
	text      string // of a scalar
	line, col int
	entries   []entry // of a mapping, in order, duplicates included
	items     []*node // of a list
	src       *source // nil: a default
	via       string  // the reference that the value stands in place of, or ""
	loose     bool    // a scalar that may be meant as text, whatever it looks like
}

// entry is one key of a mapping.
type entry struct {
	key       string
	line, col int
	value     *node
}

type nodeKind int

const (
	nullNode nodeKind = iota
	boolNode
	intNode
	floatNode
	textNode
	listNode
	mapNode
	otherNode // a date, a YAML tag: nothing a configuration uses
)

// entry returns the value under key, or nil.
func (n *node) entry(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// place is where the node stands.
func (n *node) place() origin {
	return origin{src: n.src, line: n.line, col: n.col, via: n.via}
}

// from makes src the source of the node and of all that it holds, and moves
// what stands on the first line to the right.
func (n *node) from(src *source, right int) {
	n.src = src
	if n.line == 1 {
		n.col += right
	}
	for i := range n.entries {
		if n.entries[i].line == 1 {
			n.entries[i].col += right
		}
		n.entries[i].value.from(src, right)
	}
	for _, item := range n.items {
		item.from(src, right)
	}
}

// found describes the node for an error message.
func (n *node) found() string {
	switch n.kind {
	case nullNode:
		if n.src != nil && strings.HasPrefix(n.src.label, "override ") {
			return "nothing (~key gives a key its default back)"
		}
		return "nothing (null: leave the key out to keep its default)"
	case boolNode:
		return n.text + " (true or false)"
	case intNode:
		return n.text + " (a whole number)"
	case floatNode:
		return n.text + " (a decimal number)"
	case textNode:
		return fmt.Sprintf("%q (text)", n.text)
	case listNode:
		return "a list"
	case mapNode:
		return "a mapping"
	}
	return n.text
}

// as returns the value of the type of f that n, which is of another type, may
// be meant for, or "".
func (n *node) as(f *field) string {
	scalar := n.kind == boolNode || n.kind == intNode || n.kind == floatNode || n.kind == textNode
	whole := func(text string) bool { _, err := parseInt(text); return err == nil }
	switch f.typ.Kind() {
	case reflect.Struct:
		if slices.Contains(f.kinds(), n.text) {
			return "{kind: " + n.text + "}"
		}
	case reflect.String:
		if scalar && len(f.oneOf()) == 0 {
			return fmt.Sprintf("%q", n.text)
		}
	case reflect.Slice:
		if n.kind == intNode && !f.isListOfSections() {
			return "[" + n.text + "]"
		}
	case reflect.Bool:
		switch strings.ToLower(n.text) {
		case "true", "yes", "on", "1":
			return "true"
		case "false", "no", "off", "0":
			return "false"
		}
	case reflect.Int, reflect.Int64:
		if n.kind == textNode && whole(n.text) {
			return n.text
		}
		if x, err := parseFloat(n.text); n.kind == floatNode && err == nil && x == math.Trunc(x) && math.Abs(x) < 1e15 {
			return strconv.FormatInt(int64(x), 10)
		}
	case reflect.Float64:
		if kind := plainKind(n.text); n.kind == textNode && (kind == intNode || kind == floatNode) {
			return n.text
		}
	}
	return ""
}

// plainKind returns the kind of an unquoted scalar by the core schema of
// YAML 1.2, §10.3.2. (The YAML parser's own resolution is that of no version:
// it takes 1e-3 for text and 010 for eight.)
func plainKind(text string) nodeKind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nullNode
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return boolNode
	case ".nan", ".NaN", ".NAN":
		return floatNode
	}
	switch {
	case matches(`^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`, text):
		return intNode
	case matches(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, text),
		matches(`^[-+]?(\.inf|\.Inf|\.INF)$`, text):
		return floatNode
	}
	return textNode
}

// matches compiles at each call: a configuration has some dozens of scalars.
func matches(pattern, text string) bool {
	return regexp.MustCompile(pattern).MatchString(text)
}

// at returns the line and column (1-based, in characters) of a byte offset.
func at(text string, offset int) (line, col int) {
	before := text[:max(0, min(offset, len(text)))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, len([]rune(before[start:])) + 1
}
