package sweeps

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Wherever results.csv is cut other than after a line, and in its header also there, it is refused with advice.
func TestCutResultsAreRefused(t *testing.T) {
	dir := t.TempDir()
	d := &Definition{ID: "test", File: "rates.yaml", Metric: Metric{Name: "network.query_loss"}, Trials: 1, Parameters: []string{"seed"}}
	table := newTable(d)
	table.Rows = []*Row{{Trial: &Trial{CopyOf: -1, Hash: "hash", Values: []string{"3"}}, finished: true,
		Result: &Result{State: Completed, Figures: []Figure{{"network.query_loss", 0.5}}}}}
	if err := d.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := table.write(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, csvName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := ReadResults(dir); err != nil || len(r.Rows) != 1 {
		t.Fatalf("whole: %+v, %v", r, err)
	}
	header := strings.Index(string(whole), "\n")
	for _, text := range []string{"", "trial,sta", "trial,state\n", "trial,state\n0,completed\n", string(whole[:header]), string(whole[:header-4]), string(whole[:len(whole)-1]), string(whole[:header+5]) + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := ReadResults(dir)
		refused(t, err, "pkm sweep rates.yaml --resume --out "+dir+" writes it again")
		if n := known(dir); n != 0 {
			t.Errorf("%q: %d trials are known", text, n)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, definitionName), []byte(`{"id": "te`), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = ReadDefinition(dir)
	refused(t, err, "begin again in another folder with --out")
}
