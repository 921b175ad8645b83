package blas

import (
	"context"
	"time"

	"pkm/internal/parallel"
)

// rateTile is the number of rows of a tile in Rate, as in the program's own products.
const rateTile = 128

// Rate measures how fast impl forms products of two n×n matrices on all cores,
// cut in tiles of rows, in units of 1e9 additions and multiplications a second
// (2n³ a product). Each precision is measured for at least dur and one product,
// after one that is not counted. It holds three n×n matrices at a time.
//
// When ctx is cancelled, or n < 1, what has not been measured is 0.
func Rate(ctx context.Context, impl Implementation, n int, dur time.Duration) (float32GFLOPs, float64GFLOPs float64) {
	pool := parallel.NewPool()
	defer pool.Close()
	return rate[float32](ctx, pool, impl, n, dur), rate[float64](ctx, pool, impl, n, dur)
}

func rate[T float32 | float64](ctx context.Context, pool *parallel.Pool, impl Implementation, n int, dur time.Duration) float64 {
	if n < 1 || ctx.Err() != nil {
		return 0
	}
	a, b, c := make([]T, n*n), make([]T, n*n), make([]T, n*n)
	for i := range a {
		a[i] = T(i%7) - 3 // any values that are neither all zero nor subnormal
		b[i] = T(i%5) - 2
	}
	product := func() {
		pool.Tiles(n, rateTile, func(lo, hi int) {
			if ctx.Err() == nil {
				Gemm(impl, NoTrans, NoTrans, hi-lo, n, n, 1, a[lo*n:], n, b, n, 0, c[lo*n:], n)
			}
		})
	}
	product()
	start := time.Now()
	for count := 1; ; count++ {
		product()
		if ctx.Err() != nil {
			return 0
		}
		if elapsed := time.Since(start); elapsed >= max(dur, 1) {
			return 2 * float64(n) * float64(n) * float64(n) * float64(count) / elapsed.Seconds() / 1e9
		}
	}
}
