package experiments

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
// overrides: key=value sets a key, +key=value adds one that is not given, or an
// item to a list, ~key takes one away. Below the file lie the files that its key
// defaults names, relative to it, later ones over earlier ones, without the keys
// that its key remove names. The format follows from the extension: .yaml, .yml,
// .json or .toml. Keys that no layer gives have their defaults. Mappings are
// laid over one another key by key; a list replaces a list.
//
// In a text, ${a.b} stands for the value of another key, whatever layer gives
// it, and ${env:NAME} or ${env:NAME,VALUE} for a variable of environ; alone they
// keep its type. $${ stands for ${.
//
// Unknown keys and wrong types are refused in every layer, also where a higher
// layer covers them; values are judged by the layer that prevails, which the
// message names. References are looked up only in values that prevail.
//
// With fast_dev_run the numbers of steps and samples are cut to a few, once the
// whole is found to be right.
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
	config, _, err := compose(name, data, format, overrides, environ)
	return config, err
}

// parseWritten is [Parse] for the configuration that a run wrote, whose data set need not
// be there any more.
func parseWritten(name string, data []byte) (*Config, error) {
	c := newChecker()
	c.withoutData = true
	config, _, err := c.compose(name, data, "yaml", nil, nil)
	return config, err
}

// compose is [Parse], and returns where each value comes from.
func compose(name string, data []byte, format string, overrides, environ []string) (*Config, map[string]origin, error) {
	return newChecker().compose(name, data, format, overrides, environ)
}

func (c *checker) compose(name string, data []byte, format string, overrides, environ []string) (*Config, map[string]origin, error) {
	layers := c.layers(name, data, format, overrides, environ)
	config, err := merge(layers)
	if err != nil {
		// Unreachable while the checker knows every type of the schema.
		c.add(origin{}, ConfigError{File: name, Fault: "cannot be decoded", Err: err})
		return nil, nil, c.err()
	}
	c.required(name, layers)
	if c.unread {
		return nil, nil, c.err() // what the file would have said is unknown
	}
	given := origins(layers)
	c.defaultMachines(config, given)
	c.validate(config, given)
	if err := c.err(); err != nil {
		return nil, nil, err
	}
	c.shorten(config, given)
	return config, given, c.err()
}

// layers returns what the defaults and each source say, the lowest first.
func (c *checker) layers(name string, data []byte, format string, overrides, environ []string) []*layer {
	docs := c.files(name, data, format)
	docs = append(docs, c.environment(environ)...)
	docs = c.set(c.overrides(docs, overrides))
	layers := []*layer{c.defaults()}
	for _, doc := range c.resolve(docs, environ) {
		l := &layer{origins: map[string]origin{}}
		value, _ := c.value(l, doc, c.schema, "")
		l.values, _ = value.(map[string]any)
		layers = append(layers, l)
	}
	return layers
}

// defaultMachines leaves out the default machines that do not account for the
// optimizer's steps, also where machines were added to them.
func (c *checker) defaultMachines(config *Config, given map[string]origin) {
	for i := len(config.Machines) - 1; i >= 0; i-- {
		path := itemPath("machines", i)
		if o, ok := given[path]; ok && o.src != nil || config.Training.Optimizer.suits(config.Machines[i].Family) {
			continue
		}
		config.Machines = slices.Delete(config.Machines, i, i+1)
		dropItem(given, "machines", i)
		dropItem(c.faulty, "machines", i)
	}
}

// dropItem deletes the keys of item i of the list at path, and renames those of
// the items after it.
func dropItem[V any](of map[string]V, path string, i int) {
	renamed := map[string]V{}
	for key, value := range of {
		rest, ok := strings.CutPrefix(key, path+"[")
		number, after, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(number); ok && err == nil && n >= i {
			delete(of, key)
			if n > i {
				renamed[itemPath(path, n-1)+after] = value
			}
		}
	}
	maps.Copy(of, renamed)
}

// Validate checks the values of c as [Load] does, for a configuration that was
// changed after loading. Every fault is returned, joined, as a [*ConfigError].
func (c *Config) Validate() error {
	k := newChecker()
	k.validate(c, nil)
	return k.err()
}

// load checks c as Validate does and returns its dataset, which is read for that.
func (c *Config) load() (*Dataset, error) {
	k := newChecker()
	k.validate(c, nil)
	if err := k.err(); err != nil {
		return nil, err
	}
	return k.dataset, nil
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

// file reads the content of a configuration file; nil where it cannot be read.
func (c *checker) file(src *source, data []byte, format string) *node {
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	src.lines = strings.Split(string(data), "\n")
	fail := func(e ConfigError) *node {
		c.add(origin{src: src, line: e.Line, col: e.Column}, e)
		c.unread = true
		return nil
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
		return fail(ConfigError{Fault: "holds no configuration", Allowed: "at least one key, such as name: my-experiment"})
	}
	root.from(src, 0)
	return root
}

// legible returns what keeps text from being parsed, or nil.
func legible(text string) *ConfigError {
	if len(text) > maxConfigBytes {
		return &ConfigError{Fault: "too long for a configuration", Allowed: fmt.Sprintf("at most %d bytes", maxConfigBytes)}
	}
	depth := 0
	for i, r := range text {
		fault, allowed := "", ""
		switch r {
		case '[', '{':
			if depth++; depth > maxDepth {
				fault = fmt.Sprintf("nested deeper than %d brackets", maxDepth)
			}
		case ']', '}':
			depth--
		case utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				fault, allowed = fmt.Sprintf("is not UTF-8 text: byte 0x%02x", text[i]), "a file saved as UTF-8"
			}
		}
		if fault != "" {
			line, col := at(text, i)
			return &ConfigError{Line: line, Column: col, Fault: fault, Allowed: allowed}
		}
	}
	return nil
}
