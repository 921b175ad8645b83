package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// endRun writes a run that ended so at a time.
func endRun(t *testing.T, dir string, outcome Outcome, ended time.Time) string {
	t.Helper()
	d := beginRun(t, dir)
	d.manifest.Started = ended.Add(-time.Hour)
	must(t, d.Finish(outcome, ""))
	d.finished, d.manifest.Finished = false, &ended
	must(t, d.writeManifest())
	return dir
}

func names(removals []Removal) (removed []string, left map[string]string) {
	left = map[string]string{}
	for _, r := range removals {
		if name := filepath.Base(r.Run.Path); r.Left == "" {
			removed = append(removed, name)
		} else {
			left[name] = r.Left
		}
	}
	return removed, left
}

func TestCleaningChooses(t *testing.T) {
	root, now := t.TempDir(), time.Now()
	for days, outcome := range []Outcome{Failed, Completed, Diverged, Failed, Completed, Diverged} {
		endRun(t, filepath.Join(root, fmt.Sprintf("%s-%d", outcome, days)), outcome, now.AddDate(0, 0, -days))
	}
	for _, test := range []struct {
		name string
		c    Cleaning
		want string
	}{
		{"all", Cleaning{}, "failed-0 diverged-2 failed-3 diverged-5"}, // the completed ones have no summary: damaged
		{"keep", Cleaning{Keep: 3}, "failed-3 diverged-5"},
		{"failed and keep", Cleaning{Keep: 1, Failed: true}, "diverged-2 failed-3 diverged-5"},
		{"old", Cleaning{OlderThan: 60 * time.Hour}, "failed-3 diverged-5"},
		{"keep more than there are", Cleaning{Keep: 7}, ""},
	} {
		test.c.Now = now
		removals, err := test.c.Plan([]string{root})
		must(t, err)
		removed, _ := names(removals)
		if got := strings.Join(removed, " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// Only what is surely a run that has ended, and nothing else, is removed.
func TestCleaningLeaves(t *testing.T) {
	root := t.TempDir()
	good := filepath.Join(root, "good")
	must(t, os.CopyFS(good, os.DirFS(writeRun(t, nil))))
	spoil := func(name string, do func(dir string) error) string {
		dir := filepath.Join(root, name)
		must(t, os.CopyFS(dir, os.DirFS(good)))
		must(t, do(dir))
		return dir
	}
	precious := filepath.Join(t.TempDir(), "precious")
	must(t, os.Mkdir(precious, 0o700))
	must(t, os.WriteFile(filepath.Join(precious, "thesis.tex"), []byte("x"), 0o600))
	spoil("figure", func(dir string) error {
		must(t, os.MkdirAll(filepath.Join(dir, "figures"), 0o700))
		return os.WriteFile(filepath.Join(dir, "figures", "query-3.svg"), nil, 0o600)
	})
	spoil("note", func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600) })
	spoil("array", func(dir string) error { return os.WriteFile(filepath.Join(dir, "arrays", "my.npy"), nil, 0o600) })
	spoil("link", func(dir string) error { return os.Symlink(precious, filepath.Join(dir, "trajectory")) })
	spoil("cut", func(dir string) error { return os.Truncate(filepath.Join(dir, manifestName), 20) })
	spoil("altered", func(dir string) error {
		b, err := os.ReadFile(filepath.Join(dir, manifestName))
		must(t, err)
		return os.WriteFile(filepath.Join(dir, manifestName), []byte(strings.Replace(string(b), "small", "SMALL", 1)), 0o600)
	})
	running := beginRun(t, filepath.Join(root, "running"))
	defer running.lock.Close()
	must(t, beginRun(t, filepath.Join(root, "killed")).lock.Close())
	must(t, beginRun(t, filepath.Join(root, "stopped")).Finish(Interrupted, ""))
	must(t, os.MkdirAll(filepath.Join(root, "stopped", "parts"), 0o700)) // of an account that workers did
	must(t, os.WriteFile(filepath.Join(root, "stopped", "parts", "1.safetensors"), nil, 0o600))
	must(t, os.MkdirAll(filepath.Join(root, "sweep", "trials"), 0o700))
	must(t, os.WriteFile(filepath.Join(root, "sweep", "sweep.json"), nil, 0o600))
	must(t, os.CopyFS(filepath.Join(root, "sweep", "trials", "trial"), os.DirFS(good)))
	must(t, os.MkdirAll(filepath.Join(root, "study"), 0o700))
	must(t, os.WriteFile(filepath.Join(root, "study", convergenceJSON), nil, 0o600))
	must(t, os.CopyFS(filepath.Join(root, "study", "level"), os.DirFS(good)))
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	must(t, os.CopyFS(elsewhere, os.DirFS(good)))
	must(t, os.Symlink(elsewhere, filepath.Join(root, "latest")))

	c := Cleaning{Now: time.Now()}
	removals, err := c.Plan([]string{root, filepath.Join(root, "latest")})
	must(t, err)
	removed, left := names(removals)
	if !slices.Equal(removed, []string{"good"}) {
		t.Errorf("would remove %v", removed)
	}
	for name, want := range map[string]string{"note": "notes.txt", "figure": "figures/query-3.svg", "array": "arrays/my.npy", "link": "trajectory", "cut": "is cut", "altered": "is altered", "running": "it is running",
		"killed": "killed and could be gone on with", "stopped": "interrupted and could be gone on with", "trial": "the sweep in " + filepath.Join(root, "sweep"), "level": "the convergence study in", "latest": "symbolic link"} {
		if !strings.Contains(left[name], want) {
			t.Errorf("%s is left because %q, want %q", name, left[name], want)
		}
	}
	if len(left) != 12 {
		t.Errorf("left: %v", left)
	}

	c.Interrupted = true
	removals, err = c.Plan([]string{root})
	must(t, err)
	removed, _ = names(removals)
	slices.Sort(removed)
	if !slices.Equal(removed, []string{"good", "killed", "stopped"}) {
		t.Errorf("with interrupted ones: %v", removed)
	}
	for _, r := range removals {
		if err := r.Remove(); (err == nil) != (r.Left == "") {
			t.Errorf("%s: %v", r.Run.Path, err)
		}
	}
	entries, err := os.ReadDir(root)
	must(t, err)
	var kept []string
	for _, e := range entries {
		kept = append(kept, e.Name())
	}
	if want := []string{"altered", "array", "cut", "figure", "latest", "link", "note", "running", "study", "sweep"}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
	for _, path := range []string{filepath.Join(precious, "thesis.tex"), filepath.Join(elsewhere, manifestName), filepath.Join(root, "note", manifestName)} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// What has changed since it was listed stays whole, and so does what a process has taken up meanwhile.
func TestRemoveChecksAgain(t *testing.T) {
	root := t.TempDir()
	stale := endRun(t, filepath.Join(root, "stale"), Failed, time.Now())
	taken := endRun(t, filepath.Join(root, "taken"), Failed, time.Now())
	removals, err := Cleaning{Now: time.Now()}.Plan([]string{root})
	must(t, err)
	if len(removals) != 2 {
		t.Fatalf("%+v", removals)
	}
	endAgain, err := ReadManifest(stale)
	must(t, err)
	endAgain.Reason = "another"
	b, err := endAgain.encode()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(stale, manifestName), b, 0o600))
	lock, _, err := LockFolder(taken)
	must(t, err)
	defer lock.Close()
	for _, r := range removals {
		if err := r.Remove(); err == nil || !strings.Contains(err.Error(), "nothing of it was removed") {
			t.Errorf("%s: %v", r.Run.Path, err)
		}
		if _, err := os.Stat(filepath.Join(r.Run.Path, metricsName)); err != nil {
			t.Error(err)
		}
	}
}

// A removal that was cut short is finished by the next.
func TestCleaningFinishesRemovals(t *testing.T) {
	root := t.TempDir()
	rest := filepath.Join(root, ".pkm-removed-"+strings.Repeat("A", 26))
	must(t, os.MkdirAll(filepath.Join(rest, "arrays"), 0o700))
	must(t, os.MkdirAll(filepath.Join(root, ".pkm-removed-mine"), 0o700))
	removals, err := Cleaning{Failed: true, Now: time.Now()}.Plan([]string{root})
	must(t, err)
	if len(removals) != 1 || removals[0].Run.Path != rest {
		t.Fatalf("%+v", removals)
	}
	must(t, removals[0].Remove())
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "7d": 168 * time.Hour, "1.5d": 36 * time.Hour, "2w": 336 * time.Hour} {
		if got, err := ParseAge(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "7", "d", "-7d", "0d", "1e400d", "7y", "7dd"} {
		if got, err := ParseAge(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
