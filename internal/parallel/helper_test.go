package parallel

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// together runs a region of the given number of tiles that ends only when all
// run at the same time, hence on as many goroutines.
func together(p *Pool, tiles int) {
	var all sync.WaitGroup
	all.Add(tiles)
	p.Tiles(tiles, 1, func(_, _ int) {
		all.Done()
		all.Wait()
	})
}

// goroutine identifies the goroutine that calls it, by its stack's heading.
func goroutine() string {
	var buf [64]byte
	id, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), "[")
	return id
}

// expectGoroutines waits until there are at most want goroutines.
func expectGoroutines(t *testing.T, want int) {
	t.Helper()
	for range 10_000 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines are left, want at most %d", runtime.NumGoroutine(), want)
}

// A region inside a tile runs in the goroutine of that tile, as worker 0, and
// is complete.
func TestNestedRegions(t *testing.T) {
	withProcs(t, 4, func() {
		p := newPool(t)
		var sum atomic.Int64
		for range 100 {
			p.Tiles(16, 1, func(outer, _ int) {
				self := goroutine()
				p.TilesWorker(4, 100, 7, func(worker, lo, hi int) {
					if worker != 0 || goroutine() != self {
						t.Errorf("nested tile runs as worker %d in another goroutine than its caller's", worker)
					}
					for i := lo; i < hi; i++ {
						sum.Add(int64(i))
					}
				})
			})
		}
		if want := int64(100 * 16 * 100 * 99 / 2); sum.Load() != want {
			t.Errorf("sum = %d, want %d", sum.Load(), want)
		}
	})
}

// A nested panic passes through both regions.
func TestNestedPanic(t *testing.T) {
	withProcs(t, 2, func() {
		p := newPool(t)
		defer func() {
			if v := recover(); v != "inner 3" {
				t.Errorf("recovered %v, want inner 3", v)
			}
			together(p, 2) // the pool is free again
		}()
		p.Tiles(2, 1, func(_, _ int) {
			p.Tiles(5, 1, func(lo, _ int) {
				if lo == 3 {
					panic("inner 3")
				}
			})
		})
	})
}

// Many short regions, from several goroutines, under changing GOMAXPROCS, with
// pauses that let helpers sleep: each tile runs once, and unsynchronised
// scratch by worker is safe (the race detector looks on).
func TestConcurrentCallers(t *testing.T) {
	withProcs(t, 4, func() {
		p := newPool(t)
		var callers sync.WaitGroup
		for caller := range 3 {
			callers.Go(func() {
				for i := range 2000 {
					n := i%40 + 1
					scratch := make([]int, p.Workers(n, 1))
					ran := make([]int, n)
					p.TilesWorker(len(scratch), n, 1, func(worker, lo, _ int) {
						scratch[worker]++
						ran[lo]++
					})
					total := 0
					for _, s := range scratch {
						total += s
					}
					for lo, times := range ran {
						if times != 1 {
							t.Errorf("tile %d ran %d times", lo, times)
						}
					}
					if total != n {
						t.Errorf("workers ran %d tiles, want %d", total, n)
					}
					if caller == 0 && i%500 == 499 {
						runtime.GOMAXPROCS(1 << (i / 500)) // 1, 2, 4, 8
						time.Sleep(2 * awake)
					}
				}
			})
		}
		callers.Wait()
	})
}

// Each region uses as many goroutines as GOMAXPROCS allows at its start.
func TestGOMAXPROCSChanges(t *testing.T) {
	p := newPool(t)
	for _, procs := range []int{2, 4, 1, 4, 1, 2, 3} {
		withProcs(t, procs, func() {
			together(p, procs)
			var running, most atomic.Int64
			p.TilesWorker(8, 200, 1, func(worker, _, _ int) {
				if worker >= procs {
					t.Errorf("GOMAXPROCS %d: worker %d runs a tile", procs, worker)
				}
				if r := running.Add(1); r > most.Load() {
					most.Store(r)
				}
				runtime.Gosched()
				running.Add(-1)
			})
			if int(most.Load()) > procs {
				t.Errorf("GOMAXPROCS %d: %d tiles run at once", procs, most.Load())
			}
		})
	}
}

// Helpers and callers that sleep are woken.
func TestSleepersWake(t *testing.T) {
	withProcs(t, 2, func() {
		p := newPool(t)
		for range 20 {
			together(p, 2)
			for !p.helpers[0].asleep.Load() { // does not end if helpers wait actively for ever
				time.Sleep(awake / 4)
			}
			// The caller ends its tile long before the helper does, and sleeps.
			caller := goroutine()
			var both sync.WaitGroup
			both.Add(2)
			p.Tiles(2, 1, func(_, _ int) {
				both.Done()
				both.Wait()
				if goroutine() == caller {
					return
				}
				for !p.caller.asleep.Load() {
					time.Sleep(awake / 4)
				}
			})
		}
	})
}

// A pool works after tiles that panicked or ended their goroutines, and its
// helpers are replaced, not multiplied.
func TestUsableAfterFailure(t *testing.T) {
	withProcs(t, 4, func() {
		before := runtime.NumGoroutine()
		p := newPool(t)
		for i := range 100 {
			var caller sync.WaitGroup
			caller.Go(func() {
				defer func() { _ = recover() }()
				var all sync.WaitGroup
				all.Add(4)
				p.Tiles(4, 1, func(_, _ int) {
					all.Done()
					all.Wait()
					if i%2 == 0 {
						runtime.Goexit()
					}
					panic("stop")
				})
			})
			caller.Wait()
			together(p, 4)
		}
		expectGoroutines(t, before+3)
		p.Close()
		expectGoroutines(t, before)
	})
}

// A closed pool has no goroutines, and runs regions in the caller.
func TestClose(t *testing.T) {
	withProcs(t, 4, func() {
		before := runtime.NumGoroutine()
		for _, wait := range []time.Duration{0, 2 * awake} { // helpers awake, asleep
			p := NewPool()
			together(p, 4)
			time.Sleep(wait)
			p.Close()
			p.Close()
			expectGoroutines(t, before)
			inCaller(t, "closed", p)
		}
		unused := NewPool()
		unused.Close()
		inCaller(t, "closed unused", unused)
		inCaller(t, "nil", nil)
		(*Pool)(nil).Close()
		expectGoroutines(t, before)
	})
}

// inCaller checks that p runs all tiles in the caller, in order.
func inCaller(t *testing.T, name string, p *Pool) {
	t.Helper()
	if got := p.Workers(100, 1); got != 1 {
		t.Errorf("%s pool: Workers = %d, want 1", name, got)
	}
	if got := p.Workers(0, 1); got != 0 {
		t.Errorf("%s pool: Workers of no elements = %d, want 0", name, got)
	}
	self, next := goroutine(), 0
	p.TilesWorker(4, 100, 1, func(worker, lo, _ int) {
		if worker != 0 || lo != next || goroutine() != self {
			t.Errorf("%s pool: tile %d runs as worker %d, want tile %d as worker 0 in the caller", name, lo, worker, next)
		}
		next++
	})
	p.Tiles(3, 1, func(_, _ int) { next++ })
	if next != 103 {
		t.Errorf("%s pool ran %d tiles, want 103", name, next)
	}
}

// Close during a region, and inside a tile, lets the region end.
func TestCloseDuringRegion(t *testing.T) {
	withProcs(t, 4, func() {
		before := runtime.NumGoroutine()
		for range 200 {
			p := NewPool()
			var ran atomic.Int64
			p.Tiles(64, 1, func(lo, _ int) {
				if lo == 5 {
					p.Close()
				}
				ran.Add(1)
			})
			if ran.Load() != 64 {
				t.Fatalf("%d tiles ran, want 64", ran.Load())
			}
		}
		expectGoroutines(t, before)
	})
}
