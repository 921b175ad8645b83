package experiments

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of a configuration: the time that the YAML parser takes grows
// with the square of its length, and its recursion with the depth.
const (
	maxConfigBytes = 64 << 10
	maxDepth       = 100 // of nested lists and mappings
)

// Load reads the configuration file at path and lays over it, in rising order,
// the PKM_… variables of environ (in the form of [os.Environ]) and the
// key=value overrides. The format follows from the extension: .yaml, .yml,
// .json or .toml. Keys that no layer gives have their defaults.
//
// Unknown keys and wrong types are refused in every layer, also where a higher
// layer covers them; values are judged by the layer that prevails, which the
// message names.
//
// Every fault found is returned, joined, as a [*ConfigError]; a file that
// cannot be read also matches the cause, such as [fs.ErrNotExist].
func Load(path string, overrides, environ []string) (*Config, error) {
	data, err := readConfigFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, strings.TrimPrefix(filepath.Ext(path), "."), overrides, environ)
}

// Parse is [Load] for a file's content. Messages call the file name; format is
// "yaml", "yml", "json" or "toml".
func Parse(name string, data []byte, format string, overrides, environ []string) (*Config, error) {
	c := newChecker()
	layers := []*layer{
		c.defaults(),
		c.file(name, data, format),
		c.environment(environ),
		c.overrides(overrides),
	}
	config, err := merge(layers)
	if err != nil {
		// Unreachable while the checker knows every type of the schema.
		c.add(origin{}, ConfigError{File: name, Fault: "cannot be decoded", Err: err})
		return nil, c.err()
	}
	c.required(name, layers)
	given := origins(layers)
	if _, ok := given["machines"]; !ok {
		config.Machines = slices.DeleteFunc(config.Machines, func(m Machine) bool { return !config.Training.Optimizer.suits(m.Family) })
	}
	c.validate(config, given)
	if err := c.err(); err != nil {
		return nil, err
	}
	return config, nil
}

// Validate checks the values of c as [Load] does, for a configuration that was
// changed after loading. Every fault is returned, joined, as a [*ConfigError].
func (c *Config) Validate() error {
	k := newChecker()
	k.validate(c, nil)
	return k.err()
}

// readConfigFile reads at most maxConfigBytes of the file at path.
func readConfigFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, &ConfigError{File: path, Source: path, Fault: "is a directory", Allowed: "a configuration file, such as " + filepath.Join(path, "experiment.yaml")}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

// unreadable describes why the file at path cannot be read, and suggests the
// file of its directory with the nearest name.
func unreadable(path string, err error) *ConfigError {
	e := &ConfigError{File: path, Source: path, Fault: "cannot be read", Found: err.Error(), Err: err}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		e.Found = pathError.Err.Error()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return e
	}
	e.Fault, e.Found = "no such file", ""
	dir := filepath.Dir(path)
	entries, _ := os.ReadDir(dir) // no directory, no suggestion
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if near := nearest(filepath.Base(path), names); near != "" {
		e.Nearest = filepath.Join(dir, near)
	}
	return e
}

// file reads the content of a configuration file into a layer.
func (c *checker) file(name string, data []byte, format string) *layer {
	src := &source{file: name}
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	src.lines = strings.Split(string(data), "\n")
	fail := func(e ConfigError) *layer {
		c.add(origin{src: src, line: e.Line, col: e.Column}, e)
		c.unread = true
		return &layer{}
	}
	if fault := legible(string(data)); fault != nil {
		return fail(*fault)
	}
	var root *node
	var fault *ConfigError
	switch strings.ToLower(format) {
	case "yaml", "yml":
		root, fault = parseYAML(string(data))
	case "json":
		root, fault = parseJSON(string(data))
	case "toml":
		root, fault = parseTOML(data)
	default:
		return fail(ConfigError{Fault: "unknown configuration format", Found: fmt.Sprintf("%q", format), Allowed: ".yaml, .yml, .json, .toml"})
	}
	if fault != nil {
		return fail(*fault)
	}
	if root == nil {
		return fail(ConfigError{Fault: "holds no configuration", Allowed: "at least a name, such as name: my-experiment"})
	}
	l := &layer{src: src, origins: map[string]origin{}}
	value, _ := c.value(l, root, c.schema, "")
	l.values, _ = value.(map[string]any)
	return l
}

// legible returns what keeps text from being parsed, or nil.
func legible(text string) *ConfigError {
	if len(text) > maxConfigBytes {
		return &ConfigError{Fault: "too long for a configuration", Allowed: fmt.Sprintf("at most %d bytes", maxConfigBytes)}
	}
	depth := 0
	for i, r := range text {
		fault := ""
		switch r {
		case '[', '{':
			if depth++; depth > maxDepth {
				fault = fmt.Sprintf("nested deeper than %d brackets", maxDepth)
			}
		case ']', '}':
			depth--
		case utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				fault = fmt.Sprintf("is not UTF-8 text: byte 0x%02x", text[i])
			}
		}
		if fault != "" {
			line, col := at(text, i)
			return &ConfigError{Line: line, Column: col, Fault: fault}
		}
	}
	return nil
}
