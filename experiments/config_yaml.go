package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxNodes bounds the values of one document, aliases written out.
const maxNodes = 20_000

// parseYAML reads one YAML document; an empty one is a nil node.
func parseYAML(text string) (root *node, fault *ConfigError) {
	defer func() {
		// The parser's grammar is large and its input is anything; a
		// configuration it trips over is a faulty configuration.
		if r := recover(); r != nil {
			root, fault = nil, &ConfigError{Fault: fmt.Sprintf("cannot be read as YAML: %v", r)}
		}
	}()
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		fault := &ConfigError{Fault: "cannot be read as YAML: " + err.Error(), Err: err}
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			fault.Fault = "cannot be read as YAML: " + syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				fault.Line, fault.Column = t.Position.Line, t.Position.Column
			}
		}
		fault.Fault = printable(strings.ReplaceAll(fault.Fault, "\t", `\t`))
		fault.Allowed = syntaxAdvice("YAML", fault.Fault)
		unquoted(fault, text)
		return nil, fault
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		r := &yamlReader{anchors: map[string]ast.Node{}, open: map[string]bool{}}
		n := r.node(doc.Body)
		if r.fault != nil {
			return nil, r.fault
		}
		if root != nil {
			return nil, &ConfigError{Line: n.line, Column: n.col, Fault: "a second YAML document in one file", Allowed: "one document"}
		}
		root = n
	}
	return root, nil
}

// unquoted rewords the fault of a text in which a reference without quotes ends
// the parsing: within {…} and […] its braces are YAML's.
func unquoted(fault *ConfigError, text string) {
	lines := strings.Split(text, "\n")
	if fault.Line < 1 || fault.Line > len(lines) {
		return
	}
	line := []rune(lines[fault.Line-1])
	if fault.Column < 2 || fault.Column > len(line) || line[fault.Column-2] != '$' || line[fault.Column-1] != '{' {
		return
	}
	fault.Column--
	reference, _, _ := strings.Cut(string(line[fault.Column-1:]), "}")
	fault.Fault, fault.Nearest, fault.Allowed = "a reference without quotes inside of {…} or […]", strconv.Quote(reference+"}"), ""
}

// parseJSON reads JSON: what is valid JSON is read as the YAML it also is.
func parseJSON(text string) (*node, *ConfigError) {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil && text != "" {
		fault := &ConfigError{Fault: "cannot be read as JSON: " + err.Error(), Allowed: syntaxAdvice("JSON", err.Error()), Err: err}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			fault.Line, fault.Column = at(text, int(syntax.Offset)-1)
		}
		return nil, fault
	}
	return parseYAML(text)
}

// yamlReader turns the parser's tree into nodes, with aliases and merge keys
// replaced by what they stand for.
type yamlReader struct {
	anchors map[string]ast.Node
	open    map[string]bool // aliases being written out
	count   int
	depth   int
	fault   *ConfigError
}

// node reads n; after a fault it returns nodes of no meaning.
func (r *yamlReader) node(n ast.Node) *node {
	if n == nil {
		return &node{}
	}
	out := &node{}
	if t := n.GetToken(); t != nil && t.Position != nil {
		out.line, out.col = t.Position.Line, t.Position.Column
	}
	r.count++
	r.depth++
	defer func() { r.depth-- }()
	if r.fault == nil && (r.count > maxNodes || r.depth > maxDepth) {
		r.fault = &ConfigError{Line: out.line, Column: out.col, Fault: "too much in one configuration", Allowed: fmt.Sprintf("at most %d values, nested at most %d deep", maxNodes, maxDepth)}
	}
	if r.fault != nil {
		return out
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.kind = mapNode
		r.entries(out, n.Values)
		if !n.IsFlowStyle && len(out.entries) > 0 {
			out.line, out.col = out.entries[0].line, out.entries[0].col
		}
	case *ast.MappingValueNode:
		out.kind = mapNode
		r.entries(out, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out.kind = listNode
		for _, value := range n.Values {
			out.items = append(out.items, r.node(value))
		}
	case *ast.AnchorNode:
		r.anchors[n.Name.GetToken().Value] = n.Value
		return r.node(n.Value)
	case *ast.AliasNode:
		return r.alias(n, out)
	case *ast.LiteralNode:
		out.kind, out.text = textNode, n.Value.Value
	case *ast.TagNode:
		out.kind, out.text = otherNode, "the YAML tag "+out.tokenText(n)
	default:
		out.kind, out.text = textNode, out.tokenText(n)
		if t := n.GetToken(); t != nil && t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType {
			out.kind = plainKind(out.text)
		}
	}
	return out
}

func (*node) tokenText(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// entries reads the keys and values of a mapping into out. The keys that a
// merge key (<<) brings give way to those of the mapping itself, and to those
// merged before.
func (r *yamlReader) entries(out *node, values []*ast.MappingValueNode) {
	var merged []entry
	for _, n := range values {
		if n.Key.IsMergeKey() {
			merged = append(merged, r.merged(n.Value)...)
			continue
		}
		e := entry{}
		if key, ok := n.Key.(ast.Node); ok {
			k := r.node(key)
			e.key, e.line, e.col = k.text, k.line, k.col
		}
		e.value = r.node(n.Value)
		out.entries = append(out.entries, e)
	}
	for _, e := range merged {
		if out.entry(e.key) == nil {
			out.entries = append(out.entries, e)
		}
	}
}

// merged returns the entries of the mapping, or mappings, under a merge key.
func (r *yamlReader) merged(value ast.Node) []entry {
	n := r.node(value)
	sources := []*node{n}
	if n.kind == listNode {
		sources = n.items
	}
	var entries []entry
	for _, src := range sources {
		if src.kind != mapNode && r.fault == nil {
			r.fault = &ConfigError{Line: n.line, Column: n.col, Key: "<<", Found: src.found(), Allowed: "the alias of a mapping"}
		}
		entries = append(entries, src.entries...)
	}
	return entries
}

// alias reads what the alias n stands for.
func (r *yamlReader) alias(n *ast.AliasNode, out *node) *node {
	name := n.Value.GetToken().Value
	target, ok := r.anchors[name]
	if !ok || r.open[name] {
		fault := "the alias *" + name + " has no anchor before it"
		if ok {
			fault = "the alias *" + name + " stands inside its own anchor"
		}
		r.fault = &ConfigError{Line: out.line, Column: out.col, Fault: printable(fault)}
		return out
	}
	r.open[name] = true
	defer delete(r.open, name)
	return r.node(target)
}
