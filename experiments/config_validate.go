package experiments

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// folderNames says which texts name a folder safely on every system.
const folderNames = "a folder name: letters, digits, '-', '_' and '.', a letter or digit first, no '.' last, at most 100 characters"

// validator checks the values of a configuration whose shape is right.
type validator struct {
	*checker
	origins map[string]origin // nil for a Config made by a program
}

// validate records every faulty value of config.
func (c *checker) validate(config *Config, origins map[string]origin) {
	v := &validator{checker: c, origins: origins}
	v.value(c.schema, reflect.ValueOf(config).Elem(), "")
	v.crossChecks(config)
	v.supported(config)
}

// fail records the fault e of the value at path, unless one is recorded there
// or in what holds it.
func (v *validator) fail(path string, e ConfigError) {
	var o origin
	for at := path; ; {
		if v.faulty[at] {
			return
		}
		if found, ok := v.origins[at]; ok && o.src == nil {
			o = found
		}
		cut := strings.LastIndexAny(at, ".[")
		if cut < 0 {
			break
		}
		at = at[:cut]
	}
	if section, _, ok := cutLast(path); ok && o.src == nil {
		o = v.origins[section+".kind"] // which asks for what is missing
	}
	v.faulty[path] = true
	e.Key = path
	v.add(o, e)
}

// cutLast splits a path before its last key.
func cutLast(path string) (section, key string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// value checks what the tags say of f, and of all that it holds.
func (v *validator) value(f *field, value reflect.Value, path string) {
	switch f.typ.Kind() {
	case reflect.Struct:
		kind, known := f.kindOf(value)
		for i, sub := range f.children {
			switch {
			case known && !sub.of(kind):
				v.foreign(f, sub, value.Field(i), path, kind)
			case known || f.kinds() == nil || sub.of(""):
				v.value(sub, value.Field(i), joinKey(path, sub.key))
			}
		}
	case reflect.Slice:
		elem := f.item()
		if strings.Count(f.path, "[]") > maxNesting && value.Len() > 0 {
			v.fail(path, ConfigError{Found: "a list", Fault: fmt.Sprintf("inside of %d others", strings.Count(f.path, "[]")), Allowed: fmt.Sprintf("residual blocks nested at most %d deep", maxNesting)})
			return
		}
		for i := range value.Len() {
			v.value(elem, value.Index(i), itemPath(path, i))
		}
	case reflect.Int, reflect.Int64:
		v.number(f, float64(value.Int()), path, strconv.FormatInt(value.Int(), 10))
	case reflect.Float64:
		x := value.Float()
		v.number(f, x, path, strconv.FormatFloat(x, 'g', -1, 64))
	case reflect.String:
		v.text(f, value.String(), path)
	}
}

func (v *validator) number(f *field, x float64, path, found string) {
	least, hasMin := f.bound("min")
	most, hasMax := f.bound("max")
	above, hasAbove := f.bound("above")
	below, hasBelow := f.bound("below")
	if math.IsNaN(x) || math.IsInf(x, 0) || hasMin && x < least || hasMax && x > most || hasAbove && x <= above || hasBelow && x >= below {
		e := ConfigError{Found: found, Allowed: f.allowed()}
		if x == 0 {
			e.Fault = f.tag.Get("zero")
		}
		v.fail(path, e)
	}
}

func (v *validator) text(f *field, text, path string) {
	if words := f.oneOf(); len(words) > 0 && !slices.Contains(words, text) {
		e := ConfigError{Found: word(text), Allowed: f.allowed(), Nearest: nearest(text, words)}
		if f.tag.Get("form") == "layer" {
			e.Fault, e.Nearest = unknownLayer(text, words)
		}
		v.fail(path, e)
	}
	if f.tag.Get("form") == "folder" && !isFolderName(text) {
		v.fail(path, ConfigError{Found: strconv.Quote(text), Allowed: f.allowed()})
	}
	if _, ok := ParseSize(text); f.tag.Get("form") == "size" && !ok {
		v.fail(path, ConfigError{Found: strconv.Quote(text), Allowed: f.allowed()})
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 || !utf8.ValidString(text) {
		v.fail(path, ConfigError{Found: strconv.Quote(text), Fault: "which is not UTF-8 text, or holds a control character", Allowed: f.allowed()})
	}
}

// isFolderName reports whether text is what folderNames describes.
func isFolderName(text string) bool {
	letter := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	outside := func(r rune) bool { return !letter(r) && !strings.ContainsRune("-_.", r) }
	return text != "" && len(text) <= 100 && letter(rune(text[0])) && !strings.HasSuffix(text, ".") && !strings.ContainsFunc(text, outside)
}

// word is text for an error message: as it is when it is a word, quoted
// otherwise.
func word(text string) string {
	if isFolderName(text) {
		return text
	}
	return fmt.Sprintf("%q", text)
}
