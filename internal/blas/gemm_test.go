package blas

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas/gonum"

	"pkm/internal/parallel"
)

// product is the argument list of one call. Elements of a and b outside the
// matrices are NaN, so a result tells when they were read.
type product[T float32 | float64] struct {
	tA, tB        Transpose
	m, n, k       int
	alpha, beta   T
	a, b, c       []T
	lda, ldb, ldc int
}

// outside marks the elements of c that belong to no matrix.
const outside = 12345

// newProduct draws matrices with the given excess of each leading dimension
// over its smallest value.
func newProduct[T float32 | float64](rng *rand.Rand, tA, tB Transpose, m, n, k int, alpha, beta T, excess int) *product[T] {
	p := &product[T]{tA: tA, tB: tB, m: m, n: n, k: k, alpha: alpha, beta: beta}
	p.a, p.lda = newMatrix[T](rng, tA, m, k, excess, T(math.NaN()))
	p.b, p.ldb = newMatrix[T](rng, tB, k, n, excess, T(math.NaN()))
	p.c, p.ldc = newMatrix[T](rng, NoTrans, m, n, excess, outside)
	return p
}

func newMatrix[T float32 | float64](rng *rand.Rand, t Transpose, rows, cols, excess int, gap T) ([]T, int) {
	if t != NoTrans {
		rows, cols = cols, rows
	}
	ld := max(1, cols) + excess
	x := make([]T, rows*ld)
	for i := range x {
		x[i] = gap
		if i%ld < cols {
			x[i] = T(rng.Float64()*2 - 1)
		}
	}
	return x[:max(0, len(x)-excess)], ld // as short as is allowed
}

// run forms the product into a copy of c.
func (p *product[T]) run(impl Implementation) []T {
	c := append([]T(nil), p.c...)
	Gemm(impl, p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, c, p.ldc)
	return c
}

// runGonum forms the product with gonum alone, which works the other way round:
// it is the reference.
func (p *product[T]) runGonum() []T {
	c := append([]T(nil), p.c...)
	switch c := any(c).(type) {
	case []float32:
		gonum.Implementation{}.Sgemm(p.tA, p.tB, p.m, p.n, p.k, float32(p.alpha), any(p.a).([]float32), p.lda, any(p.b).([]float32), p.ldb, float32(p.beta), c, p.ldc)
	case []float64:
		gonum.Implementation{}.Dgemm(p.tA, p.tB, p.m, p.n, p.k, float64(p.alpha), any(p.a).([]float64), p.lda, any(p.b).([]float64), p.ldb, float64(p.beta), c, p.ldc)
	}
	return c
}

// tolerance bounds the difference of two computations of an element that each
// round every term at most k+3 times by a relative u, where all elements are at
// most 1 in magnitude: 2·(k+3)·u·(|alpha|·k + |beta|), and 1 % for second order.
func (p *product[T]) tolerance() float64 {
	u := 0x1p-53
	if _, single := any(p.alpha).(float32); single {
		u = 0x1p-24
	}
	return 2.02 * float64(p.k+3) * u * (math.Abs(float64(p.alpha))*float64(p.k) + math.Abs(float64(p.beta)))
}

func (p *product[T]) String() string {
	return fmt.Sprintf("%T %c%c %d×%d×%d alpha %v beta %v ld %d %d %d", p.alpha, p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.beta, p.lda, p.ldb, p.ldc)
}

// Every transposition, alpha, beta, odd size and leading dimension against
// gonum. The sizes straddle the block sizes of gonum.go.
func TestGemmAgainstGonum(t *testing.T) {
	each(t, func(t *testing.T, impl Implementation) {
		t.Run("float32", func(t *testing.T) { againstGonum[float32](t, impl) })
		t.Run("float64", func(t *testing.T) { againstGonum[float64](t, impl) })
	})
}

func againstGonum[T float32 | float64](t *testing.T, impl Implementation) {
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := [][3]int{ // m, n, k
		{1, 1, 1}, {1, 1, 7}, {2, 3, 5}, {5, 1, 300}, {7, 13, 11}, {3, 31, 2}, {1, 100, 40}, {67, 10, 259}, {66, 193, 65},
		{64, 64, 64}, {65, 63, 64}, {63, 65, 33}, {10, 64, 70}, {130, 200, 37}, {64, 192, 32}, {9, 5, 513},
	}
	if testing.Short() {
		sizes = sizes[:8]
	}
	for _, s := range sizes {
		for _, tA := range []Transpose{NoTrans, Trans, ConjTrans} {
			for _, tB := range []Transpose{NoTrans, Trans, ConjTrans} {
				for _, scalars := range [][2]T{{1, 0}, {1, 1}, {-0.7, 0.3}, {2, -1}} {
					for _, excess := range []int{0, 3} {
						p := newProduct(rng, tA, tB, s[0], s[1], s[2], scalars[0], scalars[1], excess)
						if p.beta == 0 {
							for i := range p.c { // not to be read
								if i%p.ldc < p.n {
									p.c[i] = T(math.NaN())
								}
							}
						}
						got, want := p.run(impl), p.runGonum()
						for i := range got {
							row, col := i/p.ldc, i%p.ldc
							if col >= p.n {
								if got[i] != outside {
									t.Fatalf("%v: wrote outside the matrix, at %d", p, i)
								}
								continue
							}
							if diff := math.Abs(float64(got[i] - want[i])); !(diff <= p.tolerance()) {
								t.Fatalf("%v: element (%d, %d) is %v, gonum %v: off by %.3g, allowed %.3g", p, row, col, got[i], want[i], diff, p.tolerance())
							}
						}
					}
				}
			}
		}
	}
}

// A hand-made product, so that the reference above is not the only word:
// [1 2 3; 4 5 6]·[1 0; 2 1; 0 3] = [5 11; 14 23], exact in any order.
func TestGemmByHand(t *testing.T) {
	each(t, func(t *testing.T, impl Implementation) {
		byHand[float32](t, impl)
		byHand[float64](t, impl)
	})
}

func byHand[T float32 | float64](t *testing.T, impl Implementation) {
	a, aT := []T{1, 2, 3, 4, 5, 6}, []T{1, 4, 2, 5, 3, 6}
	b, bT := []T{1, 0, 2, 1, 0, 3}, []T{1, 2, 0, 0, 1, 3}
	for _, tc := range []struct {
		tA, tB   Transpose
		a, b     []T
		lda, ldb int
	}{
		{NoTrans, NoTrans, a, b, 3, 2}, {Trans, NoTrans, aT, b, 2, 2}, {NoTrans, Trans, a, bT, 3, 3}, {Trans, Trans, aT, bT, 2, 3},
	} {
		c := []T{1, 1, 1, 1}
		Gemm(impl, tc.tA, tc.tB, 2, 2, 3, 2, tc.a, tc.lda, tc.b, tc.ldb, -1, c, 2) // 2·A·B − C
		if want := []T{9, 21, 27, 45}; fmt.Sprint(c) != fmt.Sprint(want) {
			t.Errorf("%T %c%c: %v, want %v", c, tc.tA, tc.tB, c, want)
		}
	}
}

// Without a sum to form, C becomes beta·C: with alpha 0 NaN in A and B is not
// seen, with beta 0 NaN in C is not.
func TestGemmScalesOnly(t *testing.T) {
	nan := math.NaN()
	each(t, func(t *testing.T, impl Implementation) {
		for _, tc := range []struct {
			k           int
			alpha, beta float64
			c, want     []float64
		}{
			{2, 0, 0, []float64{nan, nan, 7, nan, nan, 8}, []float64{0, 0, 7, 0, 0, 8}},
			{2, 0, 3, []float64{1, 2, 7, 3, 4, 8}, []float64{3, 6, 7, 9, 12, 8}},
			{2, 0, 1, []float64{1, 2, 7, 3, 4, 8}, []float64{1, 2, 7, 3, 4, 8}},
			{0, 1, 0, []float64{nan, nan, 7, nan, nan, 8}, []float64{0, 0, 7, 0, 0, 8}},
			{0, 1, -1, []float64{1, 2, 7, 3, 4, 8}, []float64{-1, -2, 7, -3, -4, 8}},
		} {
			ab := []float64{nan, nan, nan, nan}
			c := append([]float64(nil), tc.c...)
			impl.Dgemm(NoTrans, NoTrans, 2, 2, tc.k, tc.alpha, ab, 2, ab, 2, tc.beta, c, 3)
			if fmt.Sprint(c) != fmt.Sprint(tc.want) {
				t.Errorf("k %d alpha %v beta %v: float64 %v, want %v", tc.k, tc.alpha, tc.beta, c, tc.want)
			}
			ab32 := []float32{float32(nan), float32(nan), float32(nan), float32(nan)}
			c32 := make([]float32, len(tc.c))
			for i, v := range tc.c {
				c32[i] = float32(v)
			}
			impl.Sgemm(NoTrans, NoTrans, 2, 2, tc.k, float32(tc.alpha), ab32, 2, ab32, 2, float32(tc.beta), c32, 3)
			if fmt.Sprint(c32) != fmt.Sprint(tc.want) {
				t.Errorf("k %d alpha %v beta %v: float32 %v, want %v", tc.k, tc.alpha, tc.beta, c32, tc.want)
			}
		}
	})
}

// tiled forms the product of p in tiles of rows of C on all cores.
func (p *product[T]) tiled(impl Implementation, tile int) []T {
	c := append([]T(nil), p.c...)
	pool := parallel.NewPool()
	defer pool.Close()
	pool.Tiles(p.m, tile, func(lo, hi int) {
		Gemm(impl, p.tA, p.tB, hi-lo, p.n, p.k, p.alpha, p.a[offset(p.tA, lo, 0, p.lda):], p.lda, p.b, p.ldb, p.beta, c[lo*p.ldc:], p.ldc)
	})
	return c
}

// sameBits tells whether two results are equal to the last bit.
func sameBits[T float32 | float64](x, y []T) bool {
	for i := range x {
		if math.Float64bits(float64(x[i])) != math.Float64bits(float64(y[i])) {
			return false
		}
	}
	return len(x) == len(y)
}

// variousProducts covers both forms of gonum.go in every transposition.
func variousProducts[T float32 | float64](rng *rand.Rand) []*product[T] {
	var ps []*product[T]
	for _, s := range [][3]int{{300, 200, 70}, {300, 10, 600}, {150, 70, 3}, {70, 300, 300}} {
		for _, tA := range []Transpose{NoTrans, Trans} {
			for _, tB := range []Transpose{NoTrans, Trans} {
				ps = append(ps, newProduct[T](rng, tA, tB, s[0], s[1], s[2], 1.25, 0.5, 1))
			}
		}
	}
	return ps
}

func TestBitsDoNotDependOnGOMAXPROCS(t *testing.T) {
	each(t, func(t *testing.T, impl Implementation) {
		bitsPerProcs[float32](t, impl)
		bitsPerProcs[float64](t, impl)
	})
}

func bitsPerProcs[T float32 | float64](t *testing.T, impl Implementation) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for _, p := range variousProducts[T](rand.New(rand.NewPCG(3, 4))) {
		runtime.GOMAXPROCS(1)
		whole, tiles := p.run(impl), p.tiled(impl, 64)
		for _, procs := range []int{1, 2, 4} {
			runtime.GOMAXPROCS(procs)
			for range rounds {
				if !sameBits(p.run(impl), whole) {
					t.Errorf("%v: GOMAXPROCS %d changes the bits", p, procs)
				}
				if !sameBits(p.tiled(impl, 64), tiles) {
					t.Errorf("%v in tiles: GOMAXPROCS %d changes the bits", p, procs)
				}
			}
		}
	}
}

// With gonum, an element has the same bits whatever the cut into rows is.
func TestGonumBitsDoNotDependOnTiles(t *testing.T) {
	bitsPerTile[float32](t)
	bitsPerTile[float64](t)
}

func bitsPerTile[T float32 | float64](t *testing.T) {
	impl := newGonum()
	for _, p := range variousProducts[T](rand.New(rand.NewPCG(5, 6))) {
		whole := p.run(impl)
		for _, tile := range []int{1, 7, 64, 100} {
			if !sameBits(p.tiled(impl, tile), whole) {
				t.Errorf("%v: tiles of %d rows change the bits", p, tile)
			}
		}
	}
}

// Many goroutines use one value at once, each with its own products; with the
// garbage collector at work, so that memory handed to C must stay where it is.
func TestGemmFromManyGoroutines(t *testing.T) {
	each(t, func(t *testing.T, impl Implementation) {
		rng := rand.New(rand.NewPCG(7, 8))
		p32, p64 := variousProducts[float32](rng), variousProducts[float64](rng)
		want32, want64 := make([][]float32, len(p32)), make([][]float64, len(p64))
		for i := range p32 {
			want32[i], want64[i] = p32[i].run(impl), p64[i].run(impl)
		}
		rounds := 8
		if testing.Short() {
			rounds = 1 // 32 goroutines are enough for the race detector
		}
		var wg sync.WaitGroup
		for g := range 32 {
			wg.Go(func() {
				for r := range rounds {
					i := (g + r) % len(p32)
					if !sameBits(p32[i].run(impl), want32[i]) {
						t.Errorf("goroutine %d: %v differs", g, p32[i])
					}
					if !sameBits(p64[i].run(impl), want64[i]) {
						t.Errorf("goroutine %d: %v differs", g, p64[i])
					}
					if g == 0 {
						runtime.GC()
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestGemmDoesNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, impl Implementation) {
		doesNotAllocate[float32](t, impl)
		doesNotAllocate[float64](t, impl)
	})
}

func doesNotAllocate[T float32 | float64](t *testing.T, impl Implementation) {
	for _, p := range variousProducts[T](rand.New(rand.NewPCG(9, 10))) {
		got := testing.AllocsPerRun(10, func() {
			Gemm(impl, p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc)
		})
		if got != 0 {
			t.Errorf("%v: %v allocations a call, want 0", p, got)
		}
	}
}
