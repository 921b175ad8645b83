package experiments

import (
	"reflect"
	"slices"
	"strings"
)

// maxNesting bounds how deep residual blocks are nested.
const maxNesting = 4

// A section may have a key kind on which its other keys depend: the tag of:
// names the kinds that have a key. Where the kind has a default, it is known
// only when all layers of the configuration are merged; where it has none, in
// the items of a list, each item says what it is, and is checked as that.

// of reports whether the key belongs to sections of that kind.
func (f *field) of(kind string) bool {
	kinds, limited := f.tag.Lookup("of")
	return !limited || slices.Contains(strings.Fields(kinds), kind)
}

// applies reports whether the section with that value has the key sub, which the tag when
// limits to words of another key.
func (f *field) applies(sub *field, section reflect.Value) bool {
	key, words, limited := strings.Cut(sub.tag.Get("when"), " ")
	i := slices.IndexFunc(f.children, func(other *field) bool { return other.key == key })
	return !limited || i >= 0 && slices.Contains(strings.Fields(words), section.Field(i).String())
}

// kinds returns the words for the kind of a section that has to say its kind;
// none for any other.
func (f *field) kinds() []string {
	kind := f.child("kind")
	if kind == nil {
		return nil
	}
	if _, ok := kind.tag.Lookup("default"); ok {
		return nil
	}
	return kind.oneOf()
}

// variant returns f with the keys of the kind that n names: all keys when it
// names none, and only kind itself, with the others passed over, when what it
// names is no kind.
func (f *field) variant(n *node) *field {
	kind := n.entry("kind")
	if f.kinds() == nil || kind == nil {
		return f
	}
	v := f.only(kind.text)
	v.open = !slices.Contains(f.kinds(), kind.text)
	return v
}

// only returns f with the keys of that kind.
func (f *field) only(kind string) *field {
	v := *f
	v.kind = kind
	v.children = slices.DeleteFunc(slices.Clone(f.children), func(sub *field) bool { return !sub.of(kind) })
	return &v
}

// kindOf returns the kind of a section with that value; known is false when it
// has no kind, or an impossible one.
func (f *field) kindOf(value reflect.Value) (kind string, known bool) {
	i := slices.IndexFunc(f.children, func(sub *field) bool { return sub.key == "kind" })
	if i < 0 {
		return "", false
	}
	kind = value.Field(i).String()
	return kind, slices.Contains(f.children[i].oneOf(), kind)
}

// mapping says in words which keys the section f has.
func (f *field) mapping() string {
	if kinds := f.kinds(); kinds != nil {
		return "the key kind (" + strings.Join(kinds, ", ") + ") and the keys of that kind"
	}
	return "the keys " + strings.Join(f.keys(), ", ")
}

// nearestKey returns the key of the section f whose spelling is nearest to
// key, or that goes by the name key elsewhere (the tag also), or "".
func (f *field) nearestKey(key string) string {
	if near := nearest(key, f.keys()); near != "" {
		return near
	}
	for _, sub := range f.children {
		if slices.Contains(strings.Fields(sub.tag.Get("also")), key) {
			return sub.key
		}
	}
	return ""
}

// isOfAnotherKind reports whether f is a variant that lacks the key, which
// another has.
func (f *field) isOfAnotherKind(key string) bool {
	return f.child(key) == nil && newField("", f.path, f.typ, f.tag).child(key) != nil
}

// unknownOfKind says of a key, which no section like f has, what may be meant.
func (c *checker) unknownOfKind(e *ConfigError, key string, f *field, section string) {
	switch {
	case slices.Contains(f.kinds(), key):
		e.Nearest = "kind: " + key
		c.meant[joinKey(section, "kind")] = true
	case key == "activation":
		e.Fault = "unknown key: an activation is a layer of its own, such as {kind: tanh}"
	}
}

// foreign records the value of the key sub of the section f, which sections of
// that kind do not have, when it was given or says something.
func (v *validator) foreign(f, sub *field, value reflect.Value, section, kind string) {
	key, path := joinKey(section, sub.key), joinKey(section, "kind")
	found := flow(sub, value)
	if _, given := v.origins[key]; !given && (value.IsZero() || found == "[]" || sub.isDefault(value)) {
		return
	}
	if sub.isListOfSections() && value.Len() > 0 {
		found = "a list"
	}
	allowed := "the keys " + strings.Join(f.only(kind).keys(), ", ")
	if of := sub.tag.Get("of"); !strings.Contains(of, " ") {
		allowed = sub.key + " only with " + path + ": " + of
	}
	fault := "while " + path + " is " + kind
	// A kind from a higher layer does not take the keys of another away: how to.
	if here, above := v.origins[key].src, v.origins[path].src; here != nil && above != nil && here.rank < above.rank {
		fault += " by " + v.origins[path].String()
		if above.file != "" {
			allowed += "; remove: [" + key + "] in " + above.file + " takes it away"
		} else {
			allowed += "; ~" + key + " on the command line takes it away"
		}
	}
	v.fail(key, ConfigError{Found: found, Fault: fault, Allowed: allowed})
}

// misplaced records keys of the section f at path that the tag when does not allow there,
// and that say something.
func (v *validator) misplaced(f *field, section reflect.Value, path string) {
	for i, sub := range f.children {
		value := section.Field(i)
		if f.applies(sub, section) || value.IsZero() || sub.isDefault(value) || flow(sub, value) == "[]" {
			continue
		}
		key, words, _ := strings.Cut(sub.tag.Get("when"), " ")
		other := slices.IndexFunc(f.children, func(o *field) bool { return o.key == key })
		if v.faulty[joinKey(path, key)] {
			continue // which was meant is unknown
		}
		v.fail(joinKey(path, sub.key), ConfigError{Found: flow(sub, value), Fault: "while " + joinKey(path, key) + " is " + section.Field(other).String(),
			Allowed: sub.key + " only with " + joinKey(path, key) + ": " + strings.Join(strings.Fields(words), ", ")})
	}
}

// isDefault reports whether value is the default of the key f.
func (f *field) isDefault(value reflect.Value) bool {
	text, ok := f.tag.Lookup("default")
	if !ok {
		return false
	}
	if value.Kind() == reflect.Float64 {
		x, err := parseFloat(text)
		return err == nil && x == value.Float()
	}
	return flow(f, value) == text
}
