package experiments

import (
	_ "embed"
	"strings"
)

//go:embed config_keys.yaml
var configKeys string

// keyDescriptions returns what each key means, by its path, with [] for an item
// of a list.
func keyDescriptions() map[string]string {
	of := map[string]string{}
	root, fault := parseYAML(configKeys)
	if fault != nil || root == nil {
		return of // the tests read the file
	}
	for _, e := range root.entries {
		of[e.key] = e.value.text
	}
	return of
}

// annotated puts a comment after each line of a configuration as [Config.YAML]
// writes it: what comment returns for the paths of the values on the line.
func annotated(text []byte, comment func(paths []string) string) []byte {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	paths := make([][]string, len(lines))
	root, _ := parseYAML(string(text))
	var walk func(n *node, path string)
	at := func(line int, path string) {
		if line >= 1 && line <= len(lines) {
			paths[line-1] = append(paths[line-1], path)
		}
	}
	walk = func(n *node, path string) {
		for _, e := range n.entries {
			key := joinKey(path, e.key)
			at(e.line, key)
			walk(e.value, key)
		}
		for i, item := range n.items {
			at(item.line, itemPath(path, i))
			walk(item, itemPath(path, i))
		}
	}
	if root != nil {
		walk(root, "")
	}
	const widest = 60 // of the lines after which comments are aligned
	width := 0
	for _, line := range lines {
		if n := len([]rune(line)); n <= widest {
			width = max(width, n)
		}
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(line)
		if len(paths[i]) > 0 {
			if text := comment(paths[i]); text != "" {
				b.WriteString(strings.Repeat(" ", max(0, width-len([]rune(line)))) + "  # " + clean(text))
			}
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
