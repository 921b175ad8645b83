package experiments

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// The kinds of baselines.
const (
	linearizedBaseline   = "linearized"
	tangentBaseline      = "tangent-kernel"
	ridgeBaseline        = "path-kernel-ridge"
	svmBaseline          = "path-kernel-svm"
	coefficientsBaseline = "averaged-coefficients"
)

// baseline is a model to compare the machines with.
type baseline struct {
	kind        string
	predictions []float64 // (M, C)
	fault       error     // why there are none
}

// baselines is what is computed from the trajectory of a trained network.
type baselines[T graphs.Float] struct {
	*experiment[T]
	loop    *training.Loop[T]
	kernels *kernelPath[T] // nil where nothing needs one
}

// compares reports whether baselines or an analysis follow on training.
func (c *Config) compares() bool { return len(c.Baselines) > 0 || c.Analysis.Every > 0 }

// compareWith replays the trajectory for the analysis and the baselines of the configuration and computes them.
func (e *experiment[T]) compareWith(ctx context.Context, loop *training.Loop[T]) error {
	c := e.config
	if !c.compares() {
		return nil
	}
	b := &baselines[T]{experiment: e, loop: loop}
	if err := b.replay(ctx); err != nil {
		return fmt.Errorf("follow the tangent kernel along the path, for baselines and analysis: %w", err)
	}
	for i := range c.Baselines {
		predictions, err := b.predict(ctx, &c.Baselines[i])
		if ctx.Err() != nil {
			return fmt.Errorf("stopped while computing the baseline %s: %w", c.Baselines[i].Kind, context.Cause(ctx))
		}
		if err != nil { // of the numbers of this run; it must not cost the rest
			predictions = slices.Repeat([]float64{math.NaN()}, e.query.Count()*e.classes)
		}
		e.baselines = append(e.baselines, baseline{c.Baselines[i].Kind, predictions, err})
	}
	return nil
}

// replay integrates and analyses the tangent kernel of the training samples along the path.
func (b *baselines[T]) replay(ctx context.Context) (err error) {
	if b.kernels, err = newKernelPath(b.experiment); err != nil || b.kernels == nil {
		return err
	}
	if b.kernels.samples == 0 {
		return b.follow(ctx)
	}
	var failed error // it has nothing to do with the file, in whose name it would be wrapped
	err = b.dir.WriteFile(analysisName, func(w io.Writer) error {
		b.kernels.lines = w
		failed = b.follow(ctx)
		return failed
	})
	if failed != nil {
		return failed
	}
	return err
}

// follow takes the kernels along the path.
func (b *baselines[T]) follow(ctx context.Context) error {
	trajectory := training.Trajectory{Dir: filepath.Join(b.dir.path, "trajectory")}
	if _, err := training.Replay(ctx, b.loop, trajectory, 0, b.completed, b.kernels); err != nil {
		return err
	}
	return b.kernels.end(b.completed, b.final)
}

// predict returns the outputs (M, C) that a baseline gives the queries.
func (b *baselines[T]) predict(ctx context.Context, c *Baseline) ([]float64, error) {
	n, k := b.train.Count(), b.kernels
	switch c.Kind {
	case linearizedBaseline:
		return b.linearized(ctx)
	case tangentBaseline:
		return b.ridge(k.train, k.query, c.Ridge)
	case ridgeBaseline:
		return b.ridge(k.pathTrain, k.pathQuery, c.Ridge)
	case svmBaseline:
		classes := max(2, b.classes)
		alpha, err := pathkernel.SVM(k.pathTrain, b.train.Labels, classes, c.Penalty)
		if err != nil {
			return nil, err
		}
		scores := pathkernel.PredictSVM(k.pathQuery, alpha, k.pathTrain, n)
		if b.classes == 1 { // a logit
			return column(scores, classes, 1), nil
		}
		return scores, nil
	}
	for _, m := range b.machines {
		if b.groupOf(m).target != nil {
			continue
		}
		if predictions := m.PredictAveraged(b.tracker.initial); predictions != nil {
			return predictions, nil
		}
	}
	return nil, fmt.Errorf("no machine has coefficients")
}

// ridge returns the predictions of kernel ridge regression onto the targets: for the squared error, f(w_0) and what is
// left of the targets then; for classes, scores around 0, one-hot − 1/C or, for one logit, ±1.
func (b *baselines[T]) ridge(train, query []float64, ridge float64) ([]float64, error) {
	n, c := b.train.Count(), b.classes
	y := widen(b.targets)
	shift := make([]float64, b.query.Count()*c)
	switch b.config.Loss.Kind {
	case training.SquaredErrorName:
		initial, err := b.outputsOfTraining(b.initial)
		if err != nil {
			return nil, err
		}
		for i, f := range initial {
			y[i] -= f
		}
		copy(shift, b.tracker.initial)
	case training.LogisticName:
		for i := range y {
			y[i] = 2*y[i] - 1
		}
	default:
		for i := range y {
			y[i] -= 1 / float64(c)
		}
	}
	alpha, err := pathkernel.Ridge(train, y, n, ridge)
	if err != nil {
		return nil, err
	}
	predictions := pathkernel.PredictKernel(query, alpha, n)
	for i, s := range shift {
		predictions[i] += s
	}
	return predictions, nil
}

// outputsOfTraining returns f(x_i; w) (N, C) of the training samples.
func (e *experiment[T]) outputsOfTraining(w []T) ([]float64, error) {
	f, err := graphs.NewForward[T](e.network, e.options.Engine, e.train.Count())
	if err != nil {
		return nil, err
	}
	if err := f.SetInputs(e.inputs); err != nil {
		return nil, err
	}
	if err := f.Run(w); err != nil {
		return nil, err
	}
	return widen(f.Outputs()), nil
}

// column returns column k of rows of a width.
func column(v []float64, width, k int) []float64 {
	out := make([]float64, len(v)/width)
	for i := range out {
		out[i] = v[i*width+k]
	}
	return out
}

// writeBaselines writes the predictions and returns the figures of the baselines.
func (e *experiment[T]) writeBaselines(m, c int) (summaries MachineSummaries, err error) {
	for _, b := range e.baselines {
		if err := WriteArray(e.dir, "predictions_"+b.kind, []int{m, c}, b.predictions); err != nil {
			return nil, err
		}
		figures, err := baselineFigures(b.predictions, e.tracker.initial, e.tracker.final, m, c, e.query.Labels)
		if err != nil {
			return nil, err
		}
		if b.fault != nil {
			figures.Fault = b.fault.Error()
		}
		summaries = append(summaries, MachineSummary{b.kind, figures})
	}
	return summaries, nil
}

// baselineFigures compares predictions (M, C) with the network's outputs. Without predictions, which are NaN then, there
// is nothing to agree.
func baselineFigures(predictions, initial, final []float64, m, c int, labels []int) (MachineFigures, error) {
	change := slices.Clone(predictions)
	for i := range change {
		change[i] -= initial[i]
	}
	figures, err := Figures(Decomposition{M: m, C: c, Initial: initial, Final: final, Regularization: change}, labels)
	if math.IsNaN(float64(figures.MaxAbsError)) {
		figures.ArgmaxAgreement, figures.QueryAccuracy = Figure(math.NaN()), Figure(math.NaN())
	}
	return figures, err
}

// verifyBaselines compares the figures of the baselines with their predictions.
func (v *verifier) verifyBaselines() {
	if v.summary == nil {
		return
	}
	for _, b := range v.summary.Baselines {
		subject := "baseline " + b.Name
		_, predictions, err := v.array("predictions_"+b.Name, v.M, v.C)
		if err != nil {
			v.absent(subject, err)
			continue
		}
		want, err := baselineFigures(predictions, v.initial, v.final, v.M, v.C, v.classes)
		if err != nil {
			v.add(StatusFailed, subject, "%v", err)
			continue
		}
		tolerance := 1e-12 * (1 + maxAbs(predictions) + maxAbs(v.final)) // f(w_0) is subtracted and added
		v.verifyAgreement("summary.json: "+subject, b.Figures, want, tolerance, tolerance/Decomposition{Initial: v.initial, Final: v.final}.change())
	}
}

// baselines records baselines that the rest of the configuration has nothing for.
func (v *validator) baselines(c *Config) {
	for i, b := range c.Baselines {
		path := itemPath("baselines", i) + ".kind"
		fail := func(fault, allowed string) {
			if !v.faulty[path] {
				v.fail(path, ConfigError{Found: b.Kind, Fault: fault, Allowed: allowed})
			}
		}
		if slices.ContainsFunc(c.Baselines[:i], func(other Baseline) bool { return other.Kind == b.Kind }) {
			fail("given twice", "each kind once")
		}
		switch b.Kind {
		case linearizedBaseline:
			if c.Training.Optimizer.Kind == "flow" {
				fail("while training.optimizer.kind is flow", "with every other optimizer; "+tangentBaseline+", "+ridgeBaseline)
			}
		case svmBaseline:
			if v.dataset != nil && v.dataset.Classes == 0 {
				fail("while the data has no classes but numbers to predict", linearizedBaseline+", "+tangentBaseline+", "+ridgeBaseline)
			}
		case coefficientsBaseline:
			one := c.Loss.Kind == training.LogisticName || v.dataset == nil || // not looked at
				training.Outputs(c.Loss.Kind, v.dataset.outputs(c.Data.Classes)) == 1
			if !c.Training.Optimizer.plain() || c.PathKernel != "full" && !(c.PathKernel == "trace" && one) || !slices.ContainsFunc(c.Machines, func(m Machine) bool { return m.Target == outputsTarget }) {
				fail("while no machine has coefficients", "with plain sgd or flow, a machine of the outputs, and path_kernel: full, or trace for one output")
			}
		}
	}
	if a := &c.Analysis; a.Samples > c.Data.Train && !v.faulty["data.train"] {
		v.fail("analysis.samples", ConfigError{Found: fmt.Sprint(a.Samples), Fault: fmt.Sprintf("more than the %d of data.train", c.Data.Train), Allowed: "a whole number from 0 to data.train"})
	}
}
