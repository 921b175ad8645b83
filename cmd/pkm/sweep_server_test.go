//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// quick is an experiment of some hundredths of a second.
const quick = "name: quick\ndata: {train: 30, query: 5}\nnetwork: {hidden: [6]}\ntraining: {steps: 20}\nmachines: []\npath_kernel: none\nfigures: false\n"

// A trial that fails is tried as often as retries says; on_failure says what then.
func TestSweepWithFailures(t *testing.T) {
	const space = "parameters:\n  memory: {values: [2GiB, 1KiB, 3GiB, 2KiB]}\n"
	file := sweepFiles(t, quick, "method: grid\nretries: 2\nmetric: {name: network.query_loss}\n"+space)
	dir := filepath.Join(t.TempDir(), "continue")
	p := start(t, "sweep", file, "--workers", "2", "--out", dir)
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	rows := results(t, dir)
	if got := strings.Join(column(rows, "state"), " "); got != "completed failed completed failed" {
		t.Errorf("states %s", got)
	}
	if got := strings.Join(column(rows, "attempt"), " "); got != "1 3 1 3" {
		t.Errorf("attempts %s", got)
	}
	if message := column(rows, "message")[1]; !strings.Contains(message, "memory") {
		t.Errorf("message %q", message)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !strings.Contains(p.output(), "report: "+filepath.Join(dir, "report.html")) {
		t.Errorf("no report: %v\n%s", err, p.output())
	}
	if err := os.Remove(filepath.Join(dir, "report.html")); err != nil {
		t.Fatal(err)
	}
	p = start(t, "sweep", "report", dir)
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	if again, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || string(again) != string(page) {
		t.Errorf("pkm sweep report writes another page: %d bytes, not %d, %v", len(again), len(page), err)
	}
	p = start(t, "sweep", file, "--workers", "1", "--out", dir, "--resume", "--retry-failed")
	if code := p.wait(t); code != exitOK || strings.Contains(p.output(), "trial 0 ") {
		t.Errorf("exit code %d\n%s", code, p.output())
	}
	if got := strings.Join(column(results(t, dir), "attempt"), " "); got != "1 4 1 4" {
		t.Errorf("attempts after --retry-failed %s", got)
	}

	file = sweepFiles(t, quick, "method: grid\non_failure: stop\nmetric: {name: network.query_loss}\n"+space)
	dir = filepath.Join(t.TempDir(), "stop")
	p = start(t, "sweep", file, "--workers", "1", "--out", dir)
	if code := p.wait(t); code != exitFailed || !strings.Contains(p.output(), "trial 1 failed") {
		t.Errorf("exit code %d\n%s", code, p.output())
	}
	if !strings.Contains(p.output(), "go on with it: pkm sweep "+file+" --resume --out "+dir+"; with --retry-failed also run the 1 that failed again") {
		t.Errorf("no way to go on:\n%s", p.output())
	}
	if got := column(results(t, dir), "state"); got[0] != "completed" || got[1] != "failed" || got[3] == "failed" {
		t.Errorf("states %v", got)
	}
}

// A trial whose configuration another has had takes over its result.
func TestSweepRunsEqualTrialsOnce(t *testing.T) {
	file := sweepFiles(t, quick, "method: random\nrun_cap: 12\nmetric: {name: network.query_accuracy, goal: maximize}\nparameters:\n  training.steps: {values: [3, 4]}\n")
	dir := filepath.Join(t.TempDir(), "equal")
	p := start(t, "sweep", file, "--workers", "1", "--out", dir)
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	entries, err := os.ReadDir(filepath.Join(dir, "trials"))
	if err != nil || len(entries) != 2 || len(results(t, dir)) != 13 {
		t.Errorf("%d folders of trials, %d rows, %v", len(entries), len(results(t, dir)), err)
	}
}

// SIGTERM ends a sweep within seconds, and it is gone on with.
func TestSweepIsInterrupted(t *testing.T) {
	file := sweepFiles(t, strings.Replace(slow, "steps: 150", "steps: 4000", 1), "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2]}\n  training.steps: {values: [4000]}\n")
	dir := filepath.Join(t.TempDir(), "interrupted")
	p := start(t, "sweep", file, "--workers", "2", "--out", dir)
	until(t, "steps", func() bool {
		saved, _ := filepath.Glob(filepath.Join(dir, "trials", "*", "trajectory", "resume.safetensors"))
		return len(saved) == 2
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != 128+int(syscall.SIGTERM) || !strings.Contains(p.output(), "--resume --out "+dir) {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !strings.Contains(string(page), "<dt>pending</dt><dd>2</dd>") {
		t.Errorf("the report of two trials that are pending: %d bytes, %v", len(page), err)
	}
	logs, err := os.ReadFile(filepath.Join(dir, "worker-1.log"))
	if err != nil || !strings.Contains(string(logs), "is handed back") {
		t.Errorf("%s%v", logs, err)
	}
	other := strings.Replace(file, "sweep.yaml", "other.yaml", 1)
	text, _ := os.ReadFile(file)
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), "[1, 2]", "[1, 3]", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	p = start(t, "sweep", other, "--out", dir, "--resume")
	if code := p.wait(t); code != exitUsage || !strings.Contains(p.output(), `parameters.seed: it began with "1, 2", now it would be "1, 3"`) {
		t.Errorf("another space: exit code %d\n%s", code, p.output())
	}
}

// natsServer starts a server of its own that asks for a token.
func natsServer(t *testing.T, token string) string {
	t.Helper()
	return natsServerAt(t, server.RANDOM_PORT, token)
}

// freePort returns a port of the loopback interface on which nothing listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func natsServerAt(t *testing.T, port int, token string) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, Authorization: token, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s.ClientURL()
}

// Workers that are started by hand take trials from a server of its own; without its token they
// are refused. SIGUSR1 ends one after its trial, SIGTERM at once.
func TestSweepOnAServer(t *testing.T) {
	const token = "s3cret"
	url := natsServer(t, token)
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := sweepFiles(t, slow, fmt.Sprintf(ashaSweep, 8))
	alone := filepath.Join(t.TempDir(), "alone")
	if p := start(t, "sweep", file, "--workers", "1", "--out", alone); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	dir := filepath.Join(t.TempDir(), "served")
	p := start(t, "sweep", file, "--server", url, "--token-file", secret, "--out", dir)
	until(t, "trials", func() bool { _, err := os.Stat(filepath.Join(dir, "results.csv")); return err == nil })

	refused := start(t, "worker", "--server", url, "--dir", dir)
	if code := refused.wait(t); code != exitFailed || !strings.Contains(refused.output(), "Authorization") {
		t.Errorf("without the token: exit code %d\n%s", code, refused.output())
	}
	for _, signal := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		w := start(t, "worker", "--server", url, "--token-file", secret, "--dir", dir)
		until(t, "a trial", func() bool { return strings.Contains(w.output(), "attempt 1") })
		if err := w.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if code := w.wait(t); code != exitOK {
			t.Errorf("%v: exit code %d\n%s", signal, code, w.output())
		}
		if handed := strings.Contains(w.output(), "handed back"); signal == syscall.SIGUSR1 && handed {
			t.Errorf("%v:\n%s", signal, w.output())
		}
	}
	w := start(t, "worker", "--server", url, "--token-file", secret, "--dir", dir)
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	if code := w.wait(t); code != exitOK {
		t.Errorf("the worker hears that the sweep is over: exit code %d\n%s", code, w.output())
	}
	same(t, "served", results(t, dir), results(t, alone))
	for _, args := range [][]string{{"best", dir}, {"ls", dir}, {"show", dir}, {"show", dir, "3"}} {
		if code, out, errout := pkm(t, append([]string{"sweep"}, args...)...); code != exitOK || !strings.Contains(out, "network.query_loss") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errout)
		}
	}
}

func TestSweepCommandLine(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"sweep"}, "a sweep file is missing"},
		{[]string{"sweep", "a.yaml"}, "a.yaml: no such file"},
		{[]string{"sweep", "a.yaml", "seed=1"}, `found also "seed=1"`},
		{[]string{"sweep", "a.yaml", "--retry-failed"}, "goes with --resume"},
		{[]string{"sweep", "a.yaml", "--workers", "0"}, "at least one worker"},
		{[]string{"sweep", "a.yaml", "--lost-after", "1ms"}, "a second is the least"},
		{[]string{"sweep", "best", "."}, "there is no sweep in it"},
		{[]string{"sweep", "best", "-n", "0", "."}, "-n is 0; 1 is the least"},
		{[]string{"worker"}, "--server is missing"},
	} {
		if code, _, errout := pkm(t, test.args...); code != exitUsage || !strings.Contains(errout, test.want) {
			t.Errorf("%v: exit code %d\n%s", test.args, code, errout)
		}
	}
}

// A server that goes away for a while and comes back loses nothing.
func TestSweepOutlivesAServersRestart(t *testing.T) {
	long(t)
	options := server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoSigs: true, NoLog: true}
	begin := func() *server.Server {
		o := options
		s, err := server.NewServer(&o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(10 * time.Second) {
			t.Fatal("the server does not come up")
		}
		return s
	}
	s := begin()
	url := s.ClientURL()
	options.Port = s.Addr().(*net.TCPAddr).Port
	trials := 24
	if testing.Short() {
		trials = 8
	}
	file := sweepFiles(t, slow, fmt.Sprintf(ashaSweep, trials))
	alone := filepath.Join(t.TempDir(), "alone")
	if p := start(t, "sweep", file, "--workers", "2", "--out", alone); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}
	dir := filepath.Join(t.TempDir(), "restarted")
	p := start(t, "sweep", file, "--server", url, "--workers", "2", "--out", dir, "--lost-after", "2s")
	until(t, "a result", func() bool { return strings.Contains(p.output(), "\n3/") })
	s.Shutdown()
	s.WaitForShutdown()
	time.Sleep(3 * time.Second)
	s = begin()
	defer s.Shutdown()
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	same(t, "restarted", results(t, dir), results(t, alone))
}

// A trial whose parameters exclude one another has failed before it begins, and only it.
func TestSweepWithImpossibleTrials(t *testing.T) {
	file := sweepFiles(t, quick, "method: random\nrun_cap: 8\nretries: 1\nmetric: {name: network.query_loss}\nparameters:\n  data.train: {values: [10, 30]}\n  training.batch_size: {values: [0, 20]}\n")
	dir := filepath.Join(t.TempDir(), "impossible")
	for _, args := range [][]string{nil, {"--resume", "--retry-failed"}} {
		p := start(t, append([]string{"sweep", file, "--workers", "1", "--out", dir}, args...)...)
		if code := p.wait(t); code != exitOK {
			t.Fatalf("exit code %d\n%s", code, p.output())
		}
	}
	rows, failed := results(t, dir), 0
	for i, state := range column(rows, "state") {
		impossible := column(rows, "data.train")[i] == "10" && column(rows, "training.batch_size")[i] == "20"
		if impossible {
			failed++
		}
		if (state == "failed") != impossible || impossible && !strings.Contains(column(rows, "message")[i], "more than the 10 training samples") {
			t.Errorf("%q", rows[i+1])
		}
	}
	if failed == 0 || failed == 8 {
		t.Errorf("%d of 8 trials are impossible", failed)
	}
}
