package sweeps

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pkm/experiments"
)

var update = flag.Bool("update", false, "write the golden files")

// TestWrongSweepFiles compares the messages for each file of testdata/wrong with the .txt
// beside it. Each fault has a place, but for a key that is missing from the whole file.
func TestWrongSweepFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s, err := Read(filepath.ToSlash(file), nil)
			if err == nil {
				t.Fatalf("accepted: %+v", s)
			}
			for _, fault := range faults(t, err) {
				if fault.Line == 0 && fault.Fault != "missing" {
					t.Errorf("%v has no place", fault)
				}
			}
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(file+".txt", []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// The sweep files that are shipped can be run.
func TestShippedSweepFiles(t *testing.T) {
	files, err := filepath.Glob("../configs/sweeps/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if _, err := Read(file, nil); err != nil {
			t.Error(err)
		}
	}
}

// faults returns the faults joined in err.
func faults(t *testing.T, err error) (out []*experiments.ConfigError) {
	t.Helper()
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		var fault *experiments.ConfigError
		if !errors.As(e, &fault) {
			t.Fatalf("%v is no ConfigError", e)
		}
		out = append(out, fault)
	}
	return out
}

// sweep reads a sweep of the base experiment.
func sweep(t testing.TB, text string) *Sweep {
	t.Helper()
	dir := t.TempDir()
	base, err := os.ReadFile("testdata/base.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"base.yaml": string(base), "sweep.yaml": "experiment: base.yaml\nmetric: {name: network.query_loss}\n" + text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Read(filepath.Join(dir, "sweep.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A grid has every combination once, and parameters whose condition does not hold are left
// to the experiment.
func TestGridPoints(t *testing.T) {
	s := sweep(t, `method: grid
parameters:
  training.optimizer.kind: {values: [sgd, adam]}
  training.optimizer.beta1: {values: [0.8, 0.9], when: {training.optimizer.kind: adam}}
  network.hidden: {values: [[4], [4, 4]]}
  training.steps: {value: 3}
`)
	points, all := s.Space.points(maxGrid)
	var got []string
	for _, u := range points {
		c, err := s.Config(u)
		if err != nil {
			t.Fatal(err)
		}
		a := s.Space.At(u)
		got = append(got, strings.Join(a.Values, " "))
		if o := c.Training.Optimizer; o.Kind != a.Values[0] || c.Training.Steps != 3 || (o.Kind == "sgd") != (o.Beta1 == 0) && a.Values[1] != "" {
			t.Errorf("%v became %+v", a.Values, o)
		}
	}
	want := "sgd  [4] 3|sgd  [4, 4] 3|adam 0.8 [4] 3|adam 0.8 [4, 4] 3|adam 0.9 [4] 3|adam 0.9 [4, 4] 3"
	if strings.Join(got, "|") != want || !all || s.Trials != 6 {
		t.Errorf("%d trials, got %q", s.Trials, got)
	}
}

// So many trials run at once as wait for no results of others.
func TestAtOnce(t *testing.T) {
	const learningRate = "parameters:\n  training.optimizer.learning_rate: {distribution: uniform, min: 0.1, max: 1}\n"
	for text, want := range map[string]int{
		"method: random\nrun_cap: 30\n":                                               30,
		"method: tpe\nrun_cap: 30\nconcurrency: 7\n":                                  7,
		"method: cmaes\nrun_cap: 30\npopulation: 6\n":                                 6,
		"method: cmaes\nrun_cap: 5\npopulation: 6\n":                                  5,
		"method: random\nrun_cap: 30\nearly_terminate: {type: asha}\n":                4,
		"method: cmaes\nrun_cap: 30\nconcurrency: 3\nearly_terminate: {type: asha}\n": 3,
	} {
		if got := sweep(t, text+learningRate).AtOnce(); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
