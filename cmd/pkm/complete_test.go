package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, out, errout := pkm(t, "completion", shell)
		if code != 0 || !strings.Contains(out, "__complete") {
			t.Errorf("%s: exit %d\n%s", shell, code, errout)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(out)
		if said, err := check.CombinedOutput(); shell != "powershell" && err != nil {
			t.Errorf("%s does not read it: %v\n%s", shell, err, said)
		}
	}
	config := write(t, "fast.yaml", fast)
	for _, dir := range []string{"runs/a", "runs/b", "other/c"} {
		if code, _, errout := pkm(t, "run", config, "-q", "--out", dir, "training.steps=1"); code != 0 {
			t.Fatal(errout)
		}
	}
	if err := os.Mkdir("runs/thesis", 0o700); err != nil {
		t.Fatal(err)
	}
	const noFiles, extensions, folders, noSpace = ":4", ":8", ":16", ":38" // the sums of cobra's directives
	for _, test := range []struct{ line, want string }{
		{"run _", "yaml yml toml json " + extensions},
		{"run f.yaml training.sto", "training.stop. " + noSpace},
		{"plan f.yaml seed=3 +precision=float3", "+precision=float32 :36"},
		{"converge f.yaml precision=float3", "precision=float32 :36"},
		{"explain runs/b", "runs/b " + noFiles},
		{"compare _", "runs/a runs/b " + noFiles},
		{"compare runs/b _", "runs/a " + noFiles},
		{"compare other/", "other/c " + noFiles},
		{"verify runs/b _", noFiles},
		{"verify elsewhere", folders},
		{"ls runs/a", "runs/a " + noFiles},
		{"ls --sort=na", "run name state fast_dev_run started network optimizer steps train_loss query_accuracy worst_relative_error seconds bytes fault :36"},
		{"compare --sort=-r", "-run"},
		{"clean _", "runs/a runs/b " + noFiles},
		{"run f.yaml --out _", folders},
		{"sweep ./s", "yaml yml " + extensions},
		{"ver", "verify " + noFiles},
	} {
		args := strings.Fields(test.line)
		for i := range args {
			args[i] = strings.TrimPrefix(args[i], "_")
		}
		code, out, errout := pkm(t, append([]string{"__complete"}, args...)...)
		var got []string
		for line := range strings.Lines(out) {
			text, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, text)
		}
		if text := strings.Join(got, " "); code != 0 || !strings.HasPrefix(text, test.want) {
			t.Errorf("%s: exit %d, %q, want %q\n%s", test.line, code, text, test.want, errout)
		}
	}
}

func TestCompletionOfUnknownShell(t *testing.T) {
	code, out, errout := pkm(t, "completion", "nosh")
	if code != exitUsage || out != "" || !strings.Contains(errout, `unknown shell "nosh"; allowed: bash, fish, powershell, zsh`) {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	if code, out, _ := pkm(t, "completion"); code != exitOK || !strings.Contains(out, "bash") {
		t.Errorf("without a shell: exit %d\n%s", code, out)
	}
}
