package experiments

import (
	"context"
	"errors"
	"math"
	"time"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/pathkernel"
	"pkm/training"
)

// Progress is what an observer learns of each step.
type Progress struct {
	Step, Steps int // completed, of all
	Loss        float64
	Residual    float64 // largest |residual| of the step, NaN without a machine that integrates within steps
}

// Options are what a run needs beside its configuration.
type Options struct {
	Dir    string // of the run, created; see CreateRunDir
	Engine compute.Engine
	// Begun, if not nil, is called with Dir once it is created.
	Begun func(dir string)
	// Progress, if not nil, is called after every step.
	Progress func(Progress)
}

// Execute runs an experiment: it trains the network of the configuration, builds
// its kernel machines along the way and writes the run directory. A run that
// diverges, fails or is interrupted through ctx keeps what it had: its
// configuration, data, metrics and the last weights that were finite; the
// manifest says how it ended, and the error is the one that ended it
// (*training.Diverged, the cause of ctx).
func Execute(ctx context.Context, c *Config, o Options) error {
	if err := c.Validate(); err != nil {
		return err
	}
	data, err := c.Data.Load()
	if err != nil {
		return err
	}
	plan, err := c.plan(data)
	if err != nil {
		return err
	}
	if err := plan.fits(availableMemory()); err != nil {
		return err
	}
	dir, err := CreateRunDir(o.Dir)
	if err != nil {
		return err
	}
	if o.Begun != nil {
		o.Begun(o.Dir)
	}
	if c.Precision == "float32" {
		err = execute[float32](ctx, c, o, data, dir)
	} else {
		err = execute[float64](ctx, c, o, data, dir)
	}
	return finish(dir, err)
}

// finish records the outcome that err stands for.
func finish(dir *RunDir, err error) error {
	outcome, reason := Completed, ""
	var diverged *training.Diverged
	switch {
	case err == nil:
	case errors.As(err, &diverged):
		outcome, reason = Diverged, diverged.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		outcome, reason = Interrupted, err.Error()
	default:
		outcome, reason = Failed, err.Error()
	}
	return errors.Join(err, dir.Finish(outcome, reason))
}

// experiment is one run in one precision.
type experiment[T graphs.Float] struct {
	config         *Config
	options        Options
	dir            *RunDir
	phases         map[string]Figure
	network        *graphs.Network
	train, query   *Samples
	classes        int
	inputs         []T // of the training samples (N, d)
	targets        []T // (N, C)
	queries        []T // inputs of the query samples (M, d)
	machines       []*pathkernel.Machine
	tracker        *tracker[T]
	initial, final []T // weights (P)
	result         *training.Step[T]
	steps          []StepMetrics // lines of metrics.jsonl
	completed      int           // steps
}

func execute[T graphs.Float](ctx context.Context, c *Config, o Options, data *Dataset, dir *RunDir) error {
	e := &experiment[T]{config: c, options: o, dir: dir, phases: make(map[string]Figure)}
	if err := e.phase("prepare", func() error { return e.prepare(data) }); err != nil {
		return err
	}
	trained := e.phase("train", func() error { return e.run(ctx) })
	written := e.phase("write", func() error { return e.write(trained == nil) })
	return errors.Join(trained, written, dir.Update(func(m *Manifest) { m.PhaseTimes = e.phases }))
}

// phase measures the wall-clock time of a part of the run.
func (e *experiment[T]) phase(name string, do func() error) error {
	start := time.Now()
	err := do()
	e.phases[name] = Figure(time.Since(start).Seconds())
	return err
}

// prepare draws the samples, builds network and machines and writes what is known
// before training.
func (e *experiment[T]) prepare(data *Dataset) (err error) {
	c := e.config
	if e.train, e.query, e.classes, err = data.Split(uint64(c.Seed), c.Data.Train, c.Data.Query, c.Data.Classes); err != nil {
		return err
	}
	e.inputs, e.queries = narrow[T](e.train.Inputs), narrow[T](e.query.Inputs)
	if e.targets, err = training.OneHot[T](e.train.Labels, e.classes); err != nil {
		return err
	}
	if e.network, err = c.Network.Build(data, e.classes); err != nil {
		return err
	}
	if e.initial, err = graphs.Initialise[T](e.network, graphs.Scheme(c.Network.Init.Scheme), c.Network.Init.Gain, uint64(c.Seed)); err != nil {
		return err
	}
	kernel := pathkernel.Kernel(c.PathKernel)
	for _, m := range c.Machines {
		machine, err := m.build(kernel, len(e.query.Labels), e.classes, len(e.train.Labels))
		if err != nil {
			return err
		}
		e.machines = append(e.machines, machine)
	}
	if e.tracker, err = newTracker(e.network, e.options.Engine, e.machines, kernel, e.queries, e.inputs); err != nil {
		return err
	}
	if err := e.tracker.begin(e.initial); err != nil {
		return err
	}
	if err := e.dir.Update(func(m *Manifest) {
		m.Name, m.Seed, m.BLAS = c.Name, c.Seed, e.options.Engine.Name()
		m.Data = DataProvenance{Source: data.Source, SHA256: data.SHA256}
	}); err != nil {
		return err
	}
	if err := e.writeBeginning(); err != nil {
		return err
	}
	return e.dir.Update(func(*Manifest) {})
}

// build returns the empty machine of a configuration.
func (m Machine) build(kernel pathkernel.Kernel, queries, outputs, samples int) (*pathkernel.Machine, error) {
	rule, err := pathkernel.ParseRule(m.Rule)
	if err != nil {
		return nil, err
	}
	measure, err := pathkernel.NewMeasure(m.Family, rule)
	if err != nil {
		return nil, err
	}
	return pathkernel.NewMachine(m.Name, measure, kernel, queries, outputs, samples)
}

// run trains.
func (e *experiment[T]) run(ctx context.Context) error {
	c := e.config
	loss, err := training.NewLoss[T](c.Loss.Kind)
	if err != nil {
		return err
	}
	log, err := newStepLog(e)
	if err != nil {
		return err
	}
	loop := &training.Loop[T]{
		Network: e.network, Engine: e.options.Engine, Loss: loss, Inputs: e.inputs, Targets: e.targets, Initial: e.initial,
		LearningRate: c.Training.Optimizer.LearningRate, Steps: c.Training.Steps, LossLimit: c.Training.LossLimit,
		Hooks: []training.Hook[T]{e.tracker, newCheckpoints(e), log},
	}
	e.final, e.completed, err = loop.Run(ctx)
	return err
}

// stepLog is the hook that writes metrics.jsonl and tells the observer.
type stepLog[T graphs.Float] struct {
	*experiment[T]
	metrics *MetricsWriter
	start   time.Time
}

func newStepLog[T graphs.Float](e *experiment[T]) (*stepLog[T], error) {
	metrics, err := e.dir.Metrics()
	return &stepLog[T]{experiment: e, metrics: metrics, start: time.Now()}, err
}

// Step implements training.Hook.
func (l *stepLog[T]) Step(_ context.Context, s *training.Step[T]) error {
	err := l.write(s, l.tracker.residual)
	if l.options.Progress != nil {
		l.options.Progress(Progress{Step: s.Index + 1, Steps: l.config.Training.Steps, Loss: s.Loss, Residual: l.tracker.residual})
	}
	return err
}

// Finish implements training.Hook: the last line holds loss and accuracy at w_S.
func (l *stepLog[T]) Finish(_ context.Context, s *training.Step[T]) error {
	l.result = s
	return l.write(s, math.NaN())
}

func (l *stepLog[T]) write(s *training.Step[T], residual float64) error {
	line := StepMetrics{Step: s.Index, Loss: Figure(s.Loss), Accuracy: Figure(training.Accuracy(s.Outputs, l.train.Labels)),
		LearningRate: Figure(s.LearningRate), StepResidual: Figure(residual), Seconds: Figure(time.Since(l.start).Seconds())}
	// For the report; a picture has no use for more points.
	if every := 1 + l.config.Training.Steps/2000; s.Index%every == 0 || s.Delta == nil {
		l.steps = append(l.steps, line)
	}
	return l.metrics.Write(line)
}
