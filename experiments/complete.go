package experiments

import (
	"reflect"
	"slices"
	"strings"
)

// Completion is what the beginning of a text may go on to be.
type Completion struct {
	Text    string // the whole text
	Meaning string
	Partial bool // there is more to come, such as a value after =
}

// CompleteOverride returns what the beginning of an override of the command line may become: keys of the
// configuration, section by section, and after = the words that a key takes, or its default. Kinds are not
// considered: keys of all of them are offered.
func CompleteOverride(text string) []Completion {
	key, _, hasValue := strings.Cut(text, "=")
	op, path := "", key
	if strings.HasPrefix(key, "+") || strings.HasPrefix(key, "~") {
		op, path = key[:1], key[1:]
	}
	if hasValue {
		return completeValue(op, path, text)
	}
	parent, prefix := "", ""
	if i := strings.LastIndex(path, "."); i >= 0 {
		parent, prefix = path[:i], path[:i+1]
	}
	section := fieldAt(parent)
	if section == nil || !section.isSection() {
		return nil
	}
	means := keyDescriptions()
	var found []Completion
	for _, f := range section.children {
		whole := op + prefix + f.key
		if !strings.HasPrefix(whole, text) {
			continue
		}
		meaning := means[f.path]
		switch {
		case f.isSection():
			found = append(found, Completion{whole + ".", meaning, true})
		case op == "~":
			found = append(found, Completion{whole, meaning, false})
		default:
			found = append(found, Completion{whole + "=", meaning, true})
		}
	}
	return found
}

// fieldAt returns the field of a path, nil where there is none.
func fieldAt(path string) *field {
	if path == "" {
		return configSchema()
	}
	steps, fault, _ := parsePath(path)
	if fault != "" {
		return nil
	}
	f, _, _ := configSchema().descend(steps)
	return f
}

// completeValue returns the values that a key may have.
func completeValue(op, path, text string) []Completion {
	f := fieldAt(path)
	if f == nil || op == "~" {
		return nil
	}
	words := f.oneOf()
	if f.typ.Kind() == reflect.Bool {
		words = []string{"true", "false"}
	}
	standard, hasDefault := f.tag.Lookup("default")
	if hasDefault && !f.isItem() && !slices.Contains(words, standard) && !strings.ContainsAny(standard, "{' ") {
		words = append(words, standard)
	}
	var found []Completion
	for _, word := range words {
		c := Completion{Text: op + path + "=" + word}
		if word == standard {
			c.Meaning = "default"
		}
		if strings.HasPrefix(c.Text, text) {
			found = append(found, c)
		}
	}
	return found
}
