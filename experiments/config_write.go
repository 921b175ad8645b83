package experiments

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// YAML returns the configuration with every key written out, in the order of
// design.md §5. Equal configurations give equal bytes; loading the bytes gives
// an equal configuration. A configuration that [Config.Validate] refuses is
// not written, and its faults are returned; the data set is not read for that.
func (c *Config) YAML() ([]byte, error) {
	k := newChecker()
	k.withoutData = true
	k.validate(c, nil)
	if err := k.err(); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	var b strings.Builder
	writeSection(&b, configSchema(), reflect.ValueOf(c).Elem(), "")
	return []byte(b.String()), nil
}

// writeSection writes the keys of a section, a line each.
func writeSection(b *strings.Builder, f *field, value reflect.Value, indent string) {
	kind, _ := f.kindOf(value)
	for i, sub := range f.children {
		v := value.Field(i)
		switch {
		case !sub.of(kind), !f.applies(sub, value):
		case sub.isSection():
			fmt.Fprintf(b, "%s%s:\n", indent, sub.key)
			writeSection(b, sub, v, indent+"  ")
		case sub.isListOfSections() && v.Len() > 0:
			elem := sub.item()
			fmt.Fprintf(b, "%s%s:\n", indent, sub.key)
			for i := range v.Len() {
				writeItem(b, elem, v.Index(i), indent+"  ")
			}
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, sub.key, flow(sub, v))
		}
	}
}

// writeItem writes an item of a list of sections: on a line, or, when it holds
// such a list itself, a line for each key.
func writeItem(b *strings.Builder, f *field, value reflect.Value, indent string) {
	for i, sub := range f.children {
		if sub.isListOfSections() && value.Field(i).Len() > 0 {
			var item strings.Builder
			writeSection(&item, f, value, indent+"  ")
			fmt.Fprintf(b, "%s- %s", indent, strings.TrimPrefix(item.String(), indent+"  "))
			return
		}
	}
	fmt.Fprintf(b, "%s- %s\n", indent, flow(f, value))
}

// flow returns a value in YAML's flow style.
func flow(f *field, value reflect.Value) string {
	var parts []string
	switch f.typ.Kind() {
	case reflect.Struct:
		kind, _ := f.kindOf(value)
		for i, sub := range f.children {
			if !sub.of(kind) || !f.applies(sub, value) {
				continue
			}
			parts = append(parts, sub.key+": "+flow(sub, value.Field(i)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Slice:
		elem := f.item()
		for i := range value.Len() {
			parts = append(parts, flow(elem, value.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Bool:
		return strconv.FormatBool(value.Bool())
	case reflect.Float64:
		return floatText(value.Float())
	case reflect.String:
		return quoteYAML(escapeReferences(value.String()))
	}
	return strconv.FormatInt(value.Int(), 10)
}

// floatText returns the shortest decimal that reads back as x, always with a
// point: readers of YAML 1.1 take 1e-07 for text.
func floatText(x float64) string {
	text := strconv.FormatFloat(x, 'g', -1, 64)
	if strings.Contains(text, ".") {
		return text
	}
	mantissa, exponent, scientific := strings.Cut(text, "e")
	if scientific {
		return mantissa + ".0e" + exponent
	}
	return mantissa + ".0"
}

// quoteYAML returns text as it is where every version of YAML reads it as
// text, and in double quotes otherwise.
func quoteYAML(text string) string {
	// YAML 1.1 takes more words for true and false than YAML 1.2 does.
	other := []string{"y", "n", "yes", "no", "on", "off"}
	for _, w := range other {
		if strings.EqualFold(text, w) {
			return strconv.Quote(text)
		}
	}
	if plainKind(text) == textNode && matches(`^[A-Za-z][A-Za-z0-9_./-]*$`, text) {
		return text
	}
	return strconv.Quote(text)
}
