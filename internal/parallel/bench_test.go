package parallel

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkTiles(b *testing.B) {
	p := newPool(b)
	for _, tiles := range []int{1, 2, 16, 1024} {
		b.Run(fmt.Sprint(tiles), func(b *testing.B) {
			b.ReportAllocs()
			f := func(lo, hi int) {}
			for b.Loop() {
				p.Tiles(tiles*64, 64, f)
			}
		})
	}
}

// Regions of 200 µs in eight tiles, with serial work between them that is
// short, or just over the time that helpers stay awake: ns/region is the time
// in the regions alone, at best 200 µs · 2 / min(2, GOMAXPROCS).
func BenchmarkRegions(b *testing.B) {
	for _, gap := range []time.Duration{0, 100 * time.Microsecond, 2 * awake} {
		b.Run(fmt.Sprint("gap", gap), func(b *testing.B) {
			p := newPool(b)
			b.ReportAllocs()
			iterations := iterationsIn(50 * time.Microsecond)
			gapIterations := iterationsIn(gap)
			var results [8 * 8]float64 // a cache line for each tile
			f := func(lo, hi int) { results[8*lo] = work(iterations) }
			var inside time.Duration
			for b.Loop() {
				start := time.Now()
				p.Tiles(8, 1, f)
				inside += time.Since(start)
				results[0] = work(gapIterations)
			}
			b.ReportMetric(float64(inside.Nanoseconds())/float64(b.N), "ns/region")
		})
	}
}

// work is a chain of dependent operations that shares nothing.
func work(iterations int) float64 {
	x := 1.0
	for range iterations {
		x = x*1.0000001 + 1e-9
	}
	return x
}

// iterationsIn returns how many iterations of work take the given time.
func iterationsIn(d time.Duration) int {
	const iterations = 100_000
	best := time.Hour
	for range 20 {
		start := time.Now()
		if work(iterations) < 1 {
			panic("work shrinks")
		}
		best = min(best, time.Since(start))
	}
	return int(iterations * d / best)
}
