//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakes puts programs of a scheduler in the way of real ones: each writes its arguments, and whether
// it knows the token, to a log.
func fakes(t *testing.T, scripts map[string]string) (log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	for name, script := range scripts {
		text := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" token=$PKM_SERVER_TOKEN >>'%s'\n%s\n", name, log, script)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	return log
}

func TestSweepLaunch(t *testing.T) {
	log := fakes(t, map[string]string{
		"scontrol": "echo 'MaxArraySize            = 7'",
		"sbatch":   "case $1 in */workers-2.sbatch) echo no more >&2; exit 1;; *) echo Submitted batch job 1;; esac",
		"kubectl":  "echo job.batch/pkm-1 created",
	})
	t.Setenv("PKM_SERVER_TOKEN", "s3cret")
	file := sweepFiles(t, quick, "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n")
	secret := write(t, "token", "s3cret")
	t.Chdir(t.TempDir())

	// A worker a trial, arrays as long as Slurm allows.
	code, out, errout := pkm(t, "sweep", "launch", "slurm", file, "--server", "nats://127.0.0.1:4222", "--token-file", secret)
	if code != exitOK || !strings.Contains(out, "sweeps/sweep-workers/workers-1.sbatch: 7 workers") || !strings.Contains(out, "workers-2.sbatch: 3 workers") ||
		!strings.Contains(out, "  sbatch ") || !strings.Contains(out, "has not begun") || !strings.Contains(errout, "only workers on this machine reach") {
		t.Errorf("exit code %d\n%s%s", code, out, errout)
	}
	// What is written already is left alone; what cannot be submitted is said.
	code, out, errout = pkm(t, "sweep", "launch", "slurm", file, "--server", "nats://login:4222", "--submit")
	if code != exitFailed || !strings.Contains(out, "submitted workers-1.sbatch: Submitted batch job 1") || !strings.Contains(out, "sweep-workers-2/") || !strings.Contains(errout, "submit workers-2.sbatch: exit status 1: no more") {
		t.Errorf("exit code %d\n%s%s", code, out, errout)
	}
	code, out, errout = pkm(t, "sweep", "launch", "kubernetes", file, "--server", "nats://login:4222", "--image", "pkm:1", "--token-secret", "pkm/token", "--workers", "3", "--submit")
	if code != exitOK || !strings.Contains(out, "submitted workers-1.yaml: job.batch/pkm-1 created") {
		t.Errorf("exit code %d\n%s%s", code, out, errout)
	}
	said, err := os.ReadFile(log)
	if err != nil || strings.Count(string(said), "token=\n") != 3 || !strings.Contains(string(said), "kubectl create -f ") {
		t.Errorf("%v\n%s", err, said)
	}
	// A folder of a sweep that has begun says which it is.
	if p := start(t, "sweep", file, "--workers", "1", "--out", "begun"); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	code, out, errout = pkm(t, "sweep", "launch", "slurm", file, "--server", "nats://login:4222", "--out", "begun", "--files", "files", "--max-array", "100")
	script, err := os.ReadFile("files/workers-1.sbatch")
	if code != exitOK || strings.Contains(out, "has not begun") || err != nil || !strings.Contains(string(script), " --sweep ") || !strings.Contains(string(script), "--array=0-9\n") {
		t.Errorf("exit code %d, %v\n%s%s\n%s", code, err, out, errout, script)
	}

	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "a scheduler is missing"},
		{[]string{"pbs", file}, `"pbs" is no scheduler that is known`},
		{[]string{"slurm"}, "a sweep file is missing"},
		{[]string{"slurm", "none.yaml"}, "none.yaml: no such file"},
		{[]string{"slurm", file}, "--server is missing"},
		{[]string{"slurm", file, "--server", "nats://h", "--memory", "4"}, `--memory is "4"`},
		{[]string{"slurm", file, "--server", "nats://h", "--files", "files"}, "there is something in"},
		{[]string{"kubernetes", file, "--server", "nats://h"}, "--image is missing"},
		{[]string{"kubernetes", file, "--server", "nats://h", "--image", "a b"}, `--image is "a b", which is invalid`},
		{[]string{"kubernetes", file, "--server", "nats://h", "--image", "i", "--token-secret", "pkm"}, "a slash and a key"},
	} {
		if code, _, errout := pkm(t, append([]string{"sweep", "launch"}, test.args...)...); code != exitUsage || !strings.Contains(errout, test.want) {
			t.Errorf("%v: exit code %d\n%s", test.args, code, errout)
		}
	}
}

// A worker waits for the server and the sweep; after SIGTERM its exit code is what was asked for.
func TestWorkerWaits(t *testing.T) {
	long(t)
	port := freePort(t)
	url := fmt.Sprintf("nats://127.0.0.1:%d", port)
	file := sweepFiles(t, quick, "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2]}\n")
	dir := filepath.Join(t.TempDir(), "late")
	early := start(t, "worker", "--server", url, "--dir", dir)
	if code := early.wait(t); code != exitFailed || !strings.Contains(early.output(), "no servers available") {
		t.Errorf("without waiting: exit code %d\n%s", code, early.output())
	}
	w := start(t, "worker", "--server", url, "--dir", dir, "--wait", "1m")
	time.Sleep(time.Second)
	natsServerAt(t, port, "")
	early = start(t, "worker", "--server", url, "--dir", dir)
	if code := early.wait(t); code != exitFailed || !strings.Contains(early.output(), "there is none yet") {
		t.Errorf("without a sweep: exit code %d\n%s", code, early.output())
	}
	for want, args := range map[int][]string{0: nil, 143: {"--hand-back-code", "143"}} {
		waits := start(t, append([]string{"worker", "--server", url, "--dir", dir, "--wait", "1m"}, args...)...)
		time.Sleep(time.Second)
		if err := waits.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := waits.wait(t); code != want {
			t.Errorf("exit code %d, want %d\n%s", code, want, waits.output())
		}
	}
	p := start(t, "sweep", file, "--server", url, "--out", dir)
	for name, p := range map[string]*process{"sweep": p, "worker": w} {
		if code := p.wait(t); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", name, code, p.output())
		}
	}
}

// A worker that is given no sweep leaves alone one that is over, and waits for another.
func TestWorkerIgnoresSweepsThatAreOver(t *testing.T) {
	long(t)
	url := natsServer(t, "")
	file := sweepFiles(t, quick, "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2]}\n")
	over, next := filepath.Join(t.TempDir(), "over"), filepath.Join(t.TempDir(), "next")
	if p := start(t, "sweep", file, "--server", url, "--workers", "1", "--out", over); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	early := start(t, "worker", "--server", url, "--dir", next)
	if code := early.wait(t); code != exitFailed || !strings.Contains(early.output(), "all there are over") || !strings.Contains(early.output(), "there is none yet") {
		t.Errorf("exit code %d\n%s", code, early.output())
	}
	w := start(t, "worker", "--server", url, "--dir", next, "--wait", "1m")
	time.Sleep(time.Second)
	p := start(t, "sweep", file, "--server", url, "--out", next)
	for name, p := range map[string]*process{"sweep": p, "worker": w} {
		if code := p.wait(t); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", name, code, p.output())
		}
	}
	if !strings.Contains(w.output(), "trial 1, attempt 1") {
		t.Errorf("the worker takes no trial:\n%s", w.output())
	}
}
