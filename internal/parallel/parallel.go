// Package parallel runs a function over the tiles of an index range on all
// cores.
//
// The range is cut by the tile size alone, never by the number of cores, so a
// computation whose tiles do not share what they write gives the same bits
// whatever GOMAXPROCS is. Reductions keep that property when each tile (not
// each worker) has its own slot and the slots are summed in order afterwards.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Tiles calls f(lo, hi) for every tile [lo, hi) of [0, n): all have tile
// elements, except the last, which may have fewer. The calls run on up to
// GOMAXPROCS goroutines, of which the caller's is one, and in ascending order
// of start; Tiles returns when all have returned. A single tile runs in the
// caller, without a goroutine.
//
// If f panics, no further tile is started, and Tiles panics in the caller with
// the value of the lowest tile that panicked. It panics if n < 0 or tile < 1.
func Tiles(n, tile int, f func(lo, hi int)) {
	TilesWorker(Workers(n, tile), n, tile, func(_, lo, hi int) { f(lo, hi) })
}

// Workers returns how many workers TilesWorker can use for n elements in tiles
// of the given size: the smaller of the number of tiles and GOMAXPROCS, so 0
// for n = 0. It panics if n < 0 or tile < 1.
//
// Take it once and size the scratch by it: GOMAXPROCS may change while the
// program runs (a container's limit does that), so a second call may differ.
func Workers(n, tile int) int {
	return min(count(n, tile), runtime.GOMAXPROCS(0))
}

// TilesWorker is Tiles on at most the given number of workers. It passes to f
// the index 0 ≤ worker < workers of the worker that makes the call, so that f
// can use scratch[worker] alone; which worker gets which tile changes from run
// to run, hence no result may depend on it.
//
// It panics if n < 0 or tile < 1, or if workers < 1 while n > 0.
func TilesWorker(workers, n, tile int, f func(worker, lo, hi int)) {
	tiles := count(n, tile)
	if tiles == 0 {
		return
	}
	if workers < 1 {
		panic("parallel: workers < 1")
	}
	workers = min(workers, tiles)
	if workers == 1 {
		for t := range tiles {
			f(0, t*tile, t*tile+min(tile, n-t*tile))
		}
		return
	}

	r := run{n: n, tile: tile, tiles: tiles, f: f, failedTile: tiles}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { r.work(w) })
	}
	func() {
		defer wg.Wait() // also when f ends this goroutine
		r.work(0)
	}()
	switch {
	case r.failedTile == tiles:
	case r.exited:
		runtime.Goexit()
	default:
		panic(r.value)
	}
}

// count returns ⌈n/tile⌉.
func count(n, tile int) int {
	if n < 0 {
		panic("parallel: n < 0")
	}
	if tile < 1 {
		panic("parallel: tile < 1")
	}
	tiles := n / tile
	if n%tile != 0 {
		tiles++
	}
	return tiles
}

// run is one call of TilesWorker that uses several goroutines.
type run struct {
	n, tile, tiles int
	f              func(worker, lo, hi int)

	next    atomic.Int64 // the next tile to hand out
	stopped atomic.Bool  // a tile failed: hand out no more

	mu         sync.Mutex
	failedTile int  // the lowest tile that failed; tiles when none did
	exited     bool // it ended its goroutine (runtime.Goexit) without panicking
	value      any  // what it panicked with
}

// work runs tiles until none is left or one failed.
func (r *run) work(worker int) {
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
		if t < r.failedTile {
			r.failedTile, r.value, r.exited = t, value, value == nil
		}
	}()
	for !r.stopped.Load() {
		t = int(r.next.Add(1) - 1)
		if t >= r.tiles {
			break
		}
		lo := t * r.tile
		r.f(worker, lo, lo+min(r.tile, r.n-lo))
	}
	t = -1
}
