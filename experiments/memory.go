package experiments

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/shirou/gopsutil/v4/mem"
)

// MemoryError reports a run that does not fit into the memory it may take.
type MemoryError struct {
	Needed, Allowed float64 // bytes
	Available       bool    // Allowed is what the machine has left, not the key memory
	Largest         string  // part, and
	Bytes           float64 // its size
	Lessen          string  // what would make it smaller
	Change          string  // the smallest change that would make the run fit, as an override, or ""
}

// Error implements error.
func (e *MemoryError) Error() string {
	const gib = 1 << 30
	allowed := "memory allows"
	if e.Available {
		allowed = "available are"
	}
	advice := e.Change + " would make it fit"
	if e.Change == "" {
		advice = "lower " + e.Lessen
	}
	return fmt.Sprintf("the run needs about %.3g GiB, %s %.3g GiB; most of it, %.3g GiB, are %s: %s",
		e.Needed/gib, allowed, e.Allowed/gib, e.Bytes/gib, e.Largest, advice)
}

// fits returns a *MemoryError when the plan does not fit into the memory of the configuration,
// or into the available bytes.
func (c *Config) fits(data *Dataset, p *Plan, available float64) error {
	limit, _ := ParseSize(c.Memory)
	allowed := min(limit, available)
	if p.Memory() <= allowed {
		return nil
	}
	most := slices.MaxFunc(p.Demands, func(a, b Demand) int { return cmp.Compare(a.Bytes, b.Bytes) })
	return &MemoryError{Needed: p.Memory(), Allowed: allowed, Available: available < limit, Largest: most.What, Bytes: most.Bytes, Lessen: most.Lessen,
		Change: c.smallestChange(data, p.Memory(), allowed, available)}
}

// smallestChange returns the change that costs the least of those that make a run fit: the memory
// that there is, then less of what is kept, then single precision, then as few fewer samples as will do.
func (c *Config) smallestChange(data *Dataset, needed, allowed, available float64) string {
	if needed <= available {
		return fmt.Sprintf("memory=%.0fMiB", math.Ceil(needed/(1<<20)))
	}
	fits := func(edit func(*Config)) bool {
		changed := *c
		changed.Memory = fmt.Sprintf("%.0fB", allowed)
		edit(&changed)
		p, err := changed.plan(data)
		return err == nil && p.Memory() <= allowed
	}
	if fits(func(*Config) {}) { // in turns
		return fmt.Sprintf("memory=%.0fMiB", math.Floor(allowed/(1<<20)))
	}
	kernel := func(to string) func(*Config) { return func(c *Config) { c.PathKernel = to } }
	switch {
	case c.PathKernel == "full" && fits(kernel("trace")):
		return "path_kernel=trace"
	case c.PathKernel != "none" && fits(kernel("none")):
		return "path_kernel=none"
	case c.Precision == "float64" && fits(func(c *Config) { c.Precision = "float32" }):
		return "precision=float32"
	}
	best, share := "", 0.0
	for _, side := range []struct {
		key string
		of  func(*Config) *int
	}{{"data.query", func(c *Config) *int { return &c.Data.Query }}, {"data.train", func(c *Config) *int { return &c.Data.Train }}} {
		now := *side.of(c)
		low, high := 0, now-1 // the most that fits, 0: none
		for low < high {
			middle := low + (high-low+1)/2
			if fits(func(c *Config) { *side.of(c) = middle }) {
				low = middle
			} else {
				high = middle - 1
			}
		}
		if s := float64(low) / float64(now); s > share {
			best, share = fmt.Sprintf("%s=%d", side.key, low), s
		}
	}
	return best
}

// availableMemory returns the bytes that a run may take, 1<<62 where the system
// does not say.
func availableMemory() float64 {
	m, err := mem.VirtualMemory()
	if err != nil {
		return 1 << 62
	}
	return float64(m.Available)
}
