package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pkm/experiments"
)

func TestConverge(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	small := []string{"converge", config, "training.optimizer.learning_rate=0.05", "--halvings", "1", "--rules", "left,gauss-2,flow/trapezoid"}
	code, out, errout := pkm(t, small...)
	for _, want := range []string{"run 2 of 2: learning rate 0.025, 8 steps, in runs/fast-study/eta-0.025\n", "\nrelative_error by learning rate, at learning rate × steps = 0.2\n",
		"flow-trapezoid  flow    trapezoid", "\nobserved order from one learning rate to the next\n", "figure: runs/fast-study/convergence.svg"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("exit %d without %q\n%s%s", code, want, out, errout)
		}
	}
	if !strings.Contains(errout, "step 8/8") {
		t.Errorf("no progress: %s", errout)
	}
	for _, name := range []string{"json", "csv", "svg", "png"} {
		if info, err := os.Stat("runs/fast-study/convergence." + name); err != nil || info.Size() == 0 {
			t.Errorf("convergence.%s: %v", name, err)
		}
	}

	// Again, it takes the runs that are there; standard output is for the program that reads it.
	code, out, errout = pkm(t, append(small, "--json", "--error", "max_abs_error")...)
	var found experiments.Convergence
	if err := json.Unmarshal([]byte(out), &found); code != 0 || err != nil || len(found.Machines) != 3 || found.Error != "max_abs_error" || strings.Count(errout, ", is there\n") != 2 || strings.Contains(errout, "step ") {
		t.Errorf("exit %d, %v\n%s%s", code, err, out, errout)
	}
	code, out, errout = pkm(t, append(small, "--csv")...)
	if lines, err := csv.NewReader(strings.NewReader(out)).ReadAll(); code != 0 || err != nil || len(lines) != 1+3*2 {
		t.Errorf("exit %d, %v\n%s%s", code, err, out, errout)
	}
}

// Every fault of the command line and of the study is one of usage, and leaves nothing behind.
func TestConvergeRefusals(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	if err := os.MkdirAll("taken/by", 0o777); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"a configuration file is missing":             {},
		"converge: --json or --csv, not both":         {config, "--json", "--csv"},
		"--halvings or --factors, not both":           {config, "--halvings", "2", "--factors", "1,1/2"},
		"halvings: found 0, allowed: from 1 to 30":    {config, "--halvings", "0"},
		`factors: found "a"`:                          {config, "--factors", "1,a"},
		"5 at 2/3 of the learning rate would be 7.50": {config, "training.steps=5", "--factors", "1,2/3"},
		`rules: found "gaus-2": not a rule`:           {config, "--rules", "gaus-2"},
		`error: found "rmse", allowed`:                {config, "--error", "rmse"},
		"training.step: unknown key":                  {config, "training.step=5"},
		`no convergence study, with "by" in it`:       {config, "--out", "taken"},
		"training.stop: ends runs at different η·S":   {config, "training.stop.loss=1"},
	} {
		code, out, errout := pkm(t, append([]string{"converge"}, args...)...)
		if code != exitUsage || !strings.Contains(errout, want) {
			t.Errorf("%q: exit %d without %q\n%s%s", args, code, want, out, errout)
		}
	}
	if _, err := os.Stat("runs"); err == nil {
		t.Error("a study that is refused has left a folder")
	}
}

// A study in which every run diverges ends with the exit code of a run that does.
func TestConvergeDiverged(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	args := []string{"converge", config, "loss.kind=squared-error", "training.optimizer.learning_rate=1e6", "training.steps=64", "--halvings", "1", "--rules", "left"}
	for range 2 { // the second time the runs are there
		if code, out, errout := pkm(t, args...); code != exitDiverged || !strings.Contains(errout, "every run diverged") {
			t.Errorf("exit %d\n%s%s", code, out, errout)
		}
	}
}
