package sweeps

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder writes files and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// begin reads the sweep.yaml in dir and opens its folder.
func begin(t *testing.T, dir string, o Options) error {
	t.Helper()
	s, err := Read(filepath.Join(dir, "sweep.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = filepath.Join(dir, "out")
	_, lock, err := s.open(o)
	if lock != nil {
		lock.Close()
	}
	return err
}

// change replaces text in a file.
func change(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("no %q in %s: %v", old, path, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
}

// refused checks that a folder is refused with a message that says want.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var fault *FolderError
	if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; it should say %s", err, want)
	}
}

// Some trials take from the experiment what a conditional parameter gives the trial that is recorded whole.
func TestAChangedExperimentIsRefused(t *testing.T) {
	dir := folder(t, map[string]string{
		"base.yaml": "name: base\ndata: {train: 30, query: 5}\nnetwork: {hidden: [6]}\ntraining: {steps: 4, batch_size: 20}\nmachines: []\npath_kernel: none\n",
		"sweep.yaml": "experiment: base.yaml\nmethod: grid\nmetric: {name: network.query_loss}\nparameters:\n  training.optimizer.kind: {values: [sgd, adam]}\n" +
			"  training.batch_size: {values: [5, 10], when: {training.optimizer.kind: sgd}}\n",
	})
	if err := begin(t, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, dir, Options{Resume: true}); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	change(t, filepath.Join(dir, "base.yaml"), "batch_size: 20", "batch_size: 3")
	refused(t, begin(t, dir, Options{Resume: true}), `it began with "batch_size: 20", now it would be "batch_size: 3"`)
	// A folder that does not know its base is gone on with.
	d, err := ReadDefinition(filepath.Join(dir, "out"))
	if err != nil || len(d.Base) == 0 {
		t.Fatalf("base %q, %v", d.Base, err)
	}
	d.Base = nil
	if err := errors.Join(d.write(filepath.Join(dir, "out")), begin(t, dir, Options{Resume: true})); err != nil {
		t.Errorf("an old folder: %v", err)
	}
}

// The data are those that the sweep began with, also where a parameter names them.
func TestChangedDataAreRefused(t *testing.T) {
	row, other := "0.1,0.2,a\n0.3,0.1,b\n", "0.1,0.9,a\n0.3,0.1,b\n"
	table := "x,y,class\n" + strings.Repeat(row, 10)
	dir := folder(t, map[string]string{
		"one.csv": table, "two.csv": table + row,
		"base.yaml":  "name: base\ndata: {source: csv, target: class, train: 10, query: 5}\nnetwork: {hidden: [6]}\ntraining: {steps: 4}\nmachines: []\npath_kernel: none\n",
		"sweep.yaml": "experiment: base.yaml\nmethod: grid\nmetric: {name: network.query_loss}\nparameters:\n  data.path: {values: [one.csv, two.csv]}\n",
	})
	t.Chdir(dir)
	if err := begin(t, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, dir, Options{Resume: true}); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	change(t, "two.csv", row, other)
	refused(t, begin(t, dir, Options{Resume: true}), "data SHA-256: it began with ")
	change(t, "two.csv", other, row)
	change(t, "one.csv", row, other)
	refused(t, begin(t, dir, Options{Resume: true}), " of csv one.csv, now it would be ")
	d, err := ReadDefinition("out")
	if err != nil || len(d.Data) != 2 {
		t.Fatalf("data %v, %v", d.Data, err)
	}
	d.Data = nil
	if err := errors.Join(d.write("out"), begin(t, dir, Options{Resume: true})); err != nil {
		t.Errorf("an old folder: %v", err)
	}
}
