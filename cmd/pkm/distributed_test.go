//go:build unix

package main

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// distributedConfig takes a few seconds to account for.
const distributedConfig = `name: parts
data: {train: 100, query: 104}
network: {hidden: [24]}
training: {steps: 160, batch_size: 32, optimizer: {kind: adam, learning_rate: 0.003}, checkpoints: {every: 5}}
machines: [{name: exact, family: exact, rule: gauss-3}]
figures: false
`

// accountFiles returns the files under arrays/ of a run.
func accountFiles(t *testing.T, run string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(filepath.Join(run, "arrays"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files[strings.TrimPrefix(path, run)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A run whose account is done by one, two or five workers, killed at random, and a coordinator that is
// killed twice, ends in the same bytes, of which the identity holds.
func TestDistributedRunSurvivesDeaths(t *testing.T) {
	long(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(config, []byte(distributedConfig), 0o666); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 0))
	run := func(name, workers string, kills, coordinators int) map[string][]byte {
		out := filepath.Join(dir, name)
		args := []string{"run", config, "--distributed", "--workers", workers, "--lost-after", "1s", "--out", out}
		landed, killed := 0, 0
		for attempt := 0; ; attempt++ {
			p := start(t, args...)
			for seen := 0; ; {
				select {
				case <-p.ended:
				case <-time.After(20 * time.Millisecond):
					done := strings.Count(p.output(), "account: part")
					if done < seen+2 || landed == kills && killed == coordinators {
						continue
					}
					seen = done
					if pid := p.worker(random.IntN(2)); landed < kills && pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
						landed++
					} else if killed < coordinators {
						_ = p.Process.Kill()
						killed++
					}
					continue
				}
				break
			}
			code := p.wait(t)
			if code == 0 {
				break
			}
			if attempt > coordinators {
				t.Fatalf("%s: exit %d\n%s", name, code, p.output())
			}
			kills = min(kills+2, 2*coordinators+2)
			if attempt == 0 {
				args = append(args, "--resume")
			}
		}
		t.Logf("%s: %d workers killed, the coordinator %d times", name, landed, killed)
		if killed < coordinators || landed < coordinators {
			t.Errorf("%s: only %d workers killed, the coordinator %d times", name, landed, killed)
		}
		for _, left := range []string{"parts", "queue"} {
			if _, err := os.Stat(filepath.Join(out, left)); err == nil {
				t.Errorf("%s/%s is left", name, left)
			}
		}
		if code, text, _ := pkm(t, "verify", out); code != 0 {
			t.Errorf("%s: %s", name, text)
		}
		return accountFiles(t, out)
	}
	one := run("one", "1", 0, 0)
	others := map[string][]any{"five": {"5", 0, 0}, "killed": {"2", 2, 2}}
	for name, o := range others {
		files := run(name, o[0].(string), o[1].(int), o[2].(int))
		if len(files) != len(one) {
			t.Errorf("%s: %d files, want %d", name, len(files), len(one))
		}
		for file, content := range one {
			if !bytes.Equal(files[file], content) {
				t.Errorf("%s: %s has other bytes", name, file)
			}
		}
	}
}

// A run is gone on with as it began, and flags of workers go with --distributed.
func TestDistributedRefusals(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(config, []byte(distributedConfig), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--workers", "2"}, "--workers goes with --distributed"},
		{[]string{"--distributed", "--workers", "0"}, "at least one worker"},
		{[]string{"--distributed", "--workers", "-1"}, "--workers is -1"},
		{[]string{"--distributed", "--lost-after", "1ms"}, "a second is the least"},
		{[]string{"machines=[]", "path_kernel=none", "--distributed"}, "nothing to distribute"},
		{[]string{"training.optimizer={kind: sgd, learning_rate: 0.1}", "training.clip_norm=1", "machines=[{name: f, family: flow, rule: trapezoid}]", "--distributed"}, "clip_norm"},
	} {
		code, _, errout := pkm(t, append([]string{"run", config, "--out", filepath.Join(dir, "r")}, test.args...)...)
		if code != exitUsage || !strings.Contains(errout, test.want) {
			t.Errorf("%v: exit %d, %s", test.args, code, errout)
		}
	}
}

// What a killed coordinator left is gone on with, also where files of parts are damaged; without --distributed it is
// refused, and stays as it is.
func TestDistributedResume(t *testing.T) {
	long(t)
	dir := t.TempDir()
	config, out := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "r")
	if err := os.WriteFile(config, []byte(distributedConfig), 0o666); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", config, "--distributed", "--workers", "2", "--out", out)
	until(t, "parts", func() bool { return strings.Count(p.output(), "account: part") > 4 })
	_ = p.Process.Kill()
	<-p.ended
	before, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errout := pkm(t, "run", config, "--resume", "--out", out); code != exitUsage || !strings.Contains(errout, "began with --distributed") {
		t.Errorf("exit %d: %s", code, errout)
	}
	if after, err := os.ReadFile(filepath.Join(out, "manifest.json")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused resume alters the manifest: %v\n%s", err, after)
	}
	files, err := filepath.Glob(filepath.Join(out, "parts", "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files { // sums and carries
		if err := os.Truncate(f, 100); err != nil {
			t.Fatal(err)
		}
	}
	if again := start(t, "run", config, "--distributed", "--workers", "2", "--out", out, "--resume"); again.wait(t) != exitOK {
		t.Fatal(again.output())
	}
	if code, text, _ := pkm(t, "verify", out); code != exitOK {
		t.Error(text)
	}
	code, _, errout := pkm(t, "run", config, "--distributed", "--server", "nats://127.0.0.1:1", "--out", filepath.Join(dir, "s"))
	if _, err := os.Stat(filepath.Join(dir, "s")); code != exitFailed || err == nil || !strings.Contains(errout, "connect to the server") {
		t.Errorf("exit %d: %s", code, errout)
	}
}
