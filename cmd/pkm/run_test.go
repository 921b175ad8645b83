package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestQuietRun(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	if code, out, errout := pkm(t, "run", config, "--quiet"); code != 0 || out != "" || errout != "" {
		t.Errorf("exit %d, %q, %q", code, out, errout)
	}
	if _, err := os.Stat("runs/fast/report.html"); err != nil {
		t.Error(err)
	}
	code, out, errout := pkm(t, "run", config, "-q", "training.optimizer.learning_rate=1e6")
	if code != exitDiverged || out != "" || strings.Count(errout, "\n") != 1 || !strings.HasPrefix(errout, "pkm: training diverged") {
		t.Errorf("exit %d, %q, %q", code, out, errout)
	}
}

func TestRunAsJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	type result struct {
		Run, Name, Outcome, Reason string
		ExitCode                   *int `json:"exit_code"`
		Report                     *string
		Summary                    *struct {
			Steps    int
			Machines map[string]map[string]any
		}
	}
	read := func(text string) (r result) {
		t.Helper()
		d := json.NewDecoder(strings.NewReader(text))
		if err := d.Decode(&r); err != nil || d.More() {
			t.Errorf("%v, want one object:\n%s", err, text)
		}
		return r
	}
	code, out, errout := pkm(t, "run", config, "--json", "training.optimizer.momentum=0.5", "machines=[{name: exact, family: exact, rule: gauss-3}]")
	r := read(out)
	if code != 0 || r.Run != "runs/fast" || r.Name != "fast" || r.Outcome != "completed" || *r.ExitCode != 0 || *r.Report != "runs/fast/report.html" ||
		r.Summary.Steps != 4 || r.Summary.Machines["exact"]["relative_error"] == nil {
		t.Errorf("exit %d, %+v", code, r)
	}
	// The account follows on training, and both end with the loss; only the steps of the account go backwards.
	if !strings.Contains(errout, "training: step 4/4  loss ") || !strings.Contains(errout, "accounting: step 4/4  loss ") || strings.Count(errout, "step residual") != 2 {
		t.Errorf("progress:\n%s", errout)
	}
	code, out, _ = pkm(t, "run", config, "--json", "training.optimizer.learning_rate=1e6")
	if r = read(out); code != exitDiverged || r.Outcome != "diverged" || *r.ExitCode != exitDiverged || r.Summary != nil || r.Report != nil || !strings.Contains(r.Reason, "step 1") {
		t.Errorf("exit %d, %+v", code, r)
	}
	if code, out, _ = pkm(t, "run", config, "--json", "training.step=1"); code != exitUsage || out != "" {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestHelpSaysTheExitCodes(t *testing.T) {
	if code, out, _ := pkm(t, "--help"); code != 0 || !strings.Contains(out, "3 training diverged") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// A run of development is told from others by its folder, its report and its line in the list.
func TestFastDevRun(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	code, out, errout := pkm(t, "run", config, "fast_dev_run=true", "training.steps=100")
	if code != 0 || !strings.Contains(out, "run directory: runs/fast-dev\n") || !strings.Contains(out, "fast_dev_run: at most 3 steps") || !strings.Contains(errout, "step 3/3") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	if report, err := os.ReadFile("runs/fast-dev/report.html"); err != nil || !strings.Contains(string(report), "fast_dev_run") {
		t.Errorf("the report does not say so: %v", err)
	}
	if _, out, _ = pkm(t, "ls"); !strings.Contains(out, "runs/fast-dev  completed (dev)") {
		t.Errorf("listed:\n%s", out)
	}
	if code, out, errout = pkm(t, "run", "runs/fast-dev/config.yaml", "--json"); code != 0 || !strings.Contains(out, `"run": "runs/fast-dev-2"`) {
		t.Errorf("again: exit %d\n%s%s", code, out, errout)
	}
}
