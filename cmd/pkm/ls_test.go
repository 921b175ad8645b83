package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, out, errout := pkm(t, "ls"); code != 0 || out != "" || errout != "there is no run\n" {
		t.Errorf("without runs: exit %d, %q, %q", code, out, errout)
	}
	config := write(t, "fast.yaml", fast)
	for _, steps := range []string{"2", "5", "3"} {
		if code, _, errout := pkm(t, "run", config, "--quiet", "training.steps="+steps); code != 0 {
			t.Fatal(errout)
		}
	}
	if err := os.Truncate("runs/fast-3/manifest.json", 50); err != nil {
		t.Fatal(err)
	}
	order := func(args ...string) string {
		t.Helper()
		code, out, errout := pkm(t, append([]string{"ls", "--csv"}, args...)...)
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if code != 0 || err != nil || rows[0][0] != "run" {
			t.Fatalf("exit %d, %v\n%s%s", code, err, out, errout)
		}
		var runs []string
		for _, row := range rows[1:] {
			runs = append(runs, strings.TrimPrefix(row[0], "runs/"))
		}
		return strings.Join(runs, " ")
	}
	for args, want := range map[string]string{"--sort=steps": "fast fast-2 fast-3", "--sort=-steps": "fast-2 fast fast-3", "--sort=run --reverse": "fast-3 fast-2 fast"} {
		if got := order(strings.Fields(args)...); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
	code, out, _ := pkm(t, "ls", "--sort", "run")
	lines := strings.Split(out, "\n")
	if code != 0 || !strings.HasPrefix(lines[1], "runs/fast    completed") || !strings.HasPrefix(lines[3], "runs/fast-3  damaged") || !strings.Contains(lines[4], "manifest.json is cut") {
		t.Errorf("exit %d\n%s", code, out)
	}
	var runs []map[string]any
	if code, out, _ = pkm(t, "ls", "runs/fast-2", "--json"); code != 0 || json.Unmarshal([]byte(out), &runs) != nil || len(runs) != 1 || runs[0]["steps"] != 5.0 || runs[0]["state"] != "completed" {
		t.Errorf("exit %d\n%s", code, out)
	}
	// The others are listed all the same.
	if code, out, errout := pkm(t, "ls", "nowhere", "runs"); code != exitFailed || !strings.Contains(out, "runs/fast-2") || !strings.Contains(errout, "nowhere") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	if code, _, errout := pkm(t, "ls", "--sort", "step"); code != exitUsage || !strings.Contains(errout, "did you mean steps?") {
		t.Errorf("exit %d\n%s", code, errout)
	}
}
