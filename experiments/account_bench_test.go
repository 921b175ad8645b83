package experiments

import (
	"testing"

	"pkm/graphs"
	"pkm/internal/blas"
	"pkm/pathkernel"
	"pkm/training"
)

// A step of Adam on 1,000 samples of the 784-256-256-10 network, accounted for backwards with
// gauss-3 for 100 queries, when it was replayed already; the reference is the product of the
// queries' sums (1000, P) with the samples' gradients, which is nearly all of its FLOPs.
func BenchmarkAccountStep(b *testing.B) {
	const samples, queries, outputs = 1000, 100, 10
	engine, n := benchEngine(b), benchNetwork(b)
	p, w := n.Parameters(), benchWeights(b, n)
	flops := 2 * float64(queries*outputs) * float64(p) * samples
	b.Run("adam", func(b *testing.B) {
		machine, err := Machine{Name: "exact", Family: "exact", Rule: "gauss-3"}.build(pathkernel.NoKernel, queries, outputs, samples, 1)
		if err != nil {
			b.Fatal(err)
		}
		account, err := pathkernel.NewBackward[float32](engine, machine, p, 0, queries)
		if err != nil {
			b.Fatal(err)
		}
		gradient, err := graphs.NewGradient(n, engine, samples, training.CrossEntropy[float32]{})
		if err != nil {
			b.Fatal(err)
		}
		y := make([]float32, samples*outputs)
		for i := range samples {
			y[i*outputs+i%outputs] = 1
		}
		if err := gradient.SetInputs(pixels(samples * 784)); err != nil {
			b.Fatal(err)
		}
		if err := gradient.SetTargets(y); err != nil {
			b.Fatal(err)
		}
		nodes := []*graphs.Jacobian[float32]{benchJacobian(b, n, engine, queries), benchJacobian(b, n, engine, queries), benchJacobian(b, n, engine, queries)}
		scale := make([]float64, p)
		for i := range scale {
			scale[i] = 0.001
		}
		for b.Loop() {
			if err := gradient.Run(w); err != nil {
				b.Fatal(err)
			}
			step := &pathkernel.LinearStep[float32]{Clip: 1, Beta: 0.9, A: pathkernel.Diagonal{Scalar: 0.1}, E: pathkernel.Diagonal{Vector: scale},
				Weights: w, Gradient: convert(gradient.Factors())}
			for _, j := range nodes {
				if err := j.Run(w); err != nil {
					b.Fatal(err)
				}
				step.Nodes = append(step.Nodes, convert(j.Factors()))
			}
			if err := account.Step(step); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(flops/1e9, "GFLOP")
	})
	b.Run("product", func(b *testing.B) {
		sums, gradients, out := pixels(queries*outputs*p), pixels(samples*p), make([]float32, queries*outputs*samples)
		for b.Loop() {
			product(engine, queries*outputs, samples, p, sums, blas.Trans, gradients, out)
		}
		b.ReportMetric(flops/1e9, "GFLOP")
	})
}
