package graphs

import "pkm/internal/compute"

// Engine forms matrix products and runs tiles on all cores. Everything that computes
// takes one; it is shared, and holds goroutines until it is closed.
type Engine = compute.Engine

// OpenEngine returns an engine with the BLAS of that name: "openblas", "gonum", or ""
// for the fastest that the machine has.
func OpenEngine(blas string) (Engine, error) { return compute.Open(blas) }
