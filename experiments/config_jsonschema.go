package experiments

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// JSONSchema returns a JSON Schema (draft 2020-12) of a configuration file, made
// from the tags of [Config]: every file that [Load] accepts conforms to it. The
// schema does not say what is impossible only beside other values, but for the
// keys of a kind and the rules of a family.
func JSONSchema() ([]byte, error) {
	s := &schemaWriter{checker: newChecker(), means: keyDescriptions(), defs: object{}}
	root := s.section(s.schema)
	delete(root, "required")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "A configuration of pkm"
	// What is required may be in a file below.
	root["anyOf"] = []any{object{"required": []string{"name"}}, object{"required": []string{defaultsKey}}}
	properties := root["properties"].(object)
	files := object{"type": "array", "items": object{"type": "string", "minLength": 1}}
	properties[defaultsKey] = with(files, "description", "configuration files below this one, relative to it; later ones prevail over earlier ones, this one over them all")
	properties[removeKey] = with(files, "description", "keys to take away from what the files of defaults give")
	properties[schemaKey] = object{"type": "string"}
	s.defs["reference"] = object{"type": "string", "pattern": `\$\{`, "description": "${a.key} is the value of another key, ${env:NAME} and ${env:NAME,VALUE} of an environment variable"}
	root["$defs"] = s.defs
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// schemaWriter makes a JSON Schema of fields.
type schemaWriter struct {
	*checker
	means map[string]string
	defs  object // of the items of lists, by the name of their type
}

func with(schema object, key string, value any) object {
	out := object{key: value}
	for k, v := range schema {
		out[k] = v
	}
	return out
}

// value returns the schema of the key f. Any value but a section may be written
// as a reference.
func (s *schemaWriter) value(f *field) object {
	out := s.plain(f)
	if isText := len(out) == 1 && out["type"] == "string"; !isText && !f.isSection() {
		out = object{"anyOf": []any{out, object{"$ref": "#/$defs/reference"}}}
	}
	if means := s.means[f.path]; means != "" && !f.isItem() {
		out["description"] = means
	}
	if text, ok := f.tag.Lookup("default"); ok && !f.isItem() {
		out["default"] = s.parseDefault(f, text)
	}
	return out
}

// plain returns the schema of a value of the key f that is no reference.
func (s *schemaWriter) plain(f *field) object {
	switch f.typ.Kind() {
	case reflect.Struct:
		if !f.isItem() {
			return s.section(f)
		}
		name := f.typ.Name()
		if s.defs[name] == nil {
			s.defs[name] = object{} // an item may hold a list of its own kind
			s.defs[name] = s.section(f)
		}
		return object{"$ref": "#/$defs/" + name}
	case reflect.Slice:
		item := f.item()
		items := s.value(item)
		if item.isSection() {
			items = object{"anyOf": []any{items, object{"$ref": "#/$defs/reference"}}}
		}
		return object{"type": "array", "items": items}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return s.number(f, "integer")
	case reflect.Float64:
		return s.number(f, "number")
	}
	if words := f.oneOf(); len(words) > 0 {
		return object{"enum": words}
	}
	switch f.tag.Get("form") {
	case "folder":
		return object{"type": "string", "pattern": `^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?$`}
	case "size":
		return object{"type": "string", "pattern": sizeForm}
	case "column":
		return object{"type": []string{"string", "integer"}}
	}
	return object{"type": "string"}
}

func (s *schemaWriter) number(f *field, of string) object {
	out := object{"type": of}
	for bound, key := range map[string]string{"min": "minimum", "max": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"} {
		if x, ok := f.bound(bound); ok {
			out[key] = x
		}
	}
	return out
}

// section returns the schema of a mapping.
func (s *schemaWriter) section(f *field) object {
	properties := object{}
	for _, sub := range f.children {
		properties[sub.key] = s.value(sub)
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	inList := f.isItem() && f.path != ""
	if required := f.only("").needed(); inList && len(required) > 0 {
		out["required"] = required
	}
	var cases []any
	if kind := f.child("kind"); kind != nil {
		for _, word := range kind.oneOf() {
			of := f.only(word)
			if len(of.children) == len(f.children) && !inList {
				continue // every kind has every key
			}
			then := object{"propertyNames": object{"enum": of.keys()}}
			if required := of.needed(); inList && len(required) > 0 {
				then["required"] = required
			}
			cases = append(cases, when("kind", word, then))
		}
	}
	if f.child("family") != nil && f.child("rule") != nil {
		for _, family := range f.child("family").oneOf() {
			rule := object{"anyOf": []any{object{"enum": Rules(family)}, object{"$ref": "#/$defs/reference"}}}
			cases = append(cases, when("family", family, object{"properties": object{"rule": rule}}))
		}
	}
	for _, sub := range f.children {
		// The tag when: only where another key is one of the words, or a reference that may be it.
		if key, words, limited := strings.Cut(sub.tag.Get("when"), " "); limited {
			other := object{"not": object{"anyOf": []any{object{"enum": strings.Fields(words)}, object{"$ref": "#/$defs/reference"}}}}
			cases = append(cases, object{"if": object{"properties": object{key: other}, "required": []string{key}}, "then": object{"not": object{"required": []string{sub.key}}}})
		}
	}
	if cases != nil {
		out["allOf"] = cases
	}
	return out
}

// when applies then where the key holds the word.
func when(key, word string, then object) object {
	return object{"if": object{"properties": object{key: object{"const": word}}, "required": []string{key}}, "then": then}
}

// needed returns the keys of a section that have no default.
func (f *field) needed() []string {
	var keys []string
	for _, sub := range f.children {
		if _, ok := sub.tag.Lookup("default"); !ok && !sub.isSection() {
			keys = append(keys, sub.key)
		}
	}
	slices.Sort(keys)
	return keys
}
