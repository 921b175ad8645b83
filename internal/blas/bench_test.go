package blas

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkGemm measures single calls, as a tile makes them.
func BenchmarkGemm(b *testing.B) {
	for _, choice := range []string{choiceGonum, choiceOpenBLAS} {
		impl, err := Open(choice)
		if err != nil {
			b.Log("skipped:", err)
			continue
		}
		for _, s := range [][3]int{{2, 2, 2}, {64, 10, 64}, {64, 1000, 64}, {256, 1000, 784}} {
			for _, t := range [][2]Transpose{{NoTrans, NoTrans}, {NoTrans, Trans}, {Trans, NoTrans}} {
				name := fmt.Sprintf("%s/%dx%dx%d/%c%c", choice, s[0], s[1], s[2], t[0], t[1])
				b.Run(name+"/float32", func(b *testing.B) { benchmark[float32](b, impl, t, s) })
				b.Run(name+"/float64", func(b *testing.B) { benchmark[float64](b, impl, t, s) })
			}
		}
	}
}

func benchmark[T float32 | float64](b *testing.B, impl Implementation, t [2]Transpose, s [3]int) {
	p := newProduct[T](rand.New(rand.NewPCG(1, 1)), t[0], t[1], s[0], s[1], s[2], 1, 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		Gemm(impl, p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc)
	}
	flops := 2 * float64(p.m) * float64(p.n) * float64(p.k) * float64(b.N)
	b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// BenchmarkRate measures what doctor prints: all cores, tiles of rows.
func BenchmarkRate(b *testing.B) {
	for _, choice := range []string{choiceGonum, choiceOpenBLAS} {
		impl, err := Open(choice)
		if err != nil {
			b.Log("skipped:", err)
			continue
		}
		b.Run(choice, func(b *testing.B) {
			var single, double float64
			for b.Loop() {
				single, double = Rate(b.Context(), impl, 1000, 200*time.Millisecond)
			}
			b.ReportMetric(single, "GFLOP/s-float32")
			b.ReportMetric(double, "GFLOP/s-float64")
		})
	}
}
