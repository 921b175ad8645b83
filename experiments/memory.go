package experiments

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/shirou/gopsutil/v4/mem"
)

// MemoryError reports a run that does not fit into the machine's memory.
type MemoryError struct {
	Needed, Available float64 // bytes
	Largest           string  // part, and
	Bytes             float64 // its size
	Lessen            string  // what would make it smaller
}

// Error implements error.
func (e *MemoryError) Error() string {
	const gib = 1 << 30
	return fmt.Sprintf("the run needs about %.3g GiB of memory, %.3g GiB are available; most of it, %.3g GiB, are %s: lower %s",
		e.Needed/gib, e.Available/gib, e.Bytes/gib, e.Largest, e.Lessen)
}

// fits returns a *MemoryError when the plan does not fit into the available bytes.
func (p *Plan) fits(available float64) error {
	if p.Memory() <= available {
		return nil
	}
	most := slices.MaxFunc(p.Demands, func(a, b Demand) int { return cmp.Compare(a.Bytes, b.Bytes) })
	return &MemoryError{Needed: p.Memory(), Available: available, Largest: most.What, Bytes: most.Bytes, Lessen: most.Lessen}
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
