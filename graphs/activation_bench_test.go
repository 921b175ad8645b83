package graphs

import (
	"testing"

	"pkm/internal/compute"
)

// One hidden layer between narrow ones: its activations and slopes are most of
// the work, and the check for finite values reads them again.
func BenchmarkActivation(b *testing.B) {
	b.Run("float64", benchmarkActivation[float64])
	b.Run("float32", benchmarkActivation[float32])
}

func benchmarkActivation[T Float](b *testing.B) {
	const rows, width = 256, 1024
	impl, err := compute.Open("gonum")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(impl.Close)
	for _, kind := range ActivationKinds() {
		n := mlp(b, kind, true, 1, width, 1)
		j, err := NewJacobian[T](n, impl, rows)
		if err != nil {
			b.Fatal(err)
		}
		x, w := narrowed[T](random(1, rows)), narrowed[T](random(2, n.Parameters()))
		if err := j.SetInputs(x); err != nil {
			b.Fatal(err)
		}
		b.Run(string(kind), func(b *testing.B) {
			for b.Loop() {
				if err := j.Run(w); err != nil {
					b.Fatal(err)
				}
				if name, found := j.NonFinite(); found {
					b.Fatal(name)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows/width, "ns/element")
		})
	}
}
