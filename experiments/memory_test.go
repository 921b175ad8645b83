package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

func TestRunsThatDoNotFitAreRefused(t *testing.T) {
	const gib = 1 << 30
	for _, test := range []struct {
		name      string
		overrides []string
		available float64
		largest   string // "": it fits
		change    string
	}{
		{"the shipped sizes", []string{"data.train=1000", "data.query=50"}, gib, "", ""},
		{"wide layers", []string{"network.hidden=[1000000,1000000]"}, 64 * gib, "weights", ""},
		{"full kernel", []string{"path_kernel=full", "data.train=1000", "data.query=700"}, 4 * gib, "all pairs of outputs", "path_kernel=trace"},
		{"less memory than there is", []string{"path_kernel=full", "data.train=1000", "data.query=700"}, 64 * gib, "all pairs of outputs", "memory=4981MiB"},
		{"many queries", []string{"data.train=1000", "data.query=700"}, gib / 16, "contributions", "data.train="},
		{"many nodes, by turns", []string{"machines=[{name: a, family: exact, rule: gauss-64}]", "network.hidden=[2000]", "data.query=700", "path_kernel=none"}, gib, "Jacobians of the query", "memory=1024MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("t", []byte(small), "yaml", test.overrides, nil)
			if err != nil {
				t.Fatal(err)
			}
			data, err := c.Data.Load()
			if err != nil {
				t.Fatal(err)
			}
			plan, err := c.plan(data)
			if err != nil {
				t.Fatal(err)
			}
			err = c.fits(data, plan, test.available)
			var memory *MemoryError
			switch {
			case test.largest == "" && err != nil:
				t.Error(err)
			case test.largest != "" && (!errors.As(err, &memory) || !strings.Contains(memory.Largest, test.largest)):
				t.Errorf("error %v, want one about %s", err, test.largest)
			case test.largest != "" && !strings.HasPrefix(memory.Change, test.change):
				t.Errorf("the change is %q, want %s", memory.Change, test.change)
			case test.change != "" && !strings.HasPrefix(test.change, "memory"):
				// It is enough, and no more than that.
				fits := func(override string) bool {
					c, err := Parse("t", []byte(small), "yaml", append(test.overrides, override, fmt.Sprintf("memory=%.0fB", min(2*gib, test.available))), nil)
					must(t, err)
					p, err := c.plan(data)
					must(t, err)
					return c.fits(data, p, test.available) == nil
				}
				var n int
				if !fits(memory.Change) {
					t.Errorf("%s does not make it fit", memory.Change)
				}
				if _, err := fmt.Sscanf(memory.Change, "data.train=%d", &n); err == nil && fits(fmt.Sprintf("data.train=%d", n+1)) {
					t.Errorf("%d samples would fit too", n+1)
				}
			}
		})
	}
	c, err := Parse("t", []byte(small), "yaml", []string{"network.hidden=[1000000,1000000]"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	var memory *MemoryError
	if err := Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)}); !errors.As(err, &memory) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a run directory was made for a run that cannot begin: %v", err)
	}
}

func TestMemoryOfLayers(t *testing.T) {
	c := parse(t, layered("[{kind: flatten}, {kind: dense, units: 1000000}, {kind: dense, units: 1000000}, {kind: dense}]"), nil, nil)
	data, err := c.Data.Load()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.plan(data)
	if err != nil {
		t.Fatal(err)
	}
	var memory *MemoryError
	if err := c.fits(data, plan, 1<<36); !errors.As(err, &memory) || memory.Lessen != "the units and filters of network.layers" {
		t.Errorf("error %v, want one that names network.layers", err)
	}
}

// Meshes of many nodes are held a few at a time: the heap stays within the plan, of which they are the
// most. Without rounds this run takes 270 MB, planned are 41.
func TestMeshesStayWithinThePlan(t *testing.T) {
	long(t)
	c, err := Parse("t", []byte("name: t\n"), "yaml", []string{"data.train=40", "data.query=60", "network.hidden=[300]", "network.activation=relu", "training.steps=2",
		"training.optimizer.learning_rate=0.5", "machines=[{name: a, family: exact, rule: adaptive, tolerance: 1e-14, max_nodes: 150}]", "path_kernel=none", "memory=120MiB"}, nil)
	must(t, err)
	plan, err := c.Plan()
	must(t, err)
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // the heap is what lives
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(2 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	}()
	err = Execute(context.Background(), c, Options{Dir: filepath.Join(t.TempDir(), "run"), Engine: gonum(t)})
	close(done)
	must(t, err)
	if taken := float64(<-peak) - float64(before.HeapAlloc); taken > plan.Memory()*1.1 {
		t.Errorf("the heap grew by %.0f MB, planned are %.0f MB", taken/1e6, plan.Memory()/1e6)
	} else {
		t.Logf("the heap grew by %.0f MB, planned are %.0f MB", taken/1e6, plan.Memory()/1e6)
	}
}
