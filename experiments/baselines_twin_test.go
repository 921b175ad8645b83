package experiments

import (
	"math"
	"path/filepath"
	"testing"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// twin holds what baselines and analysis of a run of plain full-batch descent are made of, computed from explicit
// Jacobians at its checkpoints, of which every step must have one.
type twin struct {
	n, m, c              int
	labels               []int
	y                    []float64   // targets of the loss (N, C)
	rates                []float64   // ‖Δ_s‖/‖∇L(w_s)‖: η, and what clipped the gradient
	train, query         [][]float64 // tr K/C at w_0 … w_S (N, N), (M, N)
	pathTrain, pathQuery []float64   // ∫ tr K/C dτ by the trapezoid rule
	initial              []float64   // f(x_i; w_0) of the training samples (N, C)
}

// newTwin computes the twin of a run.
func newTwin(t *testing.T, r *Run) *twin {
	t.Helper()
	c, err := Load(filepath.Join(r.Path, "config.yaml"), nil, nil)
	must(t, err)
	data, err := c.load()
	must(t, err)
	b := &twin{n: c.Data.Train, m: c.Data.Query, c: r.Summary.Outputs}
	network, err := c.Network.Build(data, b.c)
	must(t, err)
	inputs, queries := readArray[float64](t, r.Path, "train_inputs"), readArray[float64](t, r.Path, "query_inputs")
	b.y = make([]float64, b.n*b.c)
	for i, label := range readArray[int64](t, r.Path, "train_targets") {
		b.labels = append(b.labels, int(label))
		if b.c == 1 {
			b.y[i] = float64(label)
		} else {
			b.y[i*b.c+int(label)] = 1
		}
	}
	evaluate := func(w, x []float64, rows int) (jacobian, outputs []float64) { // (rows, C·P), (rows, C)
		j, err := graphs.NewJacobian[float64](network, gonum(t), rows)
		must(t, err)
		must(t, j.SetInputs(x))
		must(t, j.Run(w))
		return pathkernel.Explicit(convert(j.Factors()), network.Parameters()), widen(j.Outputs())
	}
	var weights [][]float64
	p := network.Parameters()
	for s := range r.Summary.Steps + 1 {
		at, err := training.ReadCheckpointOf[float64](training.Trajectory{Dir: filepath.Join(r.Path, "trajectory")}.Path(s), network.Layout(), s)
		must(t, err)
		weights = append(weights, at.Weights)
		jt, f := evaluate(at.Weights, inputs, b.n)
		jq, _ := evaluate(at.Weights, queries, b.m)
		// A row is of a sample, of all its outputs: products of rows are traces.
		train, query := products(jt, jt, b.n, b.n), products(jq, jt, b.m, b.n)
		b.train, b.query = append(b.train, scaled(train, 1/float64(b.c))), append(b.query, scaled(query, 1/float64(b.c)))
		if s == 0 {
			b.initial = f
		}
		gradient := make([]float64, p)
		for i, d := range b.derivatives(c.Loss.Kind, f) {
			for k := range gradient {
				gradient[k] += d * jt[i*p+k] / float64(b.n)
			}
		}
		b.rates = append(b.rates, 1/math.Sqrt(inner(gradient, gradient)))
	}
	b.rates = b.rates[:r.Summary.Steps]
	for s := range b.rates {
		var square float64
		for k, w := range weights[s] {
			square += (weights[s+1][k] - w) * (weights[s+1][k] - w)
		}
		b.rates[s] *= math.Sqrt(square)
	}
	b.pathTrain, b.pathQuery = b.integrate(b.train), b.integrate(b.query)
	return b
}

// derivatives returns ℓ′ (N, C).
func (b *twin) derivatives(loss string, f []float64) []float64 {
	out := make([]float64, len(f))
	for i := range b.n {
		row := f[i*b.c : (i+1)*b.c]
		var sum float64
		for _, v := range row {
			sum += math.Exp(v)
		}
		for k, v := range row {
			switch loss {
			case training.SquaredErrorName:
			case training.LogisticName:
				v = 1 / (1 + math.Exp(-v))
			default:
				v = math.Exp(v) / sum
			}
			out[i*b.c+k] = v - b.y[i*b.c+k]
		}
	}
	return out
}

// integrate returns Σ_s (rate_s/2)(K_s + K_{s+1}).
func (b *twin) integrate(kernels [][]float64) []float64 {
	out := make([]float64, len(kernels[0]))
	for s, rate := range b.rates {
		for i := range out {
			out[i] += rate / 2 * (kernels[s][i] + kernels[s+1][i])
		}
	}
	return out
}

// ridge solves kernel ridge regression output by output onto target(i, k) of sample i and output k, and returns its
// predictions (M, C), added to what they are above.
func (b *twin) ridge(train, query []float64, target func(i, k int) float64, ridge float64, above []float64) []float64 {
	out := append([]float64(nil), above...)
	for k := range b.c {
		y := make([]float64, b.n)
		for i := range y {
			y[i] = target(i, k)
		}
		for q, v := range slowRidge(train, query, y, b.n, ridge) {
			out[q*b.c+k] += v
		}
	}
	return out
}

// hingeScores solves the dual of a support vector machine for a class against the rest by accelerated projected
// gradients, which knows nothing of coordinates, and returns its scores (M).
func (b *twin) hingeScores(train, query []float64, class int, penalty float64) []float64 {
	n, scale := b.n, 0.0
	for i := range n {
		scale += train[i*n+i] / float64(n)
	}
	y, a, at := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, label := range b.labels {
		y[i] = -1
		if label == class {
			y[i] = 1
		}
	}
	step, momentum := 1/(2*float64(n)), 1.0 // the largest eigenvalue is at most the trace, N for the kernel and N for the bias
	for range 20_000 {
		before, next := append([]float64(nil), a...), (1+math.Sqrt(1+4*momentum*momentum))/2
		uphill := 0.0
		for i := range n {
			gradient := 1.0
			for j := range n {
				gradient -= y[i] * y[j] * (train[i*n+j]/scale + 1) * at[j]
			}
			a[i] = min(max(at[i]+step*gradient, 0), penalty)
			uphill += gradient * (a[i] - before[i])
		}
		if uphill < 0 {
			next = 1 // the momentum overshot
		}
		for i := range n {
			at[i] = a[i] + (momentum-1)/next*(a[i]-before[i])
		}
		momentum = next
	}
	out := make([]float64, b.m)
	for q := range out {
		for i := range n {
			out[q] += a[i] * y[i] * (query[q*n+i]/scale + 1)
		}
	}
	return out
}
