package experiments

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// field is one key of the configuration, read from the tags of [Config].
type field struct {
	key, path string // path is the full key; items of a list have the list's path and "[]"
	tag       reflect.StructTag
	typ       reflect.Type
	children  []*field // of a section (a struct), in the order of the struct
	kind      string   // of a section that is checked as one of its kinds, see variant
	open      bool     // unknown keys are passed over
}

// configSchema returns the section that is the whole configuration.
func configSchema() *field {
	return newField("", "", reflect.TypeFor[Config](), "")
}

func newField(key, path string, typ reflect.Type, tag reflect.StructTag) *field {
	f := &field{key: key, path: path, typ: typ, tag: tag}
	if typ.Kind() != reflect.Struct || f.isOpen() {
		return f
	}
	for i := range typ.NumField() {
		sub := typ.Field(i)
		name := sub.Tag.Get("yaml")
		f.children = append(f.children, newField(name, joinKey(path, name), sub.Type, sub.Tag))
	}
	return f
}

// isItem reports whether f is an item of a list, whose default is the list's.
func (f *field) isItem() bool { return f.key == "" }

// item returns the field of an item of the list f. It is made on demand: the
// items of a list may hold lists of such items, without end.
func (f *field) item() *field { return newField("", f.path+"[]", f.typ.Elem(), f.tag) }

func joinKey(parent, key string) string {
	if parent == "" {
		return key
	}
	return parent + "." + key
}

func (f *field) isSection() bool { return f.typ.Kind() == reflect.Struct }

func (f *field) isList() bool { return f.typ.Kind() == reflect.Slice }

// isListOfSections reports whether the items of f are mappings.
func (f *field) isListOfSections() bool { return f.isList() && f.item().isSection() }

// child returns the key of a section, or nil.
func (f *field) child(key string) *field {
	for _, sub := range f.children {
		if sub.key == key {
			return sub
		}
	}
	return nil
}

// keys returns the keys of a section.
func (f *field) keys() []string {
	var keys []string
	for _, sub := range f.children {
		keys = append(keys, sub.key)
	}
	return keys
}

// each calls visit for every key below the section f, sections and lists
// before what they hold; it does not enter lists.
func (f *field) each(visit func(*field)) {
	for _, sub := range f.children {
		visit(sub)
		sub.each(visit)
	}
}

// paths returns every full key below the section f.
func (f *field) paths() []string {
	var paths []string
	f.each(func(sub *field) { paths = append(paths, sub.path) })
	return paths
}

func (f *field) oneOf() []string { return strings.Fields(f.tag.Get("oneof")) }

// bound returns the bound of that name (min, max, above, below).
func (f *field) bound(name string) (float64, bool) {
	b, err := strconv.ParseFloat(f.tag.Get(name), 64)
	return b, err == nil
}

// allowed says in words what the key may hold.
func (f *field) allowed() string {
	if words := f.oneOf(); len(words) > 0 {
		return strings.Join(words, ", ")
	}
	if f.isOpen() {
		return f.tag.Get("note")
	}
	note := f.tag.Get("note")
	if note != "" {
		note = " (" + note + ")"
	}
	if f.key == "" {
		note = "" // an item of a list: the note is on the list
	}
	switch f.typ.Kind() {
	case reflect.Struct:
		return "a mapping with " + f.mapping()
	case reflect.Slice:
		of := " of whole numbers" + f.bounds()
		if f.isListOfSections() {
			of = " of mappings with " + f.item().mapping()
		}
		example := f.tag.Get("example")
		if example == "" && !f.isListOfSections() {
			example = f.tag.Get("default")
		}
		if example != "" {
			of += ", such as " + example
		}
		return "a list" + of + note
	case reflect.Int, reflect.Int64:
		return "a whole number" + f.bounds() + note
	case reflect.Float64:
		return "a finite number" + f.bounds() + note
	case reflect.Bool:
		return "true, false"
	}
	switch f.tag.Get("form") {
	case "folder":
		return folderNames
	case "size":
		return sizes
	}
	return "text"
}

// bounds says the bounds of a number in words.
func (f *field) bounds() string {
	var parts []string
	for _, b := range [...][2]string{{"min", "at least"}, {"above", "above"}, {"below", "below"}, {"max", "at most"}} {
		if text := f.tag.Get(b[0]); text != "" {
			parts = append(parts, b[1]+" "+text)
		}
	}
	if parts == nil {
		return ""
	}
	return ", " + strings.Join(parts, " and ")
}

// itemPath is the full key of item i of the list at path.
func itemPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
