package experiments

import (
	"context"
	"testing"

	"pkm/graphs"
	"pkm/internal/blas"
	"pkm/internal/compute"
	"pkm/pathkernel"
	"pkm/training"
)

// The benchmarks of docs/performance.md: scripts/bench runs them and pairs each with
// its reference. All are float32 on the fastest BLAS that the machine has.

func benchEngine(b *testing.B) compute.Engine {
	b.Helper()
	engine, err := compute.Open("")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(engine.Close)
	return engine
}

// benchNetwork is 784-256-256-10 with tanh.
func benchNetwork(b *testing.B) *graphs.Network {
	b.Helper()
	tanh := graphs.Activation{Kind: graphs.Tanh}
	n, err := graphs.New(graphs.Shape{784}, graphs.Dense{Out: 256, Bias: true}, tanh, graphs.Dense{Out: 256, Bias: true}, tanh, graphs.Dense{Out: 10, Bias: true})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// leNet has two blocks of 8 and 16 filters of 5×5, tanh and 2×2 max pooling, then a dense layer.
func leNet(b *testing.B) *graphs.Network {
	b.Helper()
	tanh := graphs.Activation{Kind: graphs.Tanh}
	n, err := graphs.New(graphs.Shape{1, 28, 28}, graphs.Conv2D{Filters: 8, Kernel: 5, Stride: 1, Bias: true}, tanh, graphs.MaxPool2D{Size: 2},
		graphs.Conv2D{Filters: 16, Kernel: 5, Stride: 1, Bias: true}, tanh, graphs.MaxPool2D{Size: 2}, graphs.Flatten{}, graphs.Dense{Out: 10, Bias: true})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// pixels returns made-up images, values in [0, 1).
func pixels(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i*2654435761%1000) / 1000
	}
	return x
}

func benchWeights(b *testing.B, n *graphs.Network) []float32 {
	b.Helper()
	w, err := graphs.Initialise[float32](n, graphs.GlorotNormal, 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	return w
}

func benchJacobian(b *testing.B, n *graphs.Network, engine compute.Engine, samples int) *graphs.Jacobian[float32] {
	b.Helper()
	j, err := graphs.NewJacobian[float32](n, engine, samples)
	if err != nil {
		b.Fatal(err)
	}
	if err := j.SetInputs(pixels(samples * n.Input().Size())); err != nil {
		b.Fatal(err)
	}
	return j
}

// The full kernel of 100 samples and 10 outputs, Jacobians included; its reference is
// the product of the explicit Jacobian (1000, P) with its transpose, which the time
// to form it is not counted in.
func BenchmarkTangentKernel100(b *testing.B) {
	engine, n := benchEngine(b), benchNetwork(b)
	w, j := benchWeights(b, n), benchJacobian(b, n, engine, 100)
	b.Run("kernel", func(b *testing.B) {
		var kernel []float64
		for b.Loop() {
			err := j.Run(w)
			if err != nil {
				b.Fatal(err)
			}
			if kernel, err = pathkernel.TangentKernel(engine, pathkernel.FullForm, convert(j.Factors()), nil, kernel); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(j.Bytes()), "jacobian-bytes")
	})
	b.Run("explicit", func(b *testing.B) {
		const rows = 1000
		p := n.Parameters()
		jacobian, kernel := pixels(rows*p), make([]float32, rows*rows)
		for b.Loop() {
			product(engine, rows, rows, p, jacobian, blas.Trans, jacobian, kernel)
		}
	})
}

// product is c = a·op(b), (m, n), cut over the cores.
func product(engine compute.Engine, m, n, k int, a []float32, t blas.Transpose, b, c []float32) {
	ldb := n
	if t == blas.Trans {
		ldb = k
	}
	engine.Tiles(m, max(1, (m+1)/2), func(lo, hi int) {
		blas.Gemm(engine, blas.NoTrans, t, hi-lo, n, k, 1, a[lo*k:hi*k], k, b, ldb, 0, c[lo*n:hi*n], n)
	})
}

// The products and sums of the kernel of 400 samples, whose factors are given. What is
// counted is the products that are formed: half of the full kernel's, it is symmetric.
func BenchmarkGram400(b *testing.B) {
	engine, n := benchEngine(b), benchNetwork(b)
	const samples, seeds = 400, 10
	j := benchJacobian(b, n, engine, samples)
	if err := j.Run(benchWeights(b, n)); err != nil {
		b.Fatal(err)
	}
	b.Run("gram", func(b *testing.B) {
		// The memory of the result, 128 MB, is there before, as that of the reference is.
		kernel, err := pathkernel.TangentKernel(engine, pathkernel.FullForm, convert(j.Factors()), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if kernel, err = pathkernel.TangentKernel(engine, pathkernel.FullForm, convert(j.Factors()), nil, kernel); err != nil {
				b.Fatal(err)
			}
		}
		grams := 2 * float64(samples) * samples * (784 + 256 + 256)
		cotangents := 2 * float64(samples*seeds) * (samples*seeds + 1) / 2 * (256 + 256)
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/((grams+cotangents)/1e9), "s/GFLOP")
	})
	b.Run("sgemm", func(b *testing.B) {
		const size = 4000
		x, y, z := pixels(size*size), pixels(size*size), pixels(size*size)
		for b.Loop() {
			product(engine, size, size, size, x, blas.NoTrans, y, z)
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/(2*size*size*size/1e9), "s/GFLOP")
	})
}

func benchTrainStep(b *testing.B, n *graphs.Network, samples int, products func()) {
	engine := benchEngine(b)
	g, err := graphs.NewGradient[float32](n, engine, samples, training.CrossEntropy[float32]{})
	if err != nil {
		b.Fatal(err)
	}
	y := make([]float32, samples*10)
	for i := range samples {
		y[i*10+i%10] = 1
	}
	if err := g.SetInputs(pixels(samples * n.Input().Size())); err != nil {
		b.Fatal(err)
	}
	if err := g.SetTargets(y); err != nil {
		b.Fatal(err)
	}
	w := benchWeights(b, n)
	b.Run("step", func(b *testing.B) {
		for b.Loop() {
			if err := g.Run(w); err != nil {
				b.Fatal(err)
			}
			rate := float32(0.1) / float32(samples)
			for i, s := range g.Sum() {
				w[i] -= rate * s
			}
		}
	})
	b.Run("products", func(b *testing.B) {
		for b.Loop() {
			products()
		}
	})
}

// A full-batch step of 1,000 samples; the reference is its eight matrix products.
func BenchmarkTrainStepMLP(b *testing.B) {
	engine := benchEngine(b)
	const samples = 1000
	widths := []int{784, 256, 256, 10}
	x, y, z := pixels(samples*784), pixels(784*256), make([]float32, samples*784)
	benchTrainStep(b, benchNetwork(b), samples, func() {
		for l := range 3 {
			in, out := widths[l], widths[l+1]
			product(engine, samples, out, in, x, blas.Trans, y, z) // forward
			engine.Tiles(out, (out+1)/2, func(lo, hi int) {        // weights
				blas.Gemm(engine, blas.Trans, blas.NoTrans, hi-lo, in, samples, 1, x[lo:], out, z[:samples*in], in, 0, y[lo*in:hi*in], in)
			})
			if l > 0 {
				product(engine, samples, in, out, x, blas.NoTrans, y, z) // inputs
			}
		}
	})
}

// A step of 256 images; the reference is the products of its unfolded convolutions and
// its dense layer, each layer's as one.
func BenchmarkTrainStepLeNet(b *testing.B) {
	engine := benchEngine(b)
	const samples = 256
	x, y, z := pixels(1<<22), pixels(1<<22), make([]float32, 1<<22)
	conv := func(filters, d, positions int, inputs bool) {
		columns := samples * positions
		half := func(f func(lo, hi int)) { engine.Tiles(columns, (columns+1)/2, f) }
		half(func(lo, hi int) { // forward
			blas.Gemm(engine, blas.NoTrans, blas.NoTrans, filters, hi-lo, d, 1, x, d, y[lo:], columns, 0, z[lo:], columns)
		})
		half(func(lo, hi int) { // weights, a half of the positions each
			blas.Gemm(engine, blas.NoTrans, blas.Trans, filters, d, hi-lo, 1, x[lo:], columns, y[lo:], columns, 0, z[lo:], d)
		})
		if inputs {
			half(func(lo, hi int) {
				blas.Gemm(engine, blas.Trans, blas.NoTrans, d, hi-lo, filters, 1, x, d, y[lo:], columns, 0, z[lo:], columns)
			})
		}
	}
	benchTrainStep(b, leNet(b), samples, func() {
		conv(8, 25, 576, false)
		conv(16, 200, 64, true)
		product(engine, samples, 10, 256, x, blas.Trans, y, z)
		product(engine, samples, 256, 10, x, blas.NoTrans, y, z)
		blas.Gemm(engine, blas.Trans, blas.NoTrans, 10, 256, samples, 1, x, 10, y, 256, 0, z, 256)
	})
}

// A step of 1,000 samples of the 784-256-256-10 network while the machine of a rule
// accounts for 100 queries; the reference is the step alone. The samples are of Fashion-MNIST where it is installed, else drawn.
func BenchmarkTrackedStep(b *testing.B) {
	const samples, queries, steps = 1000, 100, 10
	engine, n := benchEngine(b), benchNetwork(b)
	inputs, y, asked := fashion(b, samples, queries)
	loop := func(hooks ...training.Hook[float32]) *training.Loop[float32] {
		return &training.Loop[float32]{Network: n, Engine: engine, Loss: training.CrossEntropy[float32]{}, Inputs: inputs, Targets: y,
			Initial: benchWeights(b, n), LearningRate: 0.1, Steps: steps, Hooks: hooks}
	}
	run := func(b *testing.B, hooks ...training.Hook[float32]) {
		for b.Loop() {
			if _, err := loop(hooks...).Run(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/steps, "s/step")
	}
	b.Run("plain", func(b *testing.B) { run(b) })
	for _, rule := range []string{"gauss-3", "trapezoid"} {
		b.Run(rule, func(b *testing.B) {
			machine, err := Machine{Name: "exact", Family: "exact", Rule: rule}.build(pathkernel.NoKernel, queries, 10, samples, 1)
			if err != nil {
				b.Fatal(err)
			}
			tracked, err := track(n, engine, []*pathkernel.Machine{machine}, pathkernel.NoKernel, asked, inputs, queries)
			if err != nil {
				b.Fatal(err)
			}
			if err := tracked.begin(benchWeights(b, n)); err != nil {
				b.Fatal(err)
			}
			tracked.ended = false
			run(b, tracked)
		})
	}
}

// fashion returns training images of Fashion-MNIST (N, 784), their one-hot targets and queries, and such that are drawn
// where it is not installed.
func fashion(b *testing.B, samples, queries int) (inputs, targets, asked []float32) {
	d := Data{Source: "fashion-mnist"}
	set, err := d.Load()
	if err != nil {
		b.Logf("made-up images: %v", err)
		targets = make([]float32, samples*10)
		for i := range samples {
			targets[i*10+i%10] = 1
		}
		return pixels(samples * 784), targets, pixels(queries * 784)
	}
	train, query, _, err := set.Split(1, samples, queries, nil)
	if err != nil {
		b.Fatal(err)
	}
	if targets, err = training.OneHot[float32](train.Labels, 10); err != nil {
		b.Fatal(err)
	}
	return narrow[float32](train.Inputs), targets, narrow[float32](query.Inputs)
}
