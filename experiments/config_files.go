package experiments

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The keys of a file that are no keys of the configuration: what lies below it,
// and what it takes away from there.
const (
	defaultsKey = "defaults" // files, later ones over earlier ones, the file itself over them all
	removeKey   = "remove"   // keys that the files below give
	schemaKey   = "$schema"  // for editors: where the JSON Schema is
)

// The bounds of a composition.
const (
	maxChain = 16  // files of which each names the next
	maxFiles = 100 // files read for one configuration
)

// fileReader reads a configuration file and the files below it.
type fileReader struct {
	c       *checker
	docs    []*node   // what the files say, the lowest first
	sources []*source // in the same order, files that cannot be read included
	full    bool      // one file too many was named
}

// link is a file of a chain in which each names the next.
type link struct {
	name string
	info os.FileInfo // nil: no file
}

// files returns what the content of a configuration file says, after what the
// files below it say.
func (c *checker) files(name string, data []byte, format string) []*node {
	r := &fileReader{c: c}
	info, _ := os.Stat(name) // nil for standard input
	r.read(name, data, format, []link{{name, info}})
	for i, src := range r.sources {
		src.rank = i - len(r.sources) + 1 // 0 is the main file's
	}
	return r.docs
}

// read appends the files below data, and data itself.
func (r *fileReader) read(name string, data []byte, format string, chain []link) {
	src := &source{file: name}
	root := r.c.file(src, data, format)
	if root != nil {
		for i, n := range r.names(root, defaultsKey, "base.yaml") {
			r.below(n, itemPath(defaultsKey, i), chain)
		}
		for i, n := range r.names(root, removeKey, "training.optimizer.momentum") {
			change := &change{checker: r.c, op: '~', place: n.place(), key: itemPath(removeKey, i), fromFile: true}
			r.docs = change.apply(r.docs, n.text)
		}
		root.entries = slices.DeleteFunc(root.entries, func(e entry) bool { return e.key == defaultsKey || e.key == removeKey || e.key == schemaKey })
		r.docs = append(r.docs, root)
	}
	r.sources = append(r.sources, src)
}

// names returns the texts of the list under a key of a file.
func (r *fileReader) names(root *node, key, example string) []*node {
	list := root.entry(key)
	if list == nil {
		return nil
	}
	allowed := "a list of files, relative to this one, such as [" + example + "]"
	if key == removeKey {
		allowed = "a list of keys that the files of defaults give, such as [" + example + "]"
	}
	fail := func(n *node, e ConfigError) []*node {
		e.Allowed = allowed
		r.c.add(n.place(), e)
		return nil
	}
	for _, e := range root.entries {
		if e.key == key && e.value != list {
			return fail(e.value, ConfigError{Key: key, Fault: "given twice"})
		}
	}
	if list.kind != listNode {
		e := ConfigError{Key: key, Found: list.found()}
		if list.kind == textNode {
			e.Nearest = "[" + list.text + "]"
		}
		return fail(list, e)
	}
	for i, n := range list.items {
		if n.kind != textNode || n.text == "" {
			return fail(n, ConfigError{Key: itemPath(key, i), Found: n.found()})
		}
		if strings.Contains(n.text, "${") {
			return fail(n, ConfigError{Key: itemPath(key, i), Found: n.text, Fault: "while references are read when all files are"})
		}
	}
	return list.items
}

// below reads the file that n names, the last of the chain being the file that n
// stands in.
func (r *fileReader) below(n *node, key string, chain []link) {
	fail := func(e ConfigError) {
		e.Key, e.Found = key, n.text
		r.c.unread = true
		r.c.add(n.place(), e)
	}
	path := n.text
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(chain[len(chain)-1].name), path)
	}
	info, err := os.Stat(path)
	var names []string
	for _, l := range chain {
		names = append(names, l.name)
	}
	route := strings.Join(append(names, path), " → ")
	switch {
	case err == nil && slices.ContainsFunc(chain, func(l link) bool { return l.info != nil && os.SameFile(l.info, info) }):
		fail(ConfigError{Fault: "which is below itself: " + route, Allowed: "files that do not lead back to this one"})
		return
	case len(chain) >= maxChain:
		fail(ConfigError{Fault: fmt.Sprintf("one file too deep: %s → … → %s", names[0], path), Allowed: fmt.Sprintf("chains of at most %d files", maxChain)})
		return
	case r.full:
		return
	case len(r.sources) >= maxFiles:
		r.full = true
		fail(ConfigError{Fault: "one file too many", Allowed: fmt.Sprintf("at most %d files", maxFiles)})
		return
	case err == nil && !info.IsDir() && !info.Mode().IsRegular():
		fail(ConfigError{Fault: "which is no regular file", Allowed: "a configuration file"})
		return
	}
	data, err := readConfigFile(path)
	if err != nil {
		var e *ConfigError
		if !errors.As(err, &e) {
			e = &ConfigError{Fault: err.Error()}
		}
		fault := ConfigError{Fault: "which is no file", Allowed: "a file, relative to the one that names it", Err: err}
		if e.Fault != "no such file" {
			fault.Fault = strings.Join(strings.Fields("which "+e.Fault+" "+e.Found), " ")
		}
		if len(chain) > 1 {
			fault.Fault += ": " + route
		}
		if e.Nearest != "" {
			fault.Nearest = filepath.Join(filepath.Dir(n.text), filepath.Base(e.Nearest))
		}
		fail(fault)
		return
	}
	r.read(path, data, strings.TrimPrefix(filepath.Ext(path), "."), append(slices.Clone(chain), link{path, info}))
}
