// Package parallel runs a function over the tiles of an index range on all
// cores.
//
// The range is cut by the tile size alone, never by the number of cores, so a
// computation whose tiles do not share what they write gives the same bits
// whatever GOMAXPROCS is. Reductions keep that property when each tile (not
// each worker) has its own slot and the slots are summed in order afterwards.
//
// Waking an idle core costs hundreds of microseconds on a virtual machine, as
// much as a short region takes. A Pool therefore keeps its workers awake from
// one region to the next by active waiting, for a bounded time, as OpenMP does.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool runs regions, each a call of Tiles or TilesWorker, on goroutines that
// it keeps: one helper for every processor but the caller's, started by the
// first region that can use it. A helper that has nothing to do waits actively
// for a millisecond and then sleeps.
//
// A region uses the helpers that arrive while tiles are left, so it never
// waits for one that has no core to run on. One region at a time has them: a
// region that is begun inside a tile, or by another goroutine while one is
// under way, runs in its caller alone, with the same result.
//
// All methods may be called from several goroutines. A nil *Pool is valid and
// runs everything in the caller. A Pool is made by NewPool; its helpers are
// held until Close.
type Pool struct {
	busy   atomic.Bool // a region has the helpers
	closed atomic.Bool

	mu      sync.Mutex // held to append to helpers, and by Close
	helpers []*helper  // appended to by the region that has busy

	region region
	caller sleeper // the goroutine that waits for the helpers of region

	_       [64]byte      // helpers poll what follows: keep it off the lines written during a region
	ticket  atomic.Uint64 // who may join the region, and who did: see makeTicket
	cores   atomic.Int64  // how many workers the last region could run at once
	_       [64]byte
	pending atomic.Int64 // helpers that joined and have not finished; until the region closes, minus those that have
}

// NewPool returns a pool without helpers; regions start them.
func NewPool() *Pool {
	return &Pool{caller: newSleeper()}
}

// Close ends the helpers, those that run a tile after it, without waiting for
// them. Regions begun later run in their caller. Closing twice, or a nil pool,
// does nothing.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed.Store(true)
	for _, h := range p.helpers {
		h.rouse()
	}
}

// Tiles calls f(lo, hi) for every tile [lo, hi) of [0, n): all have tile
// elements, except the last, which may have fewer. The calls run on up to
// GOMAXPROCS goroutines, of which the caller's is one, and in ascending order
// of start; Tiles returns when all have returned. A single tile runs in the
// caller.
//
// If f panics, no further tile is started, and Tiles panics in the caller with
// the value of the lowest tile that panicked. If f ends its goroutine
// (runtime.Goexit), so does Tiles. It panics if n < 0 or tile < 1.
func (p *Pool) Tiles(n, tile int, f func(lo, hi int)) {
	j := job{n: n, tile: tile, tiles: count(n, tile), plain: f}
	p.run(j.tiles, j)
}

// Workers returns how many workers TilesWorker can use for n elements in tiles
// of the given size: the smaller of the number of tiles and GOMAXPROCS, so 0
// for n = 0; at most 1 if p is nil or closed. It panics if n < 0 or tile < 1.
//
// Take it once and size the scratch by it: GOMAXPROCS may change while the
// program runs (a container's limit does that), so a second call may differ.
func (p *Pool) Workers(n, tile int) int {
	tiles := count(n, tile)
	if tiles < 2 || p == nil || p.closed.Load() {
		return min(tiles, 1)
	}
	return min(tiles, runtime.GOMAXPROCS(0))
}

// TilesWorker is Tiles on at most the given number of workers. It passes to f
// the index 0 ≤ worker < workers of the worker that makes the call, so that f
// can use scratch[worker] alone; which worker gets which tile changes from run
// to run, hence no result may depend on it. Indices are unique within a call:
// a call inside a tile counts its workers from 0 again.
//
// It panics if n < 0 or tile < 1, or if workers < 1 while n > 0.
func (p *Pool) TilesWorker(workers, n, tile int, f func(worker, lo, hi int)) {
	j := job{n: n, tile: tile, tiles: count(n, tile), indexed: f}
	if j.tiles > 0 && workers < 1 {
		panic("parallel: workers < 1")
	}
	p.run(workers, j)
}

// run runs the tiles of j, with helpers if it may have them.
func (p *Pool) run(workers int, j job) {
	workers = p.limit(min(workers, j.tiles))
	if workers < 2 || !p.busy.CompareAndSwap(false, true) {
		for t := range j.tiles {
			j.run(0, t)
		}
		return
	}
	defer p.busy.Store(false)
	r := &p.region
	r.begin(j)
	p.open(workers)
	func() {
		defer p.finish(workers) // also when f ends this goroutine
		r.work(0)
	}()
	r.raise()
}

// limit returns how many of the given workers may run now.
func (p *Pool) limit(workers int) int {
	if workers < 2 || p == nil || p.closed.Load() {
		return min(workers, 1)
	}
	return min(workers, runtime.GOMAXPROCS(0), maxHelpers+1)
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
