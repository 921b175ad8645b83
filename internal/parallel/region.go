package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// job is what a region runs: a range, its tiles, and one of two functions.
type job struct {
	n, tile, tiles int
	plain          func(lo, hi int)
	indexed        func(worker, lo, hi int)
}

// run calls the function of j for tile t.
func (j *job) run(worker, t int) {
	lo := t * j.tile
	hi := lo + min(j.tile, j.n-lo)
	if j.plain != nil {
		j.plain(lo, hi)
	} else {
		j.indexed(worker, lo, hi)
	}
}

// region is a job that several goroutines run. A Pool has one, used again and
// again: it may be touched by the goroutine that has Pool.busy and, between
// join and leave, by helpers.
type region struct {
	job
	next    atomic.Int64 // the next tile to hand out
	stopped atomic.Bool  // a tile failed: hand out no more

	mu         sync.Mutex
	failedTile int  // the lowest tile that failed; -1 when none did
	exited     bool // it ended its goroutine (runtime.Goexit) without panicking
	value      any  // what it panicked with
}

// begin prepares r for the tiles of j.
func (r *region) begin(j job) {
	r.job = j
	r.next.Store(0)
	r.stopped.Store(false)
	r.failedTile, r.exited, r.value = -1, false, nil
}

// work runs tiles until none is left or one failed.
func (r *region) work(worker int) {
	t := -1
	defer func() {
		// Reached with t < 0 only by a normal return. Tiles are handed out in
		// ascending order and a started tile is finished, so the lowest
		// failing tile always runs, and the choice is the same every time.
		if t < 0 {
			return
		}
		value := recover()
		r.stopped.Store(true)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failedTile < 0 || t < r.failedTile {
			r.failedTile, r.value, r.exited = t, value, value == nil
		}
	}()
	for !r.stopped.Load() {
		t = int(r.next.Add(1) - 1)
		if t >= r.tiles {
			break
		}
		r.run(worker, t)
	}
	t = -1
}

// raise repeats in the caller what the lowest failed tile did, if one failed.
func (r *region) raise() {
	value := r.value
	r.value = nil // do not keep it until the next region
	switch {
	case r.failedTile < 0:
	case r.exited:
		runtime.Goexit()
	default:
		panic(value)
	}
}
