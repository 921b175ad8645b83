// Package compute is what the numerical packages need of a machine: a BLAS for
// the products and a pool of workers for the tiles.
package compute

import (
	"pkm/internal/blas"
	"pkm/internal/parallel"
)

// Engine multiplies matrices and runs tiles on all cores. It is shared by
// everything that computes in a run. Its methods may be called by several
// goroutines, of which one at a time has the other cores.
type Engine struct {
	blas.Implementation
	*parallel.Pool
}

// Open returns an engine with the BLAS of that name, see blas.Open. It holds
// goroutines until it is closed.
func Open(choice string) (Engine, error) {
	b, err := blas.Open(choice)
	if err != nil {
		return Engine{}, err
	}
	return Engine{Implementation: b, Pool: parallel.NewPool()}, nil
}
