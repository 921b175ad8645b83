package parallel

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// withProcs runs f under the given GOMAXPROCS.
func withProcs(t testing.TB, procs int, f func()) {
	t.Helper()
	old := runtime.GOMAXPROCS(procs)
	defer runtime.GOMAXPROCS(old)
	f()
}

// newPool returns a pool that is closed when the test ends.
func newPool(t testing.TB) *Pool {
	p := NewPool()
	t.Cleanup(p.Close)
	return p
}

// The cut is [0,tile), [tile,2·tile) … whatever GOMAXPROCS is.
func TestTilesCut(t *testing.T) {
	p := newPool(t)
	for _, tc := range []struct {
		n, tile int
		want    map[int]int // lo to hi
	}{
		{0, 1, map[int]int{}},
		{1, 1, map[int]int{0: 1}},
		{5, 8, map[int]int{0: 5}},
		{8, 8, map[int]int{0: 8}},
		{9, 8, map[int]int{0: 8, 8: 9}},
		{10, 3, map[int]int{0: 3, 3: 6, 6: 9, 9: 10}},
		{3, math.MaxInt, map[int]int{0: 3}},
	} {
		for _, procs := range []int{1, 2, 3, 16} {
			withProcs(t, procs, func() {
				var mu sync.Mutex
				got := map[int]int{}
				p.Tiles(tc.n, tc.tile, func(lo, hi int) {
					mu.Lock()
					defer mu.Unlock()
					if _, twice := got[lo]; twice {
						t.Errorf("Tiles(%d, %d) ran tile %d twice", tc.n, tc.tile, lo)
					}
					got[lo] = hi
				})
				if fmt.Sprint(got) != fmt.Sprint(tc.want) {
					t.Errorf("GOMAXPROCS %d: Tiles(%d, %d) cut %v, want %v", procs, tc.n, tc.tile, got, tc.want)
				}
			})
		}
	}
}

// A worker index is below Workers and never in use by two calls at once.
func TestTilesWorkerOwnsItsIndex(t *testing.T) {
	p := newPool(t)
	withProcs(t, 4, func() {
		const n, tile = 1000, 3
		workers := p.Workers(n, tile)
		if workers != 4 {
			t.Fatalf("Workers = %d, want 4", workers)
		}
		busy := make([]atomic.Bool, workers)
		sums := make([]int, workers) // unsynchronised: the race detector checks the claim too
		// GOMAXPROCS may change between Workers and TilesWorker.
		runtime.GOMAXPROCS(8)
		p.TilesWorker(workers, n, tile, func(worker, lo, hi int) {
			if !busy[worker].CompareAndSwap(false, true) {
				t.Errorf("worker %d runs two tiles at once", worker)
			}
			for i := lo; i < hi; i++ {
				sums[worker] += i
			}
			runtime.Gosched()
			busy[worker].Store(false)
		})
		total := 0
		for _, s := range sums {
			total += s
		}
		if want := n * (n - 1) / 2; total != want {
			t.Errorf("sum over workers = %d, want %d", total, want)
		}
	})
}

func TestWorkers(t *testing.T) {
	p := newPool(t)
	withProcs(t, 4, func() {
		for _, tc := range []struct{ n, tile, want int }{
			{0, 1, 0}, {1, 1, 1}, {7, 8, 1}, {16, 8, 2}, {17, 8, 3}, {1 << 30, 1, 4},
		} {
			if got := p.Workers(tc.n, tc.tile); got != tc.want {
				t.Errorf("Workers(%d, %d) = %d, want %d", tc.n, tc.tile, got, tc.want)
			}
		}
	})
}

// Two tiles run at the same time when there are two workers: each waits for
// the other, so serial execution would not end.
func TestTilesRunTogether(t *testing.T) {
	p := newPool(t)
	withProcs(t, 2, func() {
		var both sync.WaitGroup
		both.Add(2)
		p.Tiles(2, 1, func(lo, hi int) {
			both.Done()
			both.Wait()
		})
	})
}

func TestPanicIsRaisedInCaller(t *testing.T) {
	p := newPool(t)
	type fault struct{ lo int }
	for _, procs := range []int{1, 2, 4} {
		withProcs(t, procs, func() {
			for range 50 {
				got := func() (v any) {
					defer func() { v = recover() }()
					p.Tiles(100, 1, func(lo, hi int) {
						if lo >= 10 {
							panic(fault{lo})
						}
					})
					return nil
				}()
				if got != (fault{10}) {
					t.Fatalf("GOMAXPROCS %d: recovered %v, want the panic of the lowest tile, %v", procs, got, fault{10})
				}
			}
		})
	}
}

// A failed tile stops the others from being started.
func TestPanicStopsTheRest(t *testing.T) {
	p := newPool(t)
	withProcs(t, 2, func() {
		var ran atomic.Int64
		failed := make(chan struct{})
		func() {
			defer func() { _ = recover() }()
			p.Tiles(1_000_000, 1, func(lo, hi int) {
				if lo == 0 {
					defer close(failed)
					panic("stop")
				}
				<-failed
				ran.Add(1)
			})
		}()
		if ran.Load() == 999_999 {
			t.Error("all tiles ran after the first one panicked")
		}
	})
}

// runtime.Goexit (t.FailNow in a tile) ends the caller's goroutine as well,
// instead of being taken for success.
func TestGoexit(t *testing.T) {
	p := newPool(t)
	withProcs(t, 2, func() {
		for _, exitLo := range []int{0, 1} {
			returned := make(chan bool, 1)
			var done sync.WaitGroup
			done.Go(func() {
				ok := false
				defer func() { returned <- ok }()
				var both sync.WaitGroup
				both.Add(2)
				p.Tiles(2, 1, func(lo, hi int) {
					both.Done()
					both.Wait() // so that both tiles run in different goroutines
					if lo == exitLo {
						runtime.Goexit()
					}
				})
				ok = true
			})
			done.Wait()
			if <-returned {
				t.Errorf("Tiles returned although tile %d ended its goroutine", exitLo)
			}
		}
	})
}

func TestMisusePanics(t *testing.T) {
	p := newPool(t)
	nop := func(int, int) {}
	for _, tc := range []struct {
		name string
		f    func()
		want string
	}{
		{"negative n", func() { p.Tiles(-1, 1, nop) }, "parallel: n < 0"},
		{"no tile", func() { p.Tiles(1, 0, nop) }, "parallel: tile < 1"},
		{"no workers", func() { p.TilesWorker(0, 1, 1, func(int, int, int) {}) }, "parallel: workers < 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != tc.want {
					t.Errorf("panic %v, want %q", got, tc.want)
				}
			}()
			tc.f()
		})
	}
}

func TestRegionsDoNotAllocate(t *testing.T) {
	p := newPool(t)
	var sum atomic.Int64
	f := func(lo, hi int) { sum.Add(int64(hi - lo)) }
	g := func(_, lo, hi int) { sum.Add(int64(hi - lo)) }
	// AllocsPerRun sets GOMAXPROCS to 1, so several goroutines need their own count.
	const runs = 1000
	for _, tiles := range []int{1, 2, 16} {
		withProcs(t, 2, func() {
			p.Tiles(tiles, 1, f) // starts the helper
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				p.Tiles(tiles, 1, f)
				p.TilesWorker(2, tiles, 1, g)
			}
			runtime.ReadMemStats(&after)
			if got := after.Mallocs - before.Mallocs; got > runs/10 {
				t.Errorf("%d regions of %d tiles make %d allocations, want none", 2*runs, tiles, got)
			}
		})
	}
}
