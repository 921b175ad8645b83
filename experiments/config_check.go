package experiments

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// checker collects the faults of a configuration.
type checker struct {
	schema *field
	errs   []ranked
	faulty map[string]bool // full keys whose fault is recorded: their values mean nothing
	meant  map[string]bool // full keys that an unknown key seems to mean: they are not missing
	unread bool            // the file could not be read: nothing is known to be missing

	withoutData bool     // the data set is not looked at: it need not be there
	dataset     *Dataset // that was looked at, or nil

	settings []Setting // laid over all sources
}

func newChecker() *checker {
	return &checker{schema: configSchema(), faulty: map[string]bool{}, meant: map[string]bool{}}
}

// layer is what one source says: values nested as in the file, and where each
// full key stands.
type layer struct {
	values  map[string]any
	origins map[string]origin
}

// value checks n against the shape of f, keys and types, and returns it as Go
// values: map[string]any, []any, int64, float64, bool, string. ok is false
// when n itself has the wrong type, which is then recorded.
func (c *checker) value(l *layer, n *node, f *field, path string) (value any, ok bool) {
	if n.line > 0 {
		l.origins[path] = n.place() // not of a mapping that only holds the key of an override
	}
	if f.isOpen() {
		return Node{n}, true
	}
	switch f.typ.Kind() {
	case reflect.Struct:
		if n.kind == mapNode {
			return c.section(l, n, f, path), true
		}
	case reflect.Slice:
		if n.kind == listNode {
			return c.list(l, n, f, path), true
		}
	case reflect.Bool:
		if n.kind == boolNode {
			return strings.EqualFold(n.text, "true"), true
		}
	case reflect.String:
		if n.kind == textNode || n.loose || n.kind == intNode && f.tag.Get("form") == "column" {
			return n.text, true
		}
	case reflect.Int, reflect.Int64:
		if n.kind == intNode {
			i, err := parseInt(n.text)
			if err == nil {
				return i, true
			}
			c.wrong(l, path, ConfigError{Found: n.text, Fault: "which does not fit into 64 bits", Allowed: f.allowed()})
			return nil, false
		}
	case reflect.Float64:
		if n.kind == intNode || n.kind == floatNode {
			x, err := parseFloat(n.text)
			if err == nil {
				return x, true
			}
			c.wrong(l, path, ConfigError{Found: n.text, Fault: "which is too large", Allowed: f.allowed()})
			return nil, false
		}
	}
	found := n.found()
	if _, hasDefault := f.tag.Lookup("default"); n.kind == nullNode && !hasDefault && !f.isSection() {
		found = "nothing (null)"
	}
	fault := ""
	if f == c.schema && n.kind == textNode {
		fault = "where keys and values are expected, with a space after each colon"
	}
	c.wrong(l, path, ConfigError{Found: found, Fault: fault, Allowed: f.allowed(), Nearest: n.as(f)})
	return nil, false
}

// wrong records a fault of the value at path.
func (c *checker) wrong(l *layer, path string, e ConfigError) {
	e.Key = path
	c.faulty[path] = true
	c.add(l.origins[path], e)
}

// section checks the keys of a mapping.
func (c *checker) section(l *layer, n *node, f *field, path string) map[string]any {
	out := map[string]any{}
	first := map[string]entry{}
	for _, e := range n.entries {
		here := origin{src: e.value.src, line: e.line, col: e.col}
		key := joinKey(path, e.key)
		if before, twice := first[e.key]; twice {
			c.add(here, ConfigError{Key: key, Fault: fmt.Sprintf("given twice, first at line %d", before.line), Allowed: "each key once"})
			continue
		}
		first[e.key] = e
		sub := f.child(e.key)
		if sub == nil && f.open {
			continue
		}
		if sub == nil {
			c.unknown(here, key, e.key, f, path)
			continue
		}
		if value, ok := c.value(l, e.value, sub, key); ok {
			out[e.key] = value
		}
	}
	return out
}

// unknown records the key, which the section f does not have.
func (c *checker) unknown(o origin, path, key string, f *field, section string) {
	e := c.unknownKey(key, f, section)
	e.Key = path
	if strings.Contains(key, ".") && f.kinds() == nil && c.schema.find(path) != nil {
		e.Fault, e.Nearest = "unknown key with dots in it", ""
		e.Allowed = "nested keys, " + strings.ReplaceAll(path, ".", ": {") + ": …" + strings.Repeat("}", strings.Count(path, "."))
	} else if f != c.schema && (key == defaultsKey || key == removeKey) && e.Nearest == "" {
		e.Fault = "unknown key: " + key + " stands only at the top of a file"
	} else if f == c.schema && o.src.file != "" {
		e.Allowed += ", " + defaultsKey + ", " + removeKey
		if near := nearest(key, []string{defaultsKey, removeKey}); near != "" && e.Nearest == "" {
			e.Nearest = near
		}
	}
	c.add(o, e)
}

// unknownKey describes the key, which the section f does not have.
func (c *checker) unknownKey(key string, f *field, section string) ConfigError {
	e := ConfigError{Fault: faultUnknownKey, Allowed: strings.Join(f.keys(), ", ")}
	if f.isOfAnotherKind(key) {
		e.Fault = "not a key of kind " + f.kind
	}
	if near := f.nearestKey(key); near != "" {
		e.Nearest = joinKey(section, near)
		c.meant[e.Nearest] = true
	} else if f.kinds() != nil {
		c.unknownOfKind(&e, key, f, section)
	} else {
		e.Nearest = c.elsewhere(key)
	}
	return e
}

// elsewhere returns the full key, in any section, whose last part is nearest
// to key, or that goes by the name key elsewhere.
func (c *checker) elsewhere(key string) string {
	var last []string
	paths := c.schema.paths()
	for _, path := range paths {
		last = append(last, path[strings.LastIndexByte(path, '.')+1:])
	}
	near := nearest(key, last)
	for i := range paths {
		if near != "" && last[i] == near {
			return paths[i]
		}
	}
	found := ""
	c.schema.each(func(f *field) {
		if found == "" && slices.Contains(strings.Fields(f.tag.Get("also")), key) {
			found = f.path
		}
	})
	return found
}

// list checks the items of a list. An item of the wrong type stays in it, as a
// zero, so that the others keep their numbers.
func (c *checker) list(l *layer, n *node, f *field, path string) []any {
	out, elem := []any{}, f.item()
	for i, item := range n.items {
		key := itemPath(path, i)
		of := elem.variant(item)
		value, ok := c.value(l, item, of, key)
		if section, isSection := value.(map[string]any); isSection {
			c.complete(l, section, of, key)
		}
		if !ok && elem.isSection() {
			value = map[string]any{}
		} else if !ok {
			value = int64(0)
		}
		out = append(out, value)
	}
	return out
}

// complete fills in the defaults of an item of a list, and records the keys
// that have none and are missing.
func (c *checker) complete(l *layer, section map[string]any, f *field, path string) {
	kind, _ := section["kind"].(string)
	for _, sub := range f.children {
		key := joinKey(path, sub.key)
		if _, given := section[sub.key]; given || c.faulty[key] || !sub.of(kind) {
			continue
		}
		if text, ok := sub.tag.Lookup("default"); ok {
			section[sub.key] = c.parseDefault(sub, text)
			continue
		}
		c.faulty[key] = true
		if c.meant[key] {
			continue
		}
		allowed := sub.allowed()
		if sub.key == "rule" {
			allowed = allRules
		}
		c.add(l.origins[path], ConfigError{Key: key, Fault: "missing", Allowed: allowed})
	}
}

// parseInt reads a decimal integer, or one with the prefix 0x, 0o or 0b.
func parseInt(text string) (int64, error) {
	base := 10
	if digits := strings.TrimLeft(text, "+-"); len(digits) > 1 && digits[0] == '0' && strings.ContainsRune("xob", rune(digits[1])) {
		base = 0
	}
	return strconv.ParseInt(text, base, 64)
}

// parseFloat reads a number as YAML and TOML write it.
func parseFloat(text string) (float64, error) {
	switch strings.TrimLeft(strings.ToLower(text), "+-.") {
	case "inf":
		if text[0] == '-' {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	case "nan":
		return math.NaN(), nil
	}
	if i, err := parseInt(text); err == nil {
		return float64(i), nil
	}
	return strconv.ParseFloat(text, 64)
}
