package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	folder := t.TempDir()
	dir, config := filepath.Join(folder, "run"), filepath.Join(folder, "c.yaml")
	text := "name: x\ndata: {train: 20, query: 3}\nnetwork: {hidden: [4]}\ntraining: {steps: 2}\n"
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, errout := pkm(t, "run", config, "--out", dir); code != exitOK {
		t.Fatalf("run: %d, %s", code, errout)
	}
	page := filepath.Join(folder, "page.html")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{dir}, exitOK, filepath.Join(dir, "report.html")},
		{[]string{dir, "--out", page}, exitOK, page},
		{[]string{dir, "--out", page}, exitFailed, "is not overwritten"},
		{[]string{filepath.Join(folder, "none")}, exitFailed, "manifest.json is missing"},
		{nil, exitUsage, "a run directory is missing"},
		{[]string{dir, dir}, exitUsage, "found 2"},
	} {
		code, out, errout := pkm(t, append([]string{"report"}, test.args...)...)
		if code != test.code || !strings.Contains(out+errout, test.want) {
			t.Errorf("report %v: exit code %d, %s%s", test.args, code, out, errout)
		}
	}
	if code, out, errout := pkm(t, "verify", dir); code != exitOK {
		t.Errorf("verify: %d, %s%s", code, out, errout)
	}
}
