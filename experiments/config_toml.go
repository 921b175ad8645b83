package experiments

import (
	"errors"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML reads a TOML document; an empty one is a nil node.
func parseTOML(data []byte) (root *node, fault *ConfigError) {
	// The decoder checks what the parser below does not: keys and tables given
	// twice, values out of range.
	var checked map[string]any
	if err := toml.Unmarshal(data, &checked); err != nil {
		return nil, tomlFault(string(data), err)
	}
	if len(checked) == 0 {
		return nil, nil
	}
	r := &tomlReader{text: string(data)}
	root = &node{kind: mapNode, line: 1, col: 1}
	table := root
	r.parser.Reset(data)
	for r.parser.NextExpression() {
		switch e := r.parser.Expression(); e.Kind {
		case unstable.Table:
			table = r.descend(root, e.Key(), false)
		case unstable.ArrayTable:
			table = r.descend(root, e.Key(), true)
		case unstable.KeyValue:
			r.keyValue(table, e)
		}
	}
	return root, nil
}

// tomlFault describes the error of decoding text. For a key or table given
// twice the decoder tells no position: it is the first line with which the
// error appears.
func tomlFault(text string, err error) *ConfigError {
	message := printable(strings.TrimPrefix(err.Error(), "toml: "))
	fault := &ConfigError{Fault: "cannot be read as TOML: " + message, Allowed: syntaxAdvice("TOML", message), Err: err}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		fault.Line, fault.Column = decode.Position()
		return fault
	}
	lines := strings.SplitAfter(text, "\n")
	before := sort.Search(len(lines), func(n int) bool {
		var checked map[string]any
		e := toml.Unmarshal([]byte(strings.Join(lines[:n+1], "")), &checked)
		return e != nil && e.Error() == err.Error()
	})
	fault.Line, fault.Column = before+1, 1
	return fault
}

// tomlReader turns the parser's expressions into nodes with positions.
type tomlReader struct {
	text   string
	parser unstable.Parser
}

// descend returns the mapping at the dotted key, below from, made where it is
// missing. The last part of an array table's key gets a new item.
func (r *tomlReader) descend(from *node, key unstable.Iterator, array bool) *node {
	for key.Next() {
		k := key.Node()
		line, col := at(r.text, int(k.Raw.Offset))
		next := from.entry(string(k.Data))
		if next == nil {
			kind := mapNode
			if array && key.IsLast() {
				kind = listNode
			}
			next = &node{kind: kind, line: line, col: col}
			from.entries = append(from.entries, entry{key: string(k.Data), line: line, col: col, value: next})
		}
		if next.kind == listNode {
			if (array && key.IsLast()) || len(next.items) == 0 {
				next.items = append(next.items, &node{kind: mapNode, line: line, col: col})
			}
			next = next.items[len(next.items)-1]
		}
		from = next
	}
	return from
}

// keyValue reads e into the mapping table.
func (r *tomlReader) keyValue(table *node, e *unstable.Node) {
	var last *unstable.Node
	for key := e.Key(); key.Next(); last = key.Node() {
		if last != nil {
			table = r.child(table, last)
		}
	}
	line, col := at(r.text, int(last.Raw.Offset))
	table.entries = append(table.entries, entry{key: string(last.Data), line: line, col: col, value: r.value(e.Value(), line, col)})
}

// child returns the mapping under one part of a dotted key.
func (r *tomlReader) child(table *node, key *unstable.Node) *node {
	name := string(key.Data)
	if next := table.entry(name); next != nil {
		return next
	}
	line, col := at(r.text, int(key.Raw.Offset))
	next := &node{kind: mapNode, line: line, col: col}
	table.entries = append(table.entries, entry{key: name, line: line, col: col, value: next})
	return next
}

// value reads a value; line and col are those of its key, for the values whose
// own position the parser does not tell.
func (r *tomlReader) value(n *unstable.Node, line, col int) *node {
	if n.Raw.Length > 0 {
		line, col = at(r.text, int(n.Raw.Offset))
	}
	out := &node{line: line, col: col, text: string(n.Data)}
	switch n.Kind {
	case unstable.Array:
		out.kind = listNode
		for it := n.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment {
				out.items = append(out.items, r.value(it.Node(), line, col))
			}
		}
	case unstable.InlineTable:
		out.kind = mapNode
		for it := n.Children(); it.Next(); {
			r.keyValue(out, it.Node())
		}
	case unstable.String:
		out.kind = textNode
	case unstable.Bool:
		out.kind = boolNode
	case unstable.Integer:
		out.kind, out.text = intNode, strings.ReplaceAll(out.text, "_", "")
	case unstable.Float:
		out.kind, out.text = floatNode, strings.ReplaceAll(out.text, "_", "")
	default:
		out.kind, out.text = otherNode, out.text+" (a date or time)"
	}
	return out
}
