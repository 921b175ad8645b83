// Package arrows holds the test that data flows one way through the module:
//
//	graphs → training → pathkernel → experiments → cmd
package arrows

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layer is a directory at the top of the module, with all below it.
type layer struct {
	dir string

	// from lists the directories of the module it may import, itself apart.
	from []string

	// bans lists the packages it must not import directly, with those below
	// them. Tests may: they read golden files and compare with references.
	bans []string
}

// layers is the design: an arrow into a layer for each name in from.
func layers() []layer {
	return []layer{
		{dir: "internal"},
		{dir: "graphs", from: []string{"internal"}},
		{dir: "training", from: []string{"internal", "graphs"}},
		// The mathematics is pure: no graphs, no files, no logging.
		{dir: "pathkernel", from: []string{"internal"}, bans: []string{"gorgonia.org", "os", "log"}},
		{dir: "experiments", from: []string{"internal", "graphs", "training", "pathkernel"},
			bans: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}},
		{dir: "cmd", from: []string{"internal", "graphs", "training", "pathkernel", "experiments"}},
	}
}

// file is a Go file, whatever its build constraints, and what it imports.
type file struct {
	name    string // slash-separated, below the module's root
	imports []string
}

// violations returns a line for each import that the layers do not allow.
func violations(module string, files []file) []string {
	var lines []string
	for _, f := range files {
		top, _, inDir := strings.Cut(f.name, "/")
		i := slices.IndexFunc(layers(), func(l layer) bool { return l.dir == top })
		for _, imported := range f.imports {
			target, own := strings.CutPrefix(imported+"/", module+"/")
			target, _, _ = strings.Cut(target, "/")
			switch {
			case own && !slices.ContainsFunc(layers(), func(l layer) bool { return l.dir == target }):
				lines = append(lines, fmt.Sprintf("%s imports %s, which is in no layer: give %q a place in the layers of this test", f.name, imported, target))
			case !inDir || i < 0:
				// Above the layers: free to import all of them, and imported by none.
			case own && target != top && !slices.Contains(layers()[i].from, target):
				lines = append(lines, fmt.Sprintf("%s imports %s: %s may import only %v", f.name, imported, top, layers()[i].from))
			case !own && !strings.HasSuffix(f.name, "_test.go"):
				for _, ban := range layers()[i].bans {
					if imported == ban || strings.HasPrefix(imported, ban+"/") {
						lines = append(lines, fmt.Sprintf("%s imports %s: %s must not", f.name, imported, top))
					}
				}
			}
		}
	}
	return lines
}

func TestArrows(t *testing.T) {
	root := filepath.Join("..", "..")
	module, files := readModule(t, root)
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	for _, line := range violations(module, files) {
		t.Error(line)
	}
}

// readModule returns the module's path and the imports of its files. Layers
// that do not exist yet have none.
func readModule(t *testing.T, root string) (module string, files []file) {
	t.Helper()
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(goMod)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			module = strings.TrimSpace(name)
		}
	}
	if module == "" {
		t.Fatal("go.mod names no module")
	}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			ignored := base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
			if name != root && ignored { // as the go command ignores them
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(base) != ".go" {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f := file{name: filepath.ToSlash(relative)}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return module, files
}

// The check itself, on files that do not exist.
func TestViolations(t *testing.T) {
	for _, tc := range []struct {
		name, imported string
		allowed        bool
	}{
		{"graphs/dense.go", "pkm/internal/blas", true},
		{"graphs/dense.go", "gorgonia.org/gorgonia", true},
		{"graphs/dense.go", "pkm/graphs/ops", true},
		{"graphs/dense.go", "pkm/training", false},
		{"graphs/dense_test.go", "pkm/training", false},
		{"training/loop.go", "pkm/graphs", true},
		{"training/loop.go", "pkm/pathkernel", false},
		{"pathkernel/gram.go", "pkm/internal/parallel", true},
		{"pathkernel/gram.go", "math", true},
		{"pathkernel/gram.go", "pkm/graphs", false},
		{"pathkernel/gram.go", "pkm/training", false},
		{"pathkernel/paper_test.go", "pkm/training", false},
		{"pathkernel/gram.go", "gorgonia.org/gorgonia", false},
		{"pathkernel/gram.go", "gorgonia.org/tensor", false},
		{"pathkernel/gram.go", "gorgonia.organic/x", true},
		{"pathkernel/gram.go", "os", false},
		{"pathkernel/kerneltest/linear.go", "os/exec", false},
		{"pathkernel/gram.go", "log/slog", false},
		{"pathkernel/gram.go", "osmosis", true},
		{"pathkernel/golden_test.go", "os", true},
		{"experiments/run.go", "pkm/pathkernel", true},
		{"experiments/run.go", "os", true},
		{"experiments/run.go", "github.com/spf13/viper", true},
		{"experiments/run.go", "github.com/spf13/cobra", false},
		{"experiments/run.go", "github.com/spf13/pflag", false},
		{"experiments/run.go", "pkm/cmd/pkm", false},
		{"cmd/pkm/main.go", "pkm/experiments", true},
		{"cmd/pkm/main.go", "github.com/spf13/cobra", true},
		{"internal/blas/rate.go", "pkm/internal/parallel", true},
		{"internal/blas/rate.go", "pkm/graphs", false},
		{"internal/blas/rate_test.go", "pkm/experiments", false},
		{"scripts/fixtures.go", "pkm/graphs", true},
		{"doc.go", "pkm/graphs", true},
		{"training/loop.go", "pkm/util", false},    // in no layer
		{"training/loop.go", "pkm", false},         // the root is in none
		{"training/loop.go", "pkmtools/os", true},  // another module
		{"scripts/fixtures.go", "pkm/util", false}, // nobody imports what has no place
	} {
		lines := violations("pkm", []file{{tc.name, []string{tc.imported}}})
		if allowed := len(lines) == 0; allowed != tc.allowed {
			t.Errorf("%s imports %s: allowed %v, want %v (%q)", tc.name, tc.imported, allowed, tc.allowed, lines)
		}
	}
}
