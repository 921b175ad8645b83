package experiments

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"

	"pkm/pathkernel"
	"pkm/training"
)

// array is a file under arrays/, in C order.
type array struct {
	name  string
	shape []int
	data  []float64
}

// writeBeginning writes what is known before training: configuration, data, w_0.
func (e *experiment[T]) writeBeginning() error {
	resolved, err := e.config.YAML()
	if err != nil {
		return err
	}
	if err := e.dir.WriteFile("config.yaml", func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(resolved))
		return err
	}); err != nil {
		return err
	}
	for _, side := range []struct {
		name    string
		inputs  []T
		samples *Samples
	}{{"train", e.inputs, e.train}, {"query", e.queries.inputs, e.query}} {
		n := side.samples.Count()
		if err := WriteArray(e.dir, side.name+"_inputs", append([]int{n}, e.network.Input()...), side.inputs); err != nil {
			return err
		}
		if err := e.writeTargets(side.name+"_targets", side.samples); err != nil {
			return err
		}
		if err := WriteArray(e.dir, side.name+"_indices", []int{n}, side.samples.Indices); err != nil {
			return err
		}
	}
	if err := e.altered.write(e.dir, e.network.Input()); err != nil {
		return err
	}
	if err := WriteArray(e.dir, "outputs_initial", []int{e.query.Count(), e.classes}, e.tracker.initial); err != nil {
		return err
	}
	return e.dir.WriteWeights("weights_initial", tensors(e.network.Layout(), e.initial), nil)
}

// writeTargets writes the classes of samples (n), or the numbers to predict (n, C).
func (e *experiment[T]) writeTargets(name string, s *Samples) error {
	if s.Labels == nil {
		return WriteArray(e.dir, name, []int{s.Count(), e.classes}, s.Targets)
	}
	return WriteArray(e.dir, name, []int{s.Count()}, int64s(s.Labels))
}

func int64s(values []int) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}

// write writes what training gave: the last good weights and what the machines
// hold of the completed steps in any case, figures when training was completed.
func (e *experiment[T]) write(completed bool) error {
	if e.final != nil {
		if err := e.dir.WriteWeights("weights_final", tensors(e.network.Layout(), e.final), nil); err != nil {
			return err
		}
	}
	m, c, n := e.query.Count(), e.classes, e.train.Count()
	if err := WriteArray(e.dir, "step_sizes", []int{e.completed}, e.stepSizes[:e.completed]); err != nil {
		return err
	}
	if err := e.writeBatches(n); err != nil {
		return err
	}
	if e.accounted && e.tracker.windows.count() > 0 && e.completed > 0 && e.tracker.accounts() {
		if err := e.tracker.closeWindow(e.completed - 1); err != nil { // one that was cut short
			return err
		}
	}
	for _, machine := range e.machines {
		if !e.accounted {
			break // there is no account of a part of the steps
		}
		if err := e.writeMachine(machine, m, n); err != nil {
			return fmt.Errorf("machine %q: %w", machine.Name, err)
		}
	}
	if !completed {
		return nil
	}
	if err := WriteArray(e.dir, "outputs_final", []int{m, c}, e.tracker.final); err != nil {
		return err
	}
	if err := e.writeAtBounds(); err != nil {
		return err
	}
	summary := Summary{Samples: SampleCounts{Train: n, Query: m}, Outputs: c, Parameters: e.network.Parameters(), Steps: e.completed}
	var err error
	if summary.Network, err = e.networkFigures(); err != nil {
		return err
	}
	if summary.Generalization, err = e.writeBound(summary.Network); err != nil {
		return err
	}
	for _, machine := range e.machines {
		figures, err := e.writeFigures(machine, m, n)
		if err != nil {
			return fmt.Errorf("machine %q: %w", machine.Name, err)
		}
		summary.Machines = append(summary.Machines, MachineSummary{Name: machine.Name, Figures: figures})
	}
	if summary.Baselines, err = e.writeBaselines(m, c); err != nil {
		return err
	}
	if e.config.Decompose.Layers {
		summary.Layers = e.layers()
	}
	if err := e.dir.WriteSummary(summary); err != nil {
		return err
	}
	return e.dir.writeReport(e.config, summary)
}

// writeBatches writes the samples of every step's batch, (S, B), −1 where the last of an
// epoch has fewer; nothing when every step used all of them.
func (e *experiment[T]) writeBatches(samples int) error {
	batches, err := training.NewBatches(samples, e.config.Training.BatchSize, uint64(e.config.Seed))
	if err != nil || batches.Size() == samples {
		return err
	}
	all := make([]int64, 0, e.completed*batches.Size())
	for s := range e.completed {
		_, batch := batches.At(s)
		for _, i := range batch {
			all = append(all, int64(i))
		}
		for range batches.Size() - len(batch) {
			all = append(all, -1)
		}
	}
	return WriteArray(e.dir, "batches", []int{e.completed, batches.Size()}, all)
}

// networkFigures returns the figures of the trained network.
func (e *experiment[T]) networkFigures() (NetworkFigures, error) {
	loss, err := training.NewLoss[float64](e.config.Loss.Kind)
	if err != nil {
		return NetworkFigures{}, err
	}
	targets, err := targetsOf[float64](e.config.Loss.Kind, e.query, e.classes)
	if err != nil {
		return NetworkFigures{}, err
	}
	losses := make([]float64, e.query.Count())
	loss.Evaluate(e.tracker.final, targets, e.classes, losses, make([]float64, len(targets)))
	accuracy := math.NaN()
	if e.query.Labels != nil {
		accuracy = training.Accuracy(e.tracker.final, e.query.Labels)
	}
	return NetworkFigures{TrainLoss: Figure(e.result.Loss), QueryLoss: Figure(training.Mean(losses)), QueryAccuracy: Figure(accuracy)}, nil
}

// writeMachine writes what a machine holds.
func (e *experiment[T]) writeMachine(machine *pathkernel.Machine, m, n int) error {
	g := e.groupOf(machine)
	c := g.size(e.classes)
	arrays := []array{
		{"contributions", []int{m, c, n}, machine.Contributions()},
		{"regularization", []int{m, c}, machine.Regularization()},
	}
	if g.target != nil {
		arrays = append(arrays, array{"target_initial", []int{m, c}, g.initial})
	}
	switch machine.Kernel() {
	case pathkernel.TraceKernel:
		arrays = append(arrays, array{"path_kernel", []int{m, n}, machine.PathKernel()})
	case pathkernel.FullKernel:
		arrays = append(arrays, array{"path_kernel", []int{m, c, n, c}, machine.PathKernel()},
			array{"coefficients", []int{m, c, n, c}, machine.Coefficients()})
	}
	if g.name == lossTarget && e.config.fullBatch() && e.config.Training.Optimizer.plain() {
		arrays = append(arrays, array{"loss_path_kernel", []int{m, n}, scaled(machine.Contributions(), -float64(n))})
	}
	for _, a := range arrays {
		if err := WriteArray(e.dir, machine.Name+"/"+a.name, a.shape, a.data); err != nil {
			return err
		}
	}
	return e.writeParts(machine, m, c, n)
}

// scaled returns factor·v.
func scaled(v []float64, factor float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = factor * x
	}
	return out
}

// writeFigures writes the residual of a machine and returns its figures.
func (e *experiment[T]) writeFigures(machine *pathkernel.Machine, m, n int) (MachineFigures, error) {
	g := e.groupOf(machine)
	c := g.size(e.classes)
	if g.target != nil {
		if err := WriteArray(e.dir, machine.Name+"/target_final", []int{m, c}, g.final); err != nil {
			return MachineFigures{}, err
		}
	}
	d := Decomposition{M: m, C: c, N: n, Initial: g.initial, Final: g.final,
		Contributions: machine.Contributions(), Regularization: machine.Regularization()}
	labels := e.query.Labels
	if g.name == lossTarget {
		labels = nil // a loss has no classes
	}
	figures, err := Figures(d, labels)
	if err != nil {
		return figures, err
	}
	if g.target != nil {
		figures.Target = g.name
	}
	if figures.Certificate, err = e.writeCertificate(machine); err != nil {
		return figures, err
	}
	if machine.Kernel() != pathkernel.NoKernel {
		k := machine.Conditioning()
		figures.Conditioning = &Conditioning{Threshold: Figure(k.Threshold), SmallKernels: k.SmallKernel}
		if machine.Coefficients() != nil {
			figures.Conditioning.LargeCoefficients = &k.LargeCoefficients
			figures.Conditioning.MaxAbsCoefficient = Figure(k.MaxCoefficient)
		} else {
			figures.Conditioning.MaxAbsCoefficient = Figure(math.NaN())
		}
	}
	return figures, WriteArray(e.dir, machine.Name+"/residual", []int{m, c}, d.Residual())
}

// writeCertificate writes what a machine's quadrature missed and took, by query and by step, and
// returns the figures of it; nil for a machine without a certificate.
func (e *experiment[T]) writeCertificate(machine *pathkernel.Machine) (*Certificate, error) {
	c := machine.Certificate()
	if c == nil {
		return nil, nil
	}
	for _, a := range []struct {
		name   string
		values []float64
	}{{"step_residual_max", c.Largest}, {"step_residual_sum", c.Accumulated}} {
		if err := WriteArray(e.dir, machine.Name+"/"+a.name, []int{len(a.values)}, a.values); err != nil {
			return nil, err
		}
	}
	nodes := 0
	for _, a := range []struct {
		name   string
		values []float64
	}{{"nodes_by_query", c.Nodes}, {"nodes_by_step", c.StepNodes}} {
		whole := make([]int64, len(a.values))
		nodes = 0
		for i, v := range a.values {
			whole[i] = int64(v)
			nodes += int(v)
		}
		if err := WriteArray(e.dir, machine.Name+"/"+a.name, []int{len(whole)}, whole); err != nil {
			return nil, err
		}
	}
	figures := &Certificate{LargestResidual: Figure(slices.Max(c.Largest)), AccumulatedResidual: Figure(slices.Max(c.Accumulated)),
		WorstStep: int(c.WorstStep), WorstQuery: int(c.WorstQuery), Nodes: nodes, Refined: int(c.Refined), Shortfalls: int(c.Shortfalls)}
	if a := machine.Adaptive; a != nil {
		whole := Figure(a.Tolerance * float64(e.config.Training.Steps))
		figures.Tolerance = &whole
	}
	return figures, nil
}
