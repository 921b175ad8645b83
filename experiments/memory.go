package experiments

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v4/mem"

	"pkm/graphs"
	"pkm/pathkernel"
)

// demand is a part of a run's memory and what would make it smaller.
type demand struct {
	what   string
	bytes  float64 // float64: a sum of absurd sizes must not wrap around
	lessen string
}

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

// checkMemory returns a *MemoryError when a run of N training and M query samples
// will not fit into the available bytes. It counts what grows with the
// configuration: a lower bound, within a factor of two.
func (c *Config) checkMemory(n *graphs.Network, samples, queries int, available float64) error {
	m, k, s, p := float64(queries), float64(n.Outputs()), float64(samples), float64(n.Parameters())
	size := 8.0
	if c.Precision == "float32" {
		size = 4
	}
	width := float64(n.Widths())
	nodes := 0
	for _, machine := range c.Machines {
		if rule, err := pathkernel.ParseRule(machine.Rule); err == nil {
			nodes += len(rule.Nodes)
		}
	}
	machines := float64(len(c.Machines))
	demands := []demand{
		{"weights and their gradients", 8 * size * p, "network.hidden or network.convs"},
		{"values of the training samples in the network", 3 * size * s * width, "data.train or network.hidden"},
		{"Jacobians of the query samples", 2 * size * float64(nodes) * m * k * width, "data.query or the number of nodes of the machines"},
		{"contributions", 8 * machines * m * k * s, "data.query, data.train or the number of machines"},
	}
	switch pathkernel.Kernel(c.PathKernel) {
	case pathkernel.TraceKernel:
		demands = append(demands, demand{"path kernels", 8 * machines * m * s, "data.query, data.train or the number of machines"})
	case pathkernel.FullKernel:
		// Kernel and numerators, and a copy of each as it is written.
		demands = append(demands, demand{"path kernels of all pairs of outputs", 4 * 8 * machines * m * k * k * s, "data.query or data.train, or choose path_kernel: trace"})
	}
	var needed float64
	for _, d := range demands {
		needed += d.bytes
	}
	if needed <= available {
		return nil
	}
	most := slices.MaxFunc(demands, func(a, b demand) int {
		switch {
		case a.bytes < b.bytes:
			return -1
		case a.bytes > b.bytes:
			return 1
		}
		return strings.Compare(a.what, b.what)
	})
	return &MemoryError{Needed: needed, Available: available, Largest: most.what, Bytes: most.bytes, Lessen: most.lessen}
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
