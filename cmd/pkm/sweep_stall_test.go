//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that is stalled, and keeps its trial's folder locked, holds up neither the trial, which runs in another folder
// with the same result, nor the end of the sweep.
func TestSweepWithAStalledWorker(t *testing.T) {
	long(t)
	file := sweepFiles(t, strings.Replace(slow, "steps: 150", "steps: 1000", 1), "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2]}\n")
	alone := filepath.Join(t.TempDir(), "alone")
	if p := start(t, "sweep", file, "--workers", "2", "--out", alone); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	dir := filepath.Join(t.TempDir(), "stalled")
	p := start(t, "sweep", file, "--workers", "2", "--out", dir, "--lost-after", "1s")
	until(t, "steps", func() bool {
		saved, _ := filepath.Glob(filepath.Join(dir, "trials", "*", "trajectory", "resume.safetensors"))
		return len(saved) == 2
	})
	pid := p.worker(0)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	select {
	case <-p.ended:
	case <-time.After(90 * time.Second):
		t.Fatalf("it does not end:\n%s", p.output())
	}
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the stalled worker is left: %v", err)
	}
	got, want := results(t, dir), results(t, alone)
	elsewhere := 0
	for i := range got {
		for j, text := range got[i] {
			if first, ok := strings.CutSuffix(text, "-2"); ok && got[0][j] == "folder" {
				got[i][j] = first
				elsewhere++
			}
		}
	}
	same(t, "stalled", got, want)
	if folders, _ := filepath.Glob(filepath.Join(dir, "trials", "*-2")); elsewhere != 1 || len(folders) != 1 {
		t.Errorf("%d trials in another folder, folders %q", elsewhere, folders)
	}
}
