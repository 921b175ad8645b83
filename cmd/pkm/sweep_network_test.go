//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// network is a bridge with an address of its own for each of some network namespaces. Nothing in it
// reaches the machine's own network.
type network struct{ prefix string }

// newNetwork creates the namespaces "server", which holds the bridge, and others, the n-th with the
// address 10.213.0.n+2. They are removed when the test ends; those of a test that
// was killed, when the next one begins.
func newNetwork(t *testing.T, others ...string) *network {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces need the command ip (Debian: iproute2)")
	}
	removeLeftNetworks(t)
	n := &network{fmt.Sprintf("pkm-test-%d-", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", n.space("server")).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %s", out)
	}
	t.Cleanup(func() { n.ip(t, "netns", "del", n.space("server")) })
	server := n.space("server")
	n.ip(t, "-n", server, "link", "set", "lo", "up")
	n.ip(t, "-n", server, "link", "add", "bridge", "type", "bridge")
	n.ip(t, "-n", server, "address", "add", "10.213.0.1/24", "dev", "bridge")
	n.ip(t, "-n", server, "link", "set", "bridge", "up")
	for i, name := range others {
		space := n.space(name)
		n.ip(t, "netns", "add", space)
		t.Cleanup(func() { n.ip(t, "netns", "del", space) })
		n.ip(t, "-n", server, "link", "add", "to-"+name, "type", "veth", "peer", "name", "eth0", "netns", space)
		n.ip(t, "-n", server, "link", "set", "to-"+name, "master", "bridge", "up")
		n.ip(t, "-n", space, "link", "set", "lo", "up")
		n.ip(t, "-n", space, "address", "add", fmt.Sprintf("10.213.0.%d/24", i+2), "dev", "eth0")
		n.ip(t, "-n", space, "link", "set", "eth0", "up")
	}
	return n
}

// removeLeftNetworks removes namespaces of tests whose process is no more.
func removeLeftNetworks(t *testing.T) {
	t.Helper()
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		space, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(space, "pkm-test-")
		number, _, _ := strings.Cut(rest, "-")
		if pid, err := strconv.Atoi(number); ours && err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = exec.Command("ip", "netns", "del", space).Run()
		}
	}
}

// space returns the full name of a namespace.
func (n *network) space(name string) string { return n.prefix + name }

func (n *network) ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// in returns a command that runs in a namespace.
func (n *network) in(space, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.space(space), program}, args...)...)
}

// connect takes a namespace off the bridge, or puts it back.
func (n *network) connect(t *testing.T, name string, up bool) {
	t.Helper()
	n.ip(t, "-n", n.space("server"), "link", "set", "to-"+name, map[bool]string{true: "up", false: "down"}[up])
}

// natsProgram builds the server that sites run.
func natsProgram(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("building a NATS server needs Go")
	}
	program := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build the NATS server: %v\n%s", err, out)
	}
	return program
}

// startNATS starts a server process with a configuration, to which a store is added, by a command
// that lacks only its arguments.
func startNATS(t *testing.T, cmd *exec.Cmd, config string) *process {
	t.Helper()
	file := write(t, "nats.conf", fmt.Sprintf("jetstream { store_dir: %q, sync_interval: always }\n%s", t.TempDir(), config))
	cmd.Args = append(cmd.Args, "-c", file)
	p := startCommand(t, cmd)
	until(t, "the server", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the server ends:\n%s", p.output())
		default:
		}
		return strings.Contains(p.output(), "Server is ready")
	})
	return p
}

// Workers with addresses of their own, on a server process that asks for a token: one without it is
// refused, and one that is cut off for 20 s costs nothing but time: the other one has its trial, and when it is back it does the rest.
func TestSweepOverANetwork(t *testing.T) {
	long(t)
	trials, partition := 30, 20*time.Second
	if testing.Short() {
		trials, partition = 12, 3*time.Second
	}
	n := newNetwork(t, "a", "b")
	const token = "s3cret"
	startNATS(t, n.in("server", natsProgram(t)), fmt.Sprintf("listen: \"10.213.0.1:4222\"\nauthorization { token: %q }\n", token))
	secret, url := write(t, "token", token+"\n"), "nats://10.213.0.1:4222"

	file := sweepFiles(t, steps(150), fmt.Sprintf(ashaSweep, trials))
	alone := filepath.Join(t.TempDir(), "alone")
	if p := start(t, "sweep", file, "--workers", "2", "--out", alone); p.wait(t) != exitOK {
		t.Fatal(p.output())
	}

	dir := filepath.Join(t.TempDir(), "network")
	p := startCommand(t, n.in("server", os.Args[0], "sweep", file, "--server", url, "--token-file", secret, "--out", dir, "--lost-after", "2s"))
	until(t, "the sweep", func() bool { return strings.Contains(p.output(), "sweep folder") })
	wrong := write(t, "wrong", "an0ther\n")
	for want, args := range map[string][]string{"it asks for a token": nil, "it has another token": {"--token-file", wrong}} {
		refused := startCommand(t, n.in("b", os.Args[0], append([]string{"worker", "--server", url, "--dir", dir}, args...)...))
		if code := refused.wait(t); code != exitFailed || !strings.Contains(refused.output(), "Authorization Violation: "+want) {
			t.Errorf("%s: exit code %d\n%s", want, code, refused.output())
		}
	}
	workers := map[string]*process{}
	for _, name := range []string{"a", "b"} {
		workers[name] = startCommand(t, n.in(name, os.Args[0], "worker", "--server", url, "--token-file", secret, "--dir", dir))
	}
	taken := func(name string) int { return strings.Count(workers[name].output(), "attempt") }
	until(t, "trials of both", func() bool { return taken("a") > 1 && taken("b") > 1 })
	cut, a, b := time.Now(), taken("a"), taken("b")
	n.connect(t, "b", false)
	// With so many more trials worker a has also had that of b, as trials wait for their results.
	until(t, "trials of the other worker", func() bool { return taken("a") >= a+5 })
	_ = workers["a"].Process.Signal(syscall.SIGUSR1)
	if code := workers["a"].wait(t); code != exitOK {
		t.Errorf("worker a: exit code %d\n%s", code, workers["a"].output())
	}
	time.Sleep(time.Until(cut.Add(partition)))
	n.connect(t, "b", true)
	for name, w := range map[string]*process{"the coordinator": p, "worker b": workers["b"]} {
		if code := w.wait(t); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", name, code, w.output())
		}
	}
	t.Logf("worker a took %d trials while b was cut off; b took %d before and %d after", taken("a")-a, b, taken("b")-b)
	same(t, "over a network", results(t, dir), results(t, alone))
}
