package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fast is a configuration that runs in milliseconds.
const fast = "name: fast\ndata: {train: 30, query: 5}\nnetwork: {hidden: [6]}\ntraining: {steps: 4}\nfigures: false\n"

// pkm runs a command line and returns its exit code and what it wrote.
func pkm(t *testing.T, args ...string) (code int, out, errout string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), args, []string{"PKM_BLAS=gonum"}, strings.NewReader(fast), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// long marks a test that takes long under the race detector, which only short ones are run with.
func long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long under the race detector; the full tests run it")
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunCompareVerify(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	for _, dir := range []string{"runs/fast", "runs/fast-2"} {
		code, out, errout := pkm(t, "run", config)
		if code != 0 || !strings.Contains(out, "run directory: "+dir) || !strings.Contains(out, "argmax agreement") || !strings.Contains(errout, "step 4/4") {
			t.Fatalf("exit %d\n%s%s", code, out, errout)
		}
	}
	code, out, errout := pkm(t, "compare", "runs/fast", "runs/fast-2")
	if code != 0 || strings.Count(out, "domingos") != 3 || strings.Count(out, "(network)") != 3 || !strings.Contains(out, "the configurations are the same") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	code, out, _ = pkm(t, "compare", "--json", "runs/fast")
	var comparison struct {
		Runs []struct {
			Name    string
			Summary struct {
				Machines map[string]map[string]any
			}
		}
	}
	err := json.Unmarshal([]byte(out), &comparison)
	if runs := comparison.Runs; code != 0 || err != nil || runs[0].Name != "fast" || runs[0].Summary.Machines["exact"]["relative_error"] == nil {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	// Runs that cannot be read do not keep the others from being compared.
	code, out, errout = pkm(t, "compare", "runs/fast", "none", "--csv", "--sort", "-rmse")
	if code != exitFailed || !strings.HasPrefix(out, "run,name,") || strings.Count(out, "\n") != 3 || !strings.Contains(errout, "none: there is no such folder") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	code, _, errout = pkm(t, "compare", "runs/fast", "--sort", "rms")
	if code != exitUsage || !strings.Contains(errout, "did you mean rmse?") {
		t.Errorf("exit %d\n%s", code, errout)
	}
	code, _, errout = pkm(t, "compare", "runs/fast", "--figure", "f.svg")
	if svg, err := os.ReadFile("f.svg"); code != 0 || err != nil || !bytes.Contains(svg, []byte("</svg>")) {
		t.Errorf("exit %d, %v\n%s", code, err, errout)
	}
	if code, _, errout = pkm(t, "compare", "runs/fast", "--figure", "f.png"); code != exitUsage || !strings.Contains(errout, ".svg is due") {
		t.Errorf("exit %d: %s", code, errout)
	}
	if code, _, errout = pkm(t, "compare", "runs/fast", "--figure", "f.svg"); code != exitUsage || !strings.Contains(errout, "not overwritten") {
		t.Errorf("exit %d\n%s", code, errout)
	}
	code, out, _ = pkm(t, "verify", "runs/fast")
	if code != 0 || !strings.Contains(out, "identity holds") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if err := os.Truncate("runs/fast/arrays/exact/contributions.npy", 200); err != nil {
		t.Fatal(err)
	}
	code, out, errout = pkm(t, "verify", "runs/fast")
	if code != exitFailed || !strings.Contains(out, "contributions.npy: cut") || !strings.Contains(errout, "does not hold") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
}

func TestConfigurationFromStandardInput(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, out, errout := pkm(t, "run", "-", "training.steps=2"); code != 0 || !strings.Contains(out, "runs/fast") || !strings.Contains(errout, "step 2/2") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := pkm(t, "--version"); code != 0 || !strings.Contains(out, "pkm version") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// Without a name given, runs that begin together take different folders.
func TestRunsBegunTogether(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	codes := make(chan int)
	for range 4 {
		go func() {
			var out bytes.Buffer
			codes <- run(context.Background(), []string{"run", config}, []string{"PKM_BLAS=gonum"}, nil, &out, &out)
		}()
	}
	for range 4 {
		if code := <-codes; code != 0 {
			t.Errorf("exit %d", code)
		}
	}
	if entries, err := os.ReadDir("runs"); err != nil || len(entries) != 4 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestDoctor(t *testing.T) {
	code, out, errout := pkm(t, "doctor")
	for _, want := range []string{"go ", "cores ", "memory ", "BLAS ", "GFLOP/s in float64"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q is missing\n%s%s", code, want, out, errout)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	if err := os.WriteFile("a-file", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("thesis/chapter", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no configuration", []string{"run"}, exitUsage, []string{"a configuration file is missing"}},
		{"missing configuration", []string{"run", "fats.yaml"}, exitUsage, []string{"fats.yaml", "no such file"}},
		{"unknown key", []string{"run", config, "training.step=3"}, exitUsage, []string{"training.step", "unknown key", "training.steps"}},
		{"wrong type", []string{"run", config, "training.steps=many"}, exitUsage, []string{"training.steps", `many`, "whole number"}},
		{"negative steps", []string{"run", config, "training.steps=-3"}, exitUsage, []string{"training.steps", "-3", "at least 1"}},
		{"too many samples", []string{"run", config, "data.train=5000"}, exitUsage, []string{"data.train", "5000", "1797"}},
		{"batch of zero", []string{"run", config, "data.train=0"}, exitUsage, []string{"data.train", "found 0", "at least 1"}},
		{"occupied folder", []string{"run", config, "--out", "thesis"}, exitUsage, []string{"thesis", "not a run of pkm", "--out"}},
		{"file for a folder", []string{"run", config, "--out", "a-file"}, exitUsage, []string{"a-file", "file"}},
		{"unknown flag", []string{"run", config, "--outdir", "x"}, exitUsage, []string{"--outdir", "pkm run --help"}},
		{"unknown command", []string{"rnu"}, exitUsage, []string{"rnu"}},
		{"compare nothing", []string{"compare"}, exitUsage, []string{"a run directory is missing"}},
		{"compare a folder", []string{"compare", "thesis"}, exitFailed, []string{"thesis", "manifest.json"}},
		{"verify nothing", []string{"verify", "nowhere"}, exitFailed, []string{"nowhere"}},
		{"diverging run", []string{"run", config, "training.optimizer.learning_rate=1e6", "--out", "diverged"}, exitDiverged, []string{"diverged at step", "what there is of the run is in diverged"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errout := pkm(t, test.args...)
			if code != test.code {
				t.Errorf("exit %d, want %d\n%s%s", code, test.code, out, errout)
			}
			for _, want := range test.want {
				if !strings.Contains(errout, want) {
					t.Errorf("%q is missing in\n%s", want, errout)
				}
			}
		})
	}
	if entries, _ := os.ReadDir("thesis"); len(entries) != 1 {
		t.Errorf("the folder that is not ours holds %v", entries)
	}
	var stderr bytes.Buffer
	if code := run(context.Background(), []string{"run", config}, []string{"PKM_BLAS=mkl"}, nil, &stderr, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "openblas") {
		t.Errorf("PKM_BLAS=mkl: exit %d\n%s", code, stderr.String())
	}
	stderr.Reset()
	if code := run(context.Background(), []string{"run", config}, []string{"PKM_TRAINING_STEP=3"}, nil, &stderr, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "PKM_TRAINING_STEPS") {
		t.Errorf("PKM_TRAINING_STEP: exit %d\n%s", code, stderr.String())
	}
}

// The process itself, because a signal goes to a process: the step is finished,
// the run says that it was interrupted and the exit code says by what.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	binary := filepath.Join(t.TempDir(), "pkm")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := write(t, "slow.yaml", strings.Replace(fast, "steps: 4", "steps: 100000000", 1))
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		dir := filepath.Join(t.TempDir(), "run")
		cmd := exec.Command(binary, "run", config, "--out", dir)
		var errout bytes.Buffer
		cmd.Stderr = &errout
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, filepath.Join(dir, "metrics.jsonl"))
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the exit code says it
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%v: exit %d, want %d\n%s", signal, code, want, errout.String())
		}
		manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
		if err != nil || !bytes.Contains(manifest, []byte(`"outcome": "interrupted"`)) {
			t.Errorf("%v: manifest %s, %v", signal, manifest, err)
		}
	}
}

// waitFor waits until a file has content.
func waitFor(t *testing.T, path string) {
	t.Helper()
	for range 1000 {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not appear", path)
}

// A process for one core computes on one, with a second processor for Go.
func TestEngineOfOneCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e, err := (&command{environ: []string{"PKM_BLAS=gonum"}}).engine()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if cores, procs := e.Workers(10, 1), runtime.GOMAXPROCS(0); cores != 1 || procs != 2 {
		t.Errorf("%d cores compute, of %d processors", cores, procs)
	}
}
