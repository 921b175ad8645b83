package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram, in the environment of the test binary, makes it the program.
const asProgram = "PKM_TEST_AS_PROGRAM=1"

func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		if v == asProgram {
			environ := append([]string{"PKM_BLAS=gonum"}, os.Environ()...)
			kept := environ[:0]
			for _, v := range environ {
				if v != asProgram {
					kept = append(kept, v)
				}
			}
			os.Exit(run(context.Background(), os.Args[1:], kept, os.Stdin, os.Stdout, os.Stderr))
		}
	}
	os.Exit(m.Run())
}

// program starts pkm in a process of its own.
func program(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// killable are runs whose states are of different kinds: accumulators of machines with
// mini-batches and momentum of Adam, steps of a flow.
func killable() map[string][]string {
	small := []string{"data.train=30", "data.query=5", "network.hidden=[12]", "training.checkpoints.save=0.01", "training.checkpoints.every=7"}
	none := []string{"machines=[]", "path_kernel=none"}
	return map[string][]string{
		"batches": append([]string{"training.steps=150", "training.batch_size=8", "training.schedule.kind=cosine", "machines=[{name: exact, family: exact, rule: gauss-2}, {name: flow, family: flow, rule: trapezoid}]", "path_kernel=full"}, small...),
		"adam":    append(append([]string{"training.steps=600", "training.batch_size=8", "training.optimizer.kind=adamw", "training.optimizer.learning_rate=0.01"}, small...), none...),
		"momentum": append([]string{"training.steps=200", "training.batch_size=8", "training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.01",
			"machines=[{name: exact, family: exact, rule: gauss-2}, {name: left, family: exact, rule: left}]"}, small...),
		"flow": append([]string{"training.steps=5000", "training.optimizer.kind=flow", "training.optimizer.time=60", "machines=[{name: flow, family: flow, rule: trapezoid}]"}, small...),
	}
}

// contents returns what a run directory holds of the result: arrays and final weights.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || e.IsDir() || !strings.HasPrefix(name, "arrays") && name != "weights_final.safetensors" && name != "config.yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A run that is killed at random moments and resumed ends in the same bytes. TEST_KILLS
// sets the number of kills, 10 by default.
func TestKilledRunsResumeToTheSameBytes(t *testing.T) {
	long(t)
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("TEST_KILLS")); err == nil {
		kills = n
	}
	base := filepath.Join(t.TempDir(), "base.yaml")
	if err := os.WriteFile(base, []byte("name: killed\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	type whole struct {
		files map[string]string
		took  time.Duration
	}
	wholes := make(map[string]whole)
	names := []string{"batches", "momentum", "adam", "flow"}
	midway := 0
	for kill := range kills {
		name := names[kill%len(names)]
		args := append([]string{"run", base}, killable()[name]...)
		if _, ok := wholes[name]; !ok {
			dir, start := filepath.Join(t.TempDir(), name), time.Now()
			cmd, out := program(t, append(args, "--out", dir)...)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			wholes[name] = whole{contents(t, dir), time.Since(start)}
		}
		dir := filepath.Join(t.TempDir(), name+strconv.Itoa(kill))
		resume := false
		for attempt := 0; ; attempt++ {
			line := append(args, "--out", dir)
			if resume {
				line = append(line, "--resume")
			}
			cmd, out := program(t, line...)
			if attempt < 2 {
				time.Sleep(time.Duration(random.Int64N(int64(wholes[name].took))))
				if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
			}
			err := cmd.Wait()
			if err == nil {
				break
			}
			if strings.Contains(out.String(), "it is complete") {
				break
			}
			if !cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
				t.Fatalf("kill %d of %s, attempt %d: %v\n%s", kill, name, attempt, err, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "trajectory", "resume.safetensors")); err == nil {
				midway++
			}
			// Killed before there was a manifest, there is nothing to resume.
			_, err = os.Stat(filepath.Join(dir, "manifest.json"))
			if resume = err == nil; !resume {
				os.RemoveAll(dir)
			}
		}
		got, want := contents(t, dir), wholes[name].files
		if len(got) != len(want) {
			t.Fatalf("kill %d of %s: %d files, want %d", kill, name, len(got), len(want))
		}
		for file := range want {
			if got[file] != want[file] {
				t.Fatalf("kill %d of %s: %s differs from the run that was not killed", kill, name, file)
			}
		}
		if out, code := verify(t, dir); code != exitOK {
			t.Fatalf("kill %d of %s: verify: %s", kill, name, out)
		}
		os.RemoveAll(dir)
	}
	t.Logf("%d runs, %d kills with a resume file", kills, midway)
	if kills >= 10 && midway == 0 {
		t.Error("no kill hit a run that had saved its state")
	}
}

func verify(t *testing.T, dir string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := run(context.Background(), []string{"verify", dir}, nil, nil, &out, &out)
	return out.String(), code
}

// The first SIGINT or SIGTERM finishes the step, saves, and exits with 130 or 143 within
// five seconds; what was saved is gone on with.
func TestSignalsSaveAndExit(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base.yaml")
	if err := os.WriteFile(base, []byte("name: signalled\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		dir := filepath.Join(t.TempDir(), signal.String())
		args := []string{"run", base, "data.train=200", "data.query=5", "training.steps=100000", "--out", dir}
		cmd, out := program(t, args...)
		for range 400 { // until some steps are done
			if content, _ := os.ReadFile(filepath.Join(dir, "metrics.jsonl")); bytes.Count(content, []byte("\n")) > 3 {
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
		start := time.Now()
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != code || time.Since(start) > 5*time.Second {
			t.Fatalf("%v: exit code %d after %v\n%s", signal, got, time.Since(start), out)
		}
		if _, err := os.Stat(filepath.Join(dir, "trajectory", "resume.safetensors")); err != nil {
			t.Fatalf("%v: %v", signal, err)
		}
		// Another configuration is refused, with the key.
		cmd, out = program(t, append(args, "training.optimizer.learning_rate=0.2", "--resume")...)
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(out.String(), "training.optimizer.learning_rate") {
			t.Errorf("another learning rate: %v\n%s", err, out)
		}
	}
}
