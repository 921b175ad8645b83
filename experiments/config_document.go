package experiments

import (
	"path/filepath"
	"reflect"
	"strings"

	"github.com/go-viper/mapstructure/v2"
)

// Document is a file in the formats of configurations whose keys are others, such as a
// sweep's. It is read with the same checks, and its faults have the same form.
//
// The schema is a struct with the tags of [Config]; a field of type [Node] takes anything,
// and its tag note says in words what is allowed.
type Document struct {
	c    *checker
	root *node
}

// Node is a value of a [Document] that its schema leaves open, with its place.
type Node struct{ n *node }

// Entry is a key of a mapping.
type Entry struct {
	Key   string
	At    Node // the place of the key
	Value Node
}

// Setting gives a key of a configuration a value that stands in a document.
type Setting struct {
	Key   string // full key, or a path such as machines[0].rule
	At    Node   // the place of the key
	Value Node
}

// ReadDocument reads the file at path into the struct that into points at. What is wrong
// is collected, see [Document.Err]; the error is that of a file that cannot be read or
// has no values to read, and then there is no document.
func ReadDocument(path string, into any) (*Document, error) {
	data, err := readConfigFile(path)
	if err != nil {
		return nil, err
	}
	c := newChecker()
	c.schema = newField("", "", reflect.TypeOf(into).Elem(), "")
	d := &Document{c: c}
	src := &source{file: path, rank: rankOverride}
	if d.root = c.file(src, data, strings.TrimPrefix(filepath.Ext(path), ".")); d.root == nil {
		return nil, c.err()
	}
	d.Section(d.Root(), "", into)
	return d, nil
}

// Root is the whole document.
func (d *Document) Root() Node { return Node{d.root} }

// Section reads a mapping into the struct that into points at. Its keys are called
// path.KEY in messages. It reports whether all of it could be read.
func (d *Document) Section(n Node, path string, into any) bool {
	before := len(d.c.errs)
	to := reflect.ValueOf(into).Elem()
	f := newField("", path, to.Type(), "")
	l := &layer{origins: map[string]origin{}}
	value, ok := d.c.value(l, n.n, f, path)
	if !ok {
		return false
	}
	section := value.(map[string]any) // f is a section
	d.complete(l, section, f, path)
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{Result: into, TagName: "yaml", ErrorUnused: true})
	if err == nil {
		err = decoder.Decode(section)
	}
	if err != nil {
		// Unreachable while the checker knows every type of the schema.
		d.c.add(n.n.place(), ConfigError{Key: path, Fault: "cannot be decoded", Err: err})
		return false
	}
	v := &validator{checker: d.c, origins: l.origins}
	v.value(f, to, path)
	v.misplacedBelow(f, to, path)
	return len(d.c.errs) == before
}

// complete fills in what a section, and those in it, do not give.
func (d *Document) complete(l *layer, section map[string]any, f *field, path string) {
	d.c.complete(l, section, f, path)
	for _, sub := range f.children {
		if below, ok := section[sub.key].(map[string]any); ok {
			d.complete(l, below, sub, joinKey(path, sub.key))
		}
	}
}

// misplacedBelow is misplaced for the section f and those in it.
func (v *validator) misplacedBelow(f *field, section reflect.Value, path string) {
	v.misplaced(f, section, path)
	for i, sub := range f.children {
		if sub.isSection() && !sub.isOpen() {
			v.misplacedBelow(sub, section.Field(i), joinKey(path, sub.key))
		}
	}
}

// Fail records the fault e of a value of the document.
func (d *Document) Fail(n Node, e ConfigError) { d.c.add(n.n.place(), e) }

// Add records the faults of a configuration, or another error, of a value of the document.
func (d *Document) Add(n Node, err error) {
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, fault := range faults {
		if e, ok := fault.(*ConfigError); ok {
			d.c.errs = append(d.c.errs, ranked{n.n.src, e})
		} else {
			d.c.add(n.n.place(), ConfigError{Fault: fault.Error(), Err: fault})
		}
	}
}

// Err returns the faults so far in the order of their places, joined, each a
// [*ConfigError], or nil.
func (d *Document) Err() error { return d.c.err() }

// LoadWith is [Load] for the configuration file at path with the settings in the place of
// overrides. Faults of a setting lie where it stands in its document. Without data the
// data set is not looked at, nor what depends on it checked.
func LoadWith(path string, settings []Setting, environ []string, data bool) (*Config, error) {
	text, err := readConfigFile(path)
	if err != nil {
		return nil, err
	}
	c := newChecker()
	c.settings, c.withoutData = settings, !data
	config, _, err := c.compose(path, text, strings.TrimPrefix(filepath.Ext(path), "."), nil, environ)
	return config, err
}

// set makes the settings over docs.
func (c *checker) set(docs []*node) []*node {
	for _, s := range c.settings {
		ch := &change{checker: c, op: '=', place: s.At.n.place(), value: s.Value.n}
		docs = ch.apply(docs, s.Key)
	}
	return docs
}

// Nearest returns the candidate whose spelling is nearest to found, or "".
func Nearest(found string, candidates []string) string { return nearest(found, candidates) }
