package experiments

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Columns are known by their names: those of held-out rows in another order are put into that of the rows to train on, other names
// and classes that none of these has are refused, and the run remembers them.
func TestColumnsGoByTheirNames(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	train := file("train.csv", "a,b,k\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n")
	run := func(held string) (string, error) {
		c, err := Parse("t", []byte("name: t\n"), "yaml", []string{"data={source: csv, path: " + train + ", train: 4, query: 2, held_out: {path: " + held + "}}", "network.hidden=[3]", "training.steps=2"}, nil)
		if err != nil {
			return "", err
		}
		out := filepath.Join(t.TempDir(), "run")
		return out, Execute(context.Background(), c, Options{Dir: out, Engine: gonum(t)})
	}
	out, err := run(file("swapped.csv", "b,k,a\n20,x,10\n40,y,30\n"))
	must(t, err)
	inputs := readArray[float64](t, out, "query_inputs")
	if slices.Sort(inputs); !slices.Equal(inputs, []float64{10, 20, 30, 40}) || readArray[float64](t, out, "query_inputs")[0] > readArray[float64](t, out, "query_inputs")[1] {
		t.Errorf("the queries' inputs are %v", readArray[float64](t, out, "query_inputs"))
	}
	m, err := ReadManifest(out)
	must(t, err)
	if !slices.Equal(m.Data.Inputs, []string{"a", "b"}) {
		t.Errorf("the manifest calls the inputs %q", m.Data.Inputs)
	}
	for text, want := range map[string]string{
		"a,c,k\n1,2,x\n3,4,y\n": `found no column "b"`,
		"a,b,k\n1,2,x\n3,4,z\n": `the class "z", which no sample to train on has`,
	} {
		if _, err := run(file("held.csv", text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
