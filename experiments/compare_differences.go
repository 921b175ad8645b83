package experiments

import (
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Difference is a key of the configuration that runs do not agree on.
type Difference struct {
	Key    string   `json:"key"`
	Values []string `json:"values"` // of each run, as YAML; "" where the run does not have the key
}

// setting is a key of a configuration with its value, as YAML.
type setting struct{ key, value string }

// settings returns every key of a configuration, in order. Items of a list with names are keys by
// their names, as in machines.exact.
func (c *Config) settings() []setting {
	return appendSettings(nil, configSchema(), reflect.ValueOf(c).Elem(), "")
}

func appendSettings(to []setting, f *field, value reflect.Value, path string) []setting {
	switch {
	case f.isSection():
		kind, _ := f.kindOf(value)
		for i, sub := range f.children {
			if sub.of(kind) && f.applies(sub, value) {
				to = appendSettings(to, sub, value.Field(i), joinKey(path, sub.key))
			}
		}
		return to
	case f.isListOfSections() && value.Len() > 0:
		item := f.item()
		for i := range value.Len() {
			key, text := itemPath(path, i), flow(item, value.Index(i))
			if name := slices.IndexFunc(item.children, func(c *field) bool { return c.key == "name" }); name >= 0 {
				key = joinKey(path, value.Index(i).Field(name).String())
				text = strings.Replace(text, "name: "+flow(item.children[name], value.Index(i).Field(name))+", ", "", 1)
			}
			to = append(to, setting{key, text})
		}
		return to
	}
	return append(to, setting{path, flow(f, value)})
}

// differences returns the keys in which configurations differ, in their order.
func differences(configs []*Config) []Difference {
	var keys []string
	values := make([]map[string]string, len(configs))
	for i, c := range configs {
		values[i] = map[string]string{}
		after := 0 // where a key that the runs before do not have belongs
		for _, s := range c.settings() {
			values[i][s.key] = s.value
			at := slices.Index(keys, s.key)
			if at < 0 {
				at = after
				keys = slices.Insert(keys, at, s.key)
			}
			after = at + 1
		}
	}
	found := []Difference{}
	for _, key := range keys {
		d := Difference{Key: key}
		for _, v := range values {
			d.Values = append(d.Values, v[key])
		}
		if slices.ContainsFunc(d.Values, func(v string) bool { return v != d.Values[0] }) {
			found = append(found, d)
		}
	}
	return found
}

// Config reads the configuration that the run was made with. The data set need not be there.
func (r *Run) Config() (*Config, error) {
	text, err := r.readFile("config.yaml")
	if err != nil {
		return nil, err
	}
	return parseWritten("config.yaml", text)
}

// readFile reads a file of the run and checks that it is as it was written.
func (r *Run) readFile(name string) (content []byte, err error) {
	root, err := os.OpenRoot(r.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	record, listed := r.record(name)
	if !listed {
		return nil, &FileError{Path: name, Fault: FaultMissing, Detail: "the manifest does not list it"}
	}
	if err := verifyFile(root, record); err != nil {
		return nil, err
	}
	f, err := openFile(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// record returns what the manifest says of a file.
func (r *Run) record(name string) (FileRecord, bool) {
	i := slices.IndexFunc(r.Manifest.Files, func(f FileRecord) bool { return f.Path == name })
	if i < 0 {
		return FileRecord{}, false
	}
	return r.Manifest.Files[i], true
}

// shorten cuts a text for a table.
func shorten(text string, runes int) string {
	if utf8.RuneCountInString(text) <= runes {
		return text
	}
	return string([]rune(text)[:runes-1]) + "…"
}
