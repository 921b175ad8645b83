package blas

import (
	"runtime/debug"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// gonumBLAS hands gonum one block at a time, each small enough that gonum
// forms it without goroutines of its own (fewer than four blocks of 64×64),
// and in the form that suits gonum's two kernels:
//
//   - along n: rows of C collect multiples of rows of B (gonum's NoTrans B).
//     A transposed B is copied to scratch first.
//   - along k: elements of C are dot products of rows of A and of Bᵀ (gonum's
//     Trans B). A transposed A and an untransposed B are copied first.
//
// Measured on one core of an EPYC (Zen 3), GFLOP/s in float64 and float32, best of 100:
//
//	m×n×k          gonum NN     gonum NT     along n      along k
//	64×1000×64      6.1  10.3    7.1  10.6    8.6  14.8    7.2  10.8
//	64×1000×784     5.9  10.0    6.0  10.2    8.1  14.0    7.4  14.3
//	64×64×64        7.7  11.9    7.2  10.9    7.6  11.6    7.2  11.0
//	64×10×64        3.0   2.9    6.9  10.5    2.9   2.9    6.6  10.5
//	64×10×1000      2.9   2.9       —         2.9   2.9    8.1  15.2
//
// The form and the order of every sum depend on n and k alone: an element of C
// has the same bits whatever the number of rows of the call is, hence whatever
// the tiles are that a caller cuts the rows in.
type gonumBLAS struct {
	name      string
	scratch32 sync.Pool // of *scratch[float32]
	scratch64 sync.Pool // of *scratch[float64]
}

// Block sizes, by measurement. 64×wideN is three of gonum's blocks.
const (
	blockM  = 64
	wideN   = 192 // columns of a block along n
	wideK   = 32  // its depth: wideK×wideN of B stays in the first-level cache
	narrowN = 64  // from here on the product runs along n
	deepK   = 256 // depth of a block along k
)

// scratch holds the copied blocks of A and B.
type scratch[T float32 | float64] struct {
	a [blockM * deepK]T
	b [max(wideK*wideN, narrowN*deepK)]T
}

func newGonum() *gonumBLAS {
	g := &gonumBLAS{name: "gonum" + moduleVersion("gonum.org/v1/gonum")}
	g.scratch32.New = func() any { return new(scratch[float32]) }
	g.scratch64.New = func() any { return new(scratch[float64]) }
	return g
}

// moduleVersion returns " v…" for a module of the running program, or "" when
// the program does not know (test binaries).
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return " " + m.Version
			}
		}
	}
	return ""
}

// Name implements Implementation.
func (g *gonumBLAS) Name() string { return g.name }

// Sgemm implements Implementation.
func (g *gonumBLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(tA, tB, m, n, k, alpha != 0, len(a), lda, len(b), ldb, len(c), ldc)
	if alpha == 0 || k == 0 {
		scale(m, n, beta, c, ldc)
		return
	}
	s := g.scratch32.Get().(*scratch[float32])
	gemm(gonum.Implementation.Sgemm, s, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	g.scratch32.Put(s)
}

// Dgemm implements Implementation.
func (g *gonumBLAS) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	checkGemm(tA, tB, m, n, k, alpha != 0, len(a), lda, len(b), ldb, len(c), ldc)
	if alpha == 0 || k == 0 {
		scale(m, n, beta, c, ldc)
		return
	}
	s := g.scratch64.Get().(*scratch[float64])
	gemm(gonum.Implementation.Dgemm, s, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	g.scratch64.Put(s)
}

// kernel is gonum's Sgemm or Dgemm.
type kernel[T float32 | float64] func(_ gonum.Implementation, tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)

// gemm runs the inner loop along the longer of n and k, and along n when n is
// long enough for the kernel to be at its best.
func gemm[T float32 | float64](call kernel[T], s *scratch[T], tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	if n >= min(narrowN, k) {
		gemmAlongN(call, s, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	} else {
		gemmAlongK(call, s, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

func gemmAlongN[T float32 | float64](call kernel[T], s *scratch[T], tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	for j := 0; j < n; j += wideN {
		nj := min(wideN, n-j)
		betaL := beta
		for l := 0; l < k; l += wideK {
			kl := min(wideK, k-l)
			bBlock, ldBlock := b[offset(tB, l, j, ldb):], ldb
			if tB != NoTrans {
				transpose(s.b[:], nj, bBlock, ldb, nj, kl)
				bBlock, ldBlock = s.b[:], nj
			}
			for i := 0; i < m; i += blockM {
				mi := min(blockM, m-i)
				call(gonum.Implementation{}, tA, NoTrans, mi, nj, kl, alpha, a[offset(tA, i, l, lda):], lda, bBlock, ldBlock, betaL, c[i*ldc+j:], ldc)
			}
			betaL = 1
		}
	}
}

// gemmAlongK wants n ≤ narrowN.
func gemmAlongK[T float32 | float64](call kernel[T], s *scratch[T], tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	for l := 0; l < k; l += deepK {
		kl := min(deepK, k-l)
		bBlock, ldBlockB := b[offset(tB, l, 0, ldb):], ldb
		if tB == NoTrans {
			transpose(s.b[:], kl, bBlock, ldb, kl, n)
			bBlock, ldBlockB = s.b[:], kl
		}
		for i := 0; i < m; i += blockM {
			mi := min(blockM, m-i)
			aBlock, ldBlockA := a[offset(tA, i, l, lda):], lda
			if tA != NoTrans {
				transpose(s.a[:], kl, aBlock, lda, kl, mi)
				aBlock, ldBlockA = s.a[:], kl
			}
			call(gonum.Implementation{}, NoTrans, Trans, mi, n, kl, alpha, aBlock, ldBlockA, bBlock, ldBlockB, beta, c[i*ldc:], ldc)
		}
		beta = 1
	}
}

// offset returns where element (i, j) of op(A) lies in the slice of A.
func offset(t blas.Transpose, i, j, ld int) int {
	if t != NoTrans {
		i, j = j, i
	}
	return i*ld + j
}

// transpose writes the rows×cols matrix src to dst as cols×rows.
func transpose[T float32 | float64](dst []T, ldDst int, src []T, ldSrc, rows, cols int) {
	i := 0
	for ; i+4 <= rows; i += 4 { // four at a time: half the cost of one at a time
		r0 := src[i*ldSrc:][:cols]
		r1 := src[(i+1)*ldSrc:][:cols]
		r2 := src[(i+2)*ldSrc:][:cols]
		r3 := src[(i+3)*ldSrc:][:cols]
		for j := range r0 {
			d := dst[j*ldDst+i:][:4]
			d[0], d[1], d[2], d[3] = r0[j], r1[j], r2[j], r3[j]
		}
	}
	for ; i < rows; i++ {
		for j, v := range src[i*ldSrc:][:cols] {
			dst[j*ldDst+i] = v
		}
	}
}
