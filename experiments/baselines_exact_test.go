package experiments

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// The kinds of losses, with targets that baselines treat differently: classes as scores, a logit and numbers.
var baselineLosses = map[string][]string{
	"cross-entropy": {"data.classes=[0,1,2]"},
	"logistic":      {"data.classes=[3,8]", "loss.kind=logistic"},
	"squared error": {"data.classes=[0,1,2]", "loss.kind=squared-error", "training.optimizer.learning_rate=0.02"},
}

// twinRun is a run of a few steps that move the kernel, with a checkpoint of each.
func twinRun(t *testing.T, overrides ...string) *Run {
	t.Helper()
	return mustExecute(t, "name: t\n", append([]string{"data.train=12", "data.query=5", "network.hidden=[5]", "training.steps=4", "training.optimizer.learning_rate=0.3",
		"training.checkpoints.every=1", "path_kernel=trace", "machines=[{name: flow, family: flow, rule: trapezoid}]"}, overrides...)...)
}

// Ridge regression predicts from explicit kernels, solved without a factorisation, what the run says: with targets
// less 1/C for classes, ±1 for a logit, and for the squared error what f(w_0) leaves of them, on top of f(w_0). 1e-9:
// rounding, times the condition of a system with a ridge of 1e-2.
func TestRidgeBaselinesByLoss(t *testing.T) {
	for name, overrides := range baselineLosses {
		t.Run(name, func(t *testing.T) {
			r := twinRun(t, append(overrides, "baselines=[{kind: tangent-kernel, ridge: 0.01}, {kind: path-kernel-ridge, ridge: 0.01}]")...)
			b := newTwin(t, r)
			above := make([]float64, b.m*b.c)
			if name == "squared error" {
				above = readArray[float64](t, r.Path, "outputs_initial")
			}
			target := func(i, k int) float64 {
				switch name {
				case "cross-entropy":
					return b.y[i*b.c+k] - 1./3
				case "logistic":
					return map[int]float64{0: -1, 1: 1}[b.labels[i]]
				}
				return b.y[i*b.c+k] - b.initial[i*b.c+k]
			}
			s := len(b.train) - 1
			near(t, "tangent kernel", readArray[float64](t, r.Path, "predictions_tangent-kernel"), b.ridge(b.train[s], b.query[s], target, 0.01, above), 1e-9)
			near(t, "path kernel", readArray[float64](t, r.Path, "predictions_path-kernel-ridge"), b.ridge(b.pathTrain, b.pathQuery, target, 0.01, above), 1e-9)
		})
	}
}

// Under clipping time is the path's own, η·clip = ‖Δ‖/‖∇L‖, for the machine's path kernel and for that of the baselines.
func TestPathKernelsUnderClipping(t *testing.T) {
	r := twinRun(t, "data.classes=[0,1,2]", "training.clip_norm=0.8", "baselines=[{kind: path-kernel-ridge, ridge: 0.01}]")
	b := newTwin(t, r)
	few := 0
	for s, η := range readArray[float64](t, r.Path, "step_sizes") {
		if b.rates[s] < 0.9*η {
			few++
		}
	}
	if few == 0 || few == len(b.rates) {
		t.Errorf("%d of %d steps were clipped, want some: the test tests less than it could", few, len(b.rates))
	}
	target := func(i, k int) float64 { return b.y[i*b.c+k] - 1./3 }
	near(t, "baseline", readArray[float64](t, r.Path, "predictions_path-kernel-ridge"), b.ridge(b.pathTrain, b.pathQuery, target, 0.01, make([]float64, b.m*b.c)), 1e-9)
	near(t, "path_kernel.npy", readArray[float64](t, r.Path, "flow/path_kernel"), scaled(b.pathQuery, float64(b.c)), 1e-12)
}

// Support vector machines have the scores of another solver of the dual with the explicit path kernel, of the queries
// too, with the sign of the second class for a logit. 1e-4: both solve to about 1e-6.
func TestSVMBaseline(t *testing.T) {
	for name, overrides := range baselineLosses {
		t.Run(name, func(t *testing.T) {
			r := twinRun(t, append(overrides, "baselines=[{kind: path-kernel-svm, penalty: 0.6}]")...)
			b := newTwin(t, r)
			want := make([]float64, b.m*b.c)
			for k := range b.c {
				class := k
				if b.c == 1 {
					class = 1
				}
				for q, score := range b.hingeScores(b.pathTrain, b.pathQuery, class, 0.6) {
					want[q*b.c+k] = score
				}
			}
			near(t, "scores", readArray[float64](t, r.Path, "predictions_path-kernel-svm"), want, 1e-4)
			s := len(b.train) - 1
			for what, kernels := range map[string][2][]float64{"trained": {b.train[s], b.pathQuery}, "predicting": {b.pathTrain, b.query[s]}} {
				if other := b.hingeScores(kernels[0], kernels[1], 1, 0.6); difference(other, b.hingeScores(b.pathTrain, b.pathQuery, 1, 0.6)) < 1e-3 {
					t.Errorf("%s with the kernel at the end gives the same scores: the test tests nothing", what)
				}
			}
		})
	}
}

// Every line of the analysis has the figures of the explicit kernel of the first samples, from their definitions; the
// eigenvalues their power sums. 1e-9 for sums of a few dozen products.
func TestAnalysisEqualsExplicitFigures(t *testing.T) {
	const samples = 7
	for name, overrides := range baselineLosses {
		t.Run(name, func(t *testing.T) {
			r := twinRun(t, append(overrides, "analysis={every: 1, samples: 7}", "baselines=[{kind: tangent-kernel}]")...) // of all 12
			b := newTwin(t, r)
			lines := readAnalysis(t, r.Path)
			if len(lines) != 5 {
				t.Fatalf("%d lines", len(lines))
			}
			targets := make([]float64, samples*b.c)
			for i, y := range b.y[:samples*b.c] {
				targets[i] = y
				if name == "logistic" {
					targets[i] = 2*y - 1
				}
			}
			yy, kernels := products(targets, targets, samples, samples), make([][]float64, len(lines))
			for s, line := range lines {
				for i := range samples {
					kernels[s] = append(kernels[s], b.train[s][i*b.n:i*b.n+samples]...)
				}
				k := kernels[s]
				var trace, total, squares, entropy float64
				for i := range samples {
					trace += k[i*samples+i]
				}
				for _, λ := range line.Eigenvalues {
					total, squares = total+float64(λ), squares+float64(λ*λ)
					entropy -= float64(λ) / trace * math.Log(float64(λ)/trace)
				}
				for _, f := range []struct {
					name      string
					got, want float64
				}{
					{"step", float64(line.Step), float64(s)}, {"number of eigenvalues", float64(len(line.Eigenvalues)), samples},
					{"sum of the eigenvalues", total, trace}, {"sum of their squares", squares, inner(k, k)},
					{"effective rank", float64(line.EffectiveRank), math.Exp(entropy)}, {"participation ratio", float64(line.ParticipationRatio), trace * trace / inner(k, k)},
					{"alignment", float64(line.Alignment), cosine(k, yy)}, {"centred alignment", float64(line.CenteredAlignment), cosine(twiceCentered(k, samples), twiceCentered(yy, samples))},
					{"distance from the first", float64(line.DistanceFromInitial), 1 - cosine(k, kernels[0])},
					{"distance from the last", float64(line.DistanceFromPrevious), 1 - cosine(k, kernels[max(0, s-1)])},
				} {
					if !(math.Abs(f.got-f.want) <= 1e-9*max(1, math.Abs(f.want))) {
						t.Errorf("step %d: %s %.12g, want %.12g", s, f.name, f.got, f.want)
					}
				}
				if math.Abs(float64(line.Alignment-line.CenteredAlignment)) < 1e-3 || s > 1 && line.DistanceFromInitial == line.DistanceFromPrevious {
					t.Errorf("step %d: figures that differ in name only: the test tests nothing: %+v", s, line)
				}
			}
		})
	}
}

// Coefficients averaged over the queries, with weights |K^p|, from the files of the machine; kernels of both signs,
// which off-diagonal outputs have, do not make them large. 1e-12 for sums of a hundred products.
func TestAveragedCoefficientsFromFiles(t *testing.T) {
	r := twinRun(t, "data.classes=[0,1,2]", "path_kernel=full", "baselines=[{kind: averaged-coefficients}]")
	kernel, coefficients := readArray[float64](t, r.Path, "flow/path_kernel"), readArray[float64](t, r.Path, "flow/coefficients")
	want, size := readArray[float64](t, r.Path, "outputs_initial"), len(kernel)/5
	for j := range size {
		var above, below float64
		for q := range 5 {
			above += math.Abs(kernel[q*size+j]) * coefficients[q*size+j]
			below += math.Abs(kernel[q*size+j])
		}
		for q := range 5 {
			want[q*3+j/(12*3)] += above / below * kernel[q*size+j]
		}
	}
	near(t, "predictions", readArray[float64](t, r.Path, "predictions_averaged-coefficients"), want, 1e-12)
	if e := r.Summary.Baselines[0].Figures.RelativeError; !(e < 1) {
		t.Errorf("the relative error is %g", e)
	}
}

// readAnalysis returns the lines of the analysis.
func readAnalysis(t *testing.T, run string) (lines []KernelAnalysis) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(run, analysisName))
	must(t, err)
	for line := range bytes.Lines(text) {
		var a KernelAnalysis
		must(t, json.Unmarshal(line, &a))
		lines = append(lines, a)
	}
	return lines
}

// cosine returns ⟨a, b⟩/(‖a‖‖b‖).
func cosine(a, b []float64) float64 { return inner(a, b) / math.Sqrt(inner(a, a)*inner(b, b)) }

// twiceCentered returns HKH with H = I − 11ᵀ/n, by products.
func twiceCentered(k []float64, n int) []float64 {
	h := make([]float64, n*n)
	for i := range h {
		h[i] = -1 / float64(n)
		if i/n == i%n {
			h[i]++
		}
	}
	return products(h, products(h, k, n, n), n, n) // K = Kᵀ: a product a·bᵀ is one with either
}
