package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// analysisName is the file of the analysis, a line for each step that was looked at.
const analysisName = "analysis.jsonl"

// mostEigenvalues is how many of them a line holds.
const mostEigenvalues = 100

// KernelAnalysis is a line of analysis.jsonl: of the tangent kernel tr K/C among training samples at w_s; see
// the functions of pathkernel of the same names.
type KernelAnalysis struct {
	Step                 int      `json:"step"`
	EffectiveRank        Figure   `json:"effective_rank"`
	ParticipationRatio   Figure   `json:"participation_ratio"`
	Alignment            Figure   `json:"alignment"`
	CenteredAlignment    Figure   `json:"centered_alignment"`
	DistanceFromInitial  Figure   `json:"distance_from_initial"`
	DistanceFromPrevious Figure   `json:"distance_from_previous"` // line
	Eigenvalues          []Figure `json:"eigenvalues"`            // the largest first, 100 at most
}

// kernelPath is the hook that follows the tangent kernel tr K/C of training samples along a path: among
// themselves, and of the queries with them.
type kernelPath[T graphs.Float] struct {
	*experiment[T]
	jacobian, queriesJacobian *graphs.Jacobian[T]
	integrate                 bool
	last                      float64 // η_{s−1}, times what clipped that step

	train, query         []float64 // at w_S: (N, N), (M, N)
	pathTrain, pathQuery []float64 // ∫ dτ, by the trapezoid rule over the steps

	samples           int       // of the analysis
	lines             io.Writer // of the analysis: what is kept does not grow with the steps
	initial, previous []float64 // of the analysis
}

// newKernelPath returns nil where neither the baselines nor the analysis needs a kernel.
func newKernelPath[T graphs.Float](e *experiment[T]) (*kernelPath[T], error) {
	rows, queries, integrate := e.config.kernelRows()
	if rows == 0 {
		return nil, nil
	}
	k := &kernelPath[T]{experiment: e, integrate: integrate, samples: e.config.Analysis.rows(e.train.Count())}
	var err error
	if k.jacobian, err = graphs.NewJacobian[T](e.network, e.options.Engine, rows); err != nil {
		return nil, err
	}
	if err := k.jacobian.SetInputs(e.inputs[:rows*e.network.Input().Size()]); err != nil {
		return nil, err
	}
	if !queries {
		return k, nil
	}
	if k.queriesJacobian, err = graphs.NewJacobian[T](e.network, e.options.Engine, e.query.Count()); err != nil {
		return nil, err
	}
	if integrate {
		k.pathTrain, k.pathQuery = make([]float64, rows*rows), make([]float64, e.query.Count()*rows)
	}
	return k, k.queriesJacobian.SetInputs(e.queries.inputs)
}

// rows returns of how many of n training samples the analysis is, 0 for none.
func (a *Analysis) rows(n int) int {
	if a.Every == 0 {
		return 0
	}
	if a.Samples == 0 {
		return n
	}
	return min(a.Samples, n)
}

// kernelRows returns of how many training samples kernels are needed, whether of the queries too, and whether
// along the whole path.
func (c *Config) kernelRows() (rows int, queries, integrate bool) {
	rows = c.Analysis.rows(c.Data.Train)
	for _, b := range c.Baselines {
		switch b.Kind {
		case tangentBaseline:
			rows, queries = c.Data.Train, true
		case ridgeBaseline, svmBaseline:
			rows, queries, integrate = c.Data.Train, true, true
		}
	}
	return rows, queries, integrate
}

// Step implements training.Hook.
func (k *kernelPath[T]) Step(_ context.Context, s *training.Step[T]) error {
	due := k.samples > 0 && s.Index%k.config.Analysis.Every == 0
	if !due && !k.integrate {
		return nil
	}
	if err := k.evaluate(s.Weights, k.integrate); err != nil {
		return fmt.Errorf("the tangent kernel of the training samples: %w", err)
	}
	rate := clipped(s)
	k.add((k.last + rate) / 2)
	k.last = rate
	if due {
		return k.analyse(s.Index)
	}
	return nil
}

// clipped returns the time dτ that a step takes along the path: η, times what clips its gradient, because a clipped
// gradient is a shorter step.
func clipped[T graphs.Float](s *training.Step[T]) float64 {
	if clip := s.Update.Clip; clip > 0 && clip < 1 {
		return s.LearningRate * clip
	}
	return s.LearningRate
}

// Finish implements training.Hook; a replay has no end, see end.
func (k *kernelPath[T]) Finish(context.Context, *training.Step[T]) error { return nil }

// end takes the kernels at w_S, after the last step.
func (k *kernelPath[T]) end(steps int, w []T) error {
	if err := k.evaluate(w, k.queriesJacobian != nil); err != nil {
		return fmt.Errorf("the tangent kernel of the training samples: %w", err)
	}
	k.add(k.last / 2)
	if k.samples > 0 {
		return k.analyse(steps)
	}
	return nil
}

// evaluate computes the kernels at w.
func (k *kernelPath[T]) evaluate(w []T, queries bool) (err error) {
	if err := k.jacobian.Run(w); err != nil {
		return err
	}
	engine, train, scale := k.options.Engine, convert(k.jacobian.Factors()), 1/float64(k.classes)
	if k.train, err = pathkernel.TangentKernel(engine, pathkernel.TraceForm, train, nil, k.train); err != nil {
		return err
	}
	if queries {
		if err := k.queriesJacobian.Run(w); err != nil {
			return err
		}
		if k.query, err = pathkernel.TangentKernel(engine, pathkernel.TraceForm, convert(k.queriesJacobian.Factors()), train, k.query); err != nil {
			return err
		}
	}
	for _, values := range [][]float64{k.train, k.query} {
		for i := range values {
			values[i] *= scale
		}
	}
	return nil
}

// add adds the kernels to their integrals.
func (k *kernelPath[T]) add(weight float64) {
	if !k.integrate {
		return
	}
	for i, v := range k.train {
		k.pathTrain[i] += weight * v
	}
	for i, v := range k.query {
		k.pathQuery[i] += weight * v
	}
}

// analyse writes a line for the kernel at hand.
func (k *kernelPath[T]) analyse(step int) error {
	n, width := k.samples, k.jacobian.Rows()
	kernel := make([]float64, 0, n*n)
	for i := range n {
		kernel = append(kernel, k.train[i*width:i*width+n]...)
	}
	if k.initial == nil {
		k.initial, k.previous = kernel, kernel
	}
	values, err := pathkernel.Spectrum(kernel, n)
	if err != nil { // a kernel beyond all numbers: its figures are NaN, as the others of it, and the run goes on
		values = []float64{math.NaN()}
	}
	y := widen(k.targets[:n*k.classes])
	if k.config.Loss.Kind == training.LogisticName {
		for i := range y {
			y[i] = 2*y[i] - 1 // so that both classes count
		}
	}
	line := KernelAnalysis{Step: step, EffectiveRank: Figure(pathkernel.EffectiveRank(values)), ParticipationRatio: Figure(pathkernel.ParticipationRatio(values)),
		Alignment: Figure(pathkernel.Alignment(kernel, y, n)), CenteredAlignment: Figure(pathkernel.CenteredAlignment(kernel, y, n)),
		DistanceFromInitial: Figure(pathkernel.KernelDistance(k.initial, kernel)), DistanceFromPrevious: Figure(pathkernel.KernelDistance(k.previous, kernel))}
	for _, v := range values[:min(len(values), mostEigenvalues)] {
		line.Eigenvalues = append(line.Eigenvalues, Figure(v))
	}
	k.previous = kernel
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.lines, "%s\n", b)
	return err
}

// planBaselines adds what the baselines and the analysis of a configuration take.
func planBaselines[T graphs.Float](c *Config, n *graphs.Network, plan *Plan, batch, block int) error {
	const lessen = "data.train or analysis.samples, or leave out baselines"
	linearized := 0
	for _, b := range c.Baselines {
		if b.Kind == linearizedBaseline {
			linearized = batch + block + c.Data.Train%max(1, batch) // the last batch of an epoch has an evaluator of its own
		}
	}
	rows, queries, integrate := c.kernelRows()
	evaluated := rows
	if queries {
		evaluated += c.Data.Query
	}
	for _, part := range []struct {
		what string
		rows int
	}{{"the linearised network", linearized}, {"tangent kernels of the training samples", evaluated}} {
		if part.rows == 0 {
			continue
		}
		bytes, err := graphs.JacobianBytes[T](n, part.rows)
		if err != nil {
			return err
		}
		plan.add("Jacobians of "+part.what, float64(bytes), lessen)
	}
	size := 8.0
	if c.Precision == "float32" {
		size = 4
	}
	if linearized > 0 {
		gradient, err := graphs.GradientBytes[T](n, batch)
		if err != nil {
			return err
		}
		// Its weights, their updates and the state of its optimizer, beside those of training.
		plan.add("weights and updates of the linearised network", float64(n.Parameters())*(5*size+8*(c.Training.tensors()+2))+float64(gradient), "network.hidden, or leave out the baseline")
	}
	if evaluated > 0 {
		e, k := float64(evaluated), float64(n.Outputs())
		plan.add("products of tangent kernels", size*contraction(n, 1, 1, e, e, k, float64(rows)), lessen)
	}
	kernels := float64(rows) * float64(rows)
	if queries {
		kernels += float64(c.Data.Query) * float64(rows)
	}
	if integrate {
		kernels *= 2
	}
	kernels += 2 * float64(rows) * float64(rows) // to factorise
	if rows > 0 {
		plan.add("tangent kernels of the training samples", 8*kernels, lessen)
	}
	return nil
}
