//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pkm/experiments/sweeps"
)

func TestGoingOnNamesTheServer(t *testing.T) {
	table := &sweeps.Table{Definition: &sweeps.Definition{Server: "nats://h:4222"}}
	if got, want := goOn("a.yaml", "out", table), "go on with it: pkm sweep a.yaml --resume --out out --server nats://h:4222"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A sweep whose results are on a server is not gone on with without it unless that is asked for; results that the work
// queue does not know are read from the folders of the trials.
func TestSweepGoesOnWithoutItsQueue(t *testing.T) {
	url := natsServer(t, "")
	file := sweepFiles(t, quick, "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2, 3]}\n")
	dir := filepath.Join(t.TempDir(), "served")
	if p := start(t, "sweep", file, "--server", url, "--workers", "2", "--out", dir); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	want := results(t, dir)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	table, definition := read("results.csv"), read("sweep.json")
	p := start(t, "sweep", file, "--workers", "1", "--out", dir, "--resume")
	if code := p.wait(t); code != exitUsage || !strings.Contains(p.output(), "its results are on the server "+url) {
		t.Errorf("exit code %d\n%s", code, p.output())
	}
	if read("results.csv") != table || read("sweep.json") != definition {
		t.Error("a sweep that is refused changes its files")
	}
	for _, args := range [][]string{{"--server", ""}, nil} {
		p = start(t, append([]string{"sweep", file, "--workers", "1", "--out", dir, "--resume"}, args...)...)
		if code := p.wait(t); code != exitOK || !strings.Contains(p.output(), "knows 0 of the 3 trials") {
			t.Errorf("exit code %d\n%s", code, p.output())
		}
		same(t, "without its queue", results(t, dir), want)
		if err := os.RemoveAll(filepath.Join(dir, "queue")); err != nil {
			t.Fatal(err)
		}
	}
}
