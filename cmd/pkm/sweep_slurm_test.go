//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// slurmNode starts Slurm on this machine, whose arrays have at most maxArray tasks, until the test ends.
func slurmNode(t *testing.T, maxArray int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("starting Slurm needs root")
	}
	cmd := exec.Command("../../scripts/slurm-node")
	cmd.Env = append(os.Environ(), fmt.Sprintf("SLURM_MAX_ARRAY=%d", maxArray))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	line, _ := lines.ReadString('\n')
	conf, ok := strings.CutPrefix(strings.TrimSpace(line), "SLURM_CONF=")
	if !ok {
		rest, _ := io.ReadAll(lines)
		t.Skip(line + string(rest))
	}
	t.Setenv("SLURM_CONF", conf)
}

// slurm runs one of Slurm's commands.
func slurm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Workers that Slurm starts do a sweep, whatever is in the names of its files. One that Slurm sends
// SIGTERM hands its trial back and ends well.
func TestSweepOnSlurm(t *testing.T) {
	long(t)
	slurmNode(t, 2)
	trials := 24
	if testing.Short() {
		trials = 8
	}
	const odd = `it's "100%" a #1 $HOME`
	plain := sweepFiles(t, steps(150), fmt.Sprintf(ashaSweep, trials))
	file := filepath.Join(filepath.Dir(plain), odd+".yaml")
	if err := os.Rename(plain, file); err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "alone")
	if p := start(t, "sweep", file, "--workers", "2", "--out", alone); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	const token = "s3cret"
	url, secret := natsServer(t, token), write(t, "to ken", token)
	dir := filepath.Join(t.TempDir(), odd)
	p := start(t, "sweep", file, "--server", url, "--token-file", secret, "--out", dir)
	until(t, "the sweep", func() bool { _, err := os.Stat(filepath.Join(dir, "sweep.json")); return err == nil })
	launch := start(t, "sweep", "launch", "slurm", file, "--server", url, "--token-file", secret, "--out", dir, "--workers", "3", "--memory", "100MiB", "--time", "10m", "--submit")
	if code := launch.wait(t); code != exitOK || strings.Count(launch.output(), "submitted workers-") != 2 {
		t.Fatalf("exit code %d\n%s", code, launch.output())
	}
	log := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir+"-workers", name))
		return string(text)
	}
	var first string
	if _, job, ok := strings.Cut(launch.output(), "Submitted batch job "); ok {
		first, _, _ = strings.Cut(job, "\n")
	}
	until(t, "a trial", func() bool { return strings.Contains(log("worker-1-0.log"), "attempt") })
	slurm(t, "scancel", "--batch", "--signal=TERM", first+"_0")
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	until(t, "the end of all jobs", func() bool { return slurm(t, "squeue", "--noheader") == "" })
	for _, name := range []string{"worker-1-0.log", "worker-1-1.log", "worker-2-0.log"} {
		if _, err := os.Stat(filepath.Join(dir+"-workers", name)); err != nil {
			t.Error(err)
		}
	}
	jobs := slurm(t, "scontrol", "show", "job", "--oneliner")
	if strings.Count(jobs, "JobState=COMPLETED") != 3 || strings.Count(jobs, "JobName=pkm "+odd+" ") != 3 || strings.Contains(jobs, token) {
		t.Errorf("jobs\n%s", jobs)
	}
	same(t, "on Slurm", results(t, dir), results(t, alone))
}
