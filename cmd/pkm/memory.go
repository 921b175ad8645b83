package main

import (
	"runtime/debug"

	"pkm/experiments"
)

// keepToMemory has the garbage collector work harder as a run comes near the memory of its configuration, of which
// the plan counts what lives. GOMEMLIMIT, where it is set, stands.
func (c *command) keepToMemory(config *experiments.Config) {
	if bytes, ok := experiments.ParseSize(config.Memory); ok && c.variable("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(min(bytes, 1<<62)))
	}
}
