package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, out, errout := pkm(t, "clean", "--failed"); code != 0 || out != "" || errout != "there is nothing to remove\n" {
		t.Errorf("without runs: exit %d, %q, %q", code, out, errout)
	}
	config := write(t, "fast.yaml", fast)
	for range 3 {
		if code, _, errout := pkm(t, "run", config, "--quiet"); code != 0 {
			t.Fatal(errout)
		}
	}
	pkm(t, "run", config, "--quiet", "--out", "runs/diverged", "training.optimizer.learning_rate=1e6")
	runs := func() string {
		entries, err := os.ReadDir("runs")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	clean := func(answer string, args ...string) (int, string) {
		var out bytes.Buffer
		code := run(context.Background(), append([]string{"clean"}, args...), nil, strings.NewReader(answer), &out, &out)
		return code, out.String()
	}
	all := "diverged fast fast-2 fast-3"
	for _, test := range []struct {
		answer, args string
		code         int
		want, left   string
	}{
		{"y\n", "", exitUsage, "say --keep N", all},
		{"", "--keep 0", exitFailed, "remove 4 runs", all},
		{"no\n", "--keep 0", exitFailed, "nothing was removed", all},
		{"y\n", "--keep 0 --dry-run", exitOK, "would remove 4 runs", all},
		{"y\n", "--older-than 7", exitUsage, "12h, 7d", all},
		{"y\n", "--keep -1", exitUsage, "--keep is -1", all},
		{"y\n", "--older-than 1h", exitOK, "nothing to remove", all},
		{"y\n", "nowhere runs --keep 0", exitFailed, "nowhere", all},
		{"y\n", "--failed", exitOK, "removed 1 run, ", "fast fast-2 fast-3"},
		{"", "runs --keep 1 --yes", exitOK, "removed 2 runs, ", "fast"},
		{"", "runs/fast --keep 0 -y", exitOK, "removed 1 run, ", ""},
	} {
		code, out := clean(test.answer, strings.Fields(test.args)...)
		left := runs()
		if strings.HasPrefix(test.left, "fast") && strings.Count(left, " ") == strings.Count(test.left, " ") {
			test.left = left // of one second, they are in no order of time
		}
		if code != test.code || !strings.Contains(out, test.want) || left != test.left {
			t.Errorf("clean %s: exit %d, left %q\n%s", test.args, code, left, out)
		}
		if test.args == "runs --keep 1 --yes" && left != "fast" && os.Rename("runs/"+left, "runs/fast") != nil {
			t.Error(left)
		}
	}
}
