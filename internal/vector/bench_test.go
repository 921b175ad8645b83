package vector

import "testing"

func BenchmarkUnary(b *testing.B) {
	b.Run("float64", benchmarkUnary[float64])
	b.Run("float32", benchmarkUnary[float32])
}

func benchmarkUnary[T Float](b *testing.B) {
	for _, im := range implementations[T](b) {
		for _, f := range unaries[T]() {
			z, run := ordinary[T](2048, 1), f.of(im.kernels)
			dst := make([]T, len(z))
			perElement(b, f.name+"/"+im.name, len(z), func() { run(dst, z) })
		}
	}
}

func BenchmarkLinear(b *testing.B) {
	b.Run("float64", benchmarkLinear[float64])
	b.Run("float32", benchmarkLinear[float32])
}

func benchmarkLinear[T Float](b *testing.B) {
	const n = 1024
	x, y, dst := ordinary[T](n, 1), ordinary[T](n, 2), make([]T, n)
	sum, columns := make([]float64, n), ordinary[float64](n, 3)
	for _, im := range implementations[T](b) {
		for _, f := range linears[T]() {
			perElement(b, f.name+"/"+im.name, n, func() { f.run(im.kernels, dst, sum, 1e-9, x, y, columns) })
		}
		sums, weights := make([][]float64, 4), []float64{1, 2, 3, 4}
		for s := range sums {
			sums[s] = make([]float64, n)
		}
		perElement(b, "MulAddAllTo/"+im.name, n*len(sums), func() { im.kernels.mulAddAllTo(sums, weights, x, y) })
		perElement(b, "Finite/"+im.name, n, func() { im.kernels.finite(x) })
		perElement(b, "Dot64/"+im.name, n, func() { im.kernels.dot(x, y) })
	}
}

// perElement reports the time that one of n elements takes.
func perElement(b *testing.B, name string, n int, run func()) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(n))
		for b.Loop() {
			run()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
	})
}
