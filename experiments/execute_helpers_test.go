package experiments

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pkm/internal/compute"
	"pkm/internal/npy"
)

func gonum(t testing.TB) compute.Engine {
	t.Helper()
	e, err := compute.Open("gonum")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// small is a configuration that runs in milliseconds.
const small = `
name: small
data: {train: 40, query: 7}
network: {hidden: [8, 6]}
training: {steps: 5, optimizer: {learning_rate: 0.2}}
machines:
  - {name: exact, family: exact, rule: gauss-3}
  - {name: trapezoid, family: exact, rule: trapezoid}
  - {name: flow, family: flow, rule: trapezoid}
`

// tryExecute runs a configuration into a new directory and returns its path: without figures, unless an
// override says otherwise, for under the race detector they take more time than all else.
func tryExecute(t testing.TB, text string, overrides ...string) (string, *Config, error) {
	t.Helper()
	c, err := Parse("test.yaml", []byte(text), "yaml", append([]string{"figures=false"}, overrides...), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	return dir, c, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)})
}

func mustExecute(t testing.TB, text string, overrides ...string) *Run {
	t.Helper()
	dir, _, err := tryExecute(t, text, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := LoadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readArray[T float32 | float64 | int64](t testing.TB, run, name string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join(run, "arrays", filepath.FromSlash(name)+".npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, data, err := npy.Read[T](f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// digest returns the SHA-256 of all files below a folder, by name.
func digest(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := make(map[string]string)
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sums[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return sums
}

// long marks a test that takes long under the race detector, which only short ones are run with.
func long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long under the race detector; the full tests run it")
	}
}
