package experiments

import (
	"cmp"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/internal/vector"
	"pkm/pathkernel"
	"pkm/training"
)

// Progress is what an observer learns of each step.
type Progress struct {
	Step, Steps int     // completed, of all; 0 of 0 in a phase that does not go by steps
	Loss        float64 // before the step
	Residual    float64 // largest |residual| of the step, NaN without a machine that integrates within steps
}

// Options are what a run needs beside its configuration.
type Options struct {
	Dir    string // of the run, created; see CreateRunDir
	Engine compute.Engine
	// Resume goes on with the run in Dir, which was killed or interrupted, to the same
	// bytes in arrays/ as if it had not been; see ResumeRunDir.
	Resume bool
	// Begun, if not nil, is called with Dir once it is created.
	Begun func(dir string)
	// Progress, if not nil, is called after every step of training.
	Progress func(Progress)
	// Distribute, if not nil, has the account of the path done in parts by others, from the checkpoints of
	// the run; see [Job]. This process then only trains, and adds up what it gets.
	Distribute func(ctx context.Context, job Job) ([]PartFiles, error)
	// Phase, if not nil, is called as a phase begins, with neither loss nor residual, and after each of its
	// steps. The account goes through the steps backwards, once for every turn of the queries.
	Phase func(Phase, Progress)
}

// Phase is a part of a run that takes its time.
type Phase string

// The phases of a run, in order. Plain descent is accounted for while it is trained.
const (
	PhaseTraining   Phase = "training"
	PhaseAccounting Phase = "accounting"
	PhaseBaselines  Phase = "baselines"
	PhaseWriting    Phase = "writing"
)

// Execute runs an experiment: it trains the network of the configuration, builds
// its kernel machines along the way and writes the run directory. A run that
// diverges, fails or is interrupted through ctx keeps what it had: its
// configuration, data, metrics and the last weights that were finite; the
// manifest says how it ended, and the error is the one that ended it
// (*training.Diverged, the cause of ctx).
func Execute(ctx context.Context, c *Config, o Options) error {
	short := *c
	short.shorten()
	c = &short
	data, err := c.load()
	if err != nil {
		return err
	}
	plan, err := c.plan(data)
	if err != nil {
		return err
	}
	if err := c.fits(data, plan, availableMemory()); err != nil {
		return err
	}
	dir, err := openRunDir(c, o, data)
	if err != nil {
		return err
	}
	if o.Begun != nil {
		o.Begun(o.Dir)
	}
	if c.Precision == "float32" {
		err = execute[float32](ctx, c, o, data, plan.Block, dir)
	} else {
		err = execute[float64](ctx, c, o, data, plan.Block, dir)
	}
	return finish(dir, err)
}

// openRunDir creates the directory of a run, or opens that of the run to go on with.
func openRunDir(c *Config, o Options, data *Dataset) (*RunDir, error) {
	if !o.Resume {
		return CreateRunDir(o.Dir)
	}
	text, err := c.YAML()
	if err != nil {
		return nil, err
	}
	return ResumeRunDir(o.Dir, Manifest{OS: runtime.GOOS, Arch: runtime.GOARCH, BLAS: o.Engine.Name(), Vector: vector.Name(),
		Data: DataProvenance{Source: data.Source, SHA256: data.SHA256}}, text)
}

// finish records the outcome that err stands for.
func finish(dir *RunDir, err error) error {
	outcome, reason := Completed, ""
	var diverged *training.Diverged
	var refused *ResumeError
	switch {
	case dir.resumed && errors.As(err, &refused):
		return errors.Join(err, dir.leave())
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
	altered        *alterations
	classes        int // C: outputs
	block          int // queries that are evaluated at once
	inputs         []T // of the training samples (N, d)
	targets        []T // (N, C)
	queries        *queries[T]
	machines       []*pathkernel.Machine
	groups         []*group[T] // of the machines, by target
	tracker        *tracker[T]
	lossPath       *lossPath[T] // nil without a bound
	bounds         *boundsLog[T]
	initial, final []T // weights (P)
	result         *training.Step[T]
	seconds        float64               // of training before the run was resumed
	stepSizes      []float64             // η of the steps so far
	residuals      []float64             // of the steps so far, as Progress has them
	completed      int                   // steps
	windowSteps    int                   // those that the windows part; 0: training.steps
	stopped        string                // why training ended early as completed, or ""
	baselines      []baseline            // of a completed run
	accounted      bool                  // the machines hold the account of the completed steps
	saved          *saved[T]             // of the run to go on with, or nil
	from           *training.Snapshot[T] // of the run to go on with, or nil
}

func execute[T graphs.Float](ctx context.Context, c *Config, o Options, data *Dataset, block int, dir *RunDir) error {
	e := &experiment[T]{config: c, options: o, dir: dir, block: block, phases: make(map[string]Figure)}
	if err := e.phase("prepare", func() error { return e.prepare(data) }); err != nil {
		return err
	}
	trained := e.phase("train", func() error { return e.run(ctx) })
	e.begins(PhaseWriting, 0, 0)
	written := e.phase("write", func() error { return e.write(trained == nil) })
	var diverged *training.Diverged
	if trained == nil && written == nil || errors.As(trained, &diverged) {
		written = errors.Join(written, dir.remove(resumeName)) // the run is over
	}
	return errors.Join(trained, written, dir.Update(func(m *Manifest) { m.PhaseTimes, m.Stopped = e.phases, e.stopped }))
}

// phase measures the wall-clock time of a part of the run.
func (e *experiment[T]) phase(name string, do func() error) error {
	start := time.Now()
	err := do()
	e.phases[name] = Figure(time.Since(start).Seconds())
	return err
}

// begins tells the observer that a phase begins, of so many steps some of which are done.
func (e *experiment[T]) begins(phase Phase, done, of int) {
	e.tell(phase, Progress{Step: done, Steps: of, Loss: math.NaN(), Residual: math.NaN()})
}

// tell tells the observer how far a phase is.
func (e *experiment[T]) tell(phase Phase, p Progress) {
	if e.options.Phase != nil {
		e.options.Phase(phase, p)
	}
}

// build draws the samples and builds network and machines. Of the queries it takes count from first
// on; a count of 0 is all.
func (e *experiment[T]) build(data *Dataset, first, count int) (err error) {
	c := e.config
	if e.train, e.query, e.classes, err = data.Split(uint64(c.Seed), c.Data.Train, c.Data.Query, c.Data.Classes); err != nil {
		return err
	}
	if e.altered, err = c.Data.alter(uint64(c.Seed), e.train, e.query, e.classes); err != nil {
		return err
	}
	if count > 0 {
		e.query = e.query.rows(first, count)
	}
	e.inputs = narrow[T](e.train.Inputs)
	if e.targets, err = targetsOf[T](c.Loss.Kind, e.train, e.classes); err != nil {
		return err
	}
	e.classes = training.Outputs(c.Loss.Kind, e.classes)
	if e.network, err = c.Network.Build(data, e.classes); err != nil {
		return err
	}
	if e.initial, err = graphs.Initialise[T](e.network, graphs.Scheme(c.Network.Init.Scheme), c.Network.Init.Gain, uint64(c.Seed)); err != nil {
		return err
	}
	if err := e.prepareMachines(); err != nil {
		return err
	}
	e.tracker.streams = c.Training.Optimizer.plain()
	return nil
}

// prepare builds the run and writes what is known before training.
func (e *experiment[T]) prepare(data *Dataset) (err error) {
	c := e.config
	if err := e.build(data, 0, 0); err != nil {
		return err
	}
	e.tracker.elsewhere = e.options.Distribute != nil
	e.lossPath = newLossPath[T](&c.Bound, e.options.Engine, e.train.Count())
	e.bounds = &boundsLog[T]{queries: e.queries, windows: e.tracker.windows}
	if err := e.tracker.begin(e.initial); err != nil {
		return err
	}
	if err := e.dir.Update(func(m *Manifest) {
		m.FastDevRun = c.FastDevRun
		m.Name, m.Seed, m.BLAS, m.Vector = c.Name, c.Seed, e.options.Engine.Name(), vector.Name()
		m.Data = data.provenance(c.Data.Classes)
	}); err != nil {
		return err
	}
	if err := e.writeBeginning(); err != nil {
		return err
	}
	if e.dir.resumed {
		if err := e.resume(); err != nil {
			return err
		}
	}
	return e.dir.Update(func(*Manifest) {})
}

// prepareMachines builds the machines, in groups of one target, and the tracker that feeds them.
func (e *experiment[T]) prepareMachines() (err error) {
	c, kernel := e.config, pathkernel.Kernel(e.config.PathKernel)
	for _, m := range c.Machines {
		target, err := newTarget(m.Target, c.Loss.Kind, e.query, e.classes)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(e.groups, func(g *group[T]) bool { return g.name == m.Target })
		if i < 0 {
			i = len(e.groups)
			e.groups = append(e.groups, newGroup[T](m.Target, target))
		}
		g, kernel := e.groups[i], kernel
		if target != nil {
			kernel = pathkernel.NoKernel
		}
		machine, err := m.build(kernel, e.query.Count(), g.size(e.classes), e.train.Count(), c.Training.Steps)
		if err != nil {
			return err
		}
		g.machines, e.machines = append(g.machines, machine), append(e.machines, machine)
	}
	if e.queries, err = newQueries(e.network, e.options.Engine, narrow[T](e.query.Inputs), e.block, e.machines); err != nil {
		return err
	}
	if e.tracker, err = newTracker(e.queries, e.groups, kernel, e.inputs); err != nil {
		return err
	}
	e.tracker.refiner.budget = c.refineBudget()
	if e.tracker.windows, err = c.windowsOf(e.train.Count(), cmp.Or(e.windowSteps, c.Training.Steps)); err != nil {
		return err
	}
	for _, m := range e.machines {
		if c.Decompose.Layers {
			m.SplitLayers(len(e.layers()))
		}
		if n := e.tracker.windows.count(); n > 0 {
			m.SplitWindows(n)
		}
	}
	return nil
}

// groupOf returns the group of a machine.
func (e *experiment[T]) groupOf(m *pathkernel.Machine) *group[T] {
	i := slices.IndexFunc(e.groups, func(g *group[T]) bool { return slices.Contains(g.machines, m) })
	return e.groups[i]
}

// build returns the empty machine of a configuration, for a run of so many steps.
func (m Machine) build(kernel pathkernel.Kernel, queries, outputs, samples, steps int) (*pathkernel.Machine, error) {
	var adaptive *pathkernel.Adaptive
	var rule pathkernel.Rule
	if m.Rule == adaptiveRule {
		adaptive = &pathkernel.Adaptive{Tolerance: m.Tolerance / float64(steps), MaxNodes: m.MaxNodes}
		rule = adaptive.Base()
	} else {
		var err error
		if rule, err = pathkernel.ParseRule(m.Rule); err != nil {
			return nil, err
		}
	}
	measure, err := pathkernel.NewMeasure(m.Family, rule)
	if err != nil {
		return nil, err
	}
	machine, err := pathkernel.NewMachine(m.Name, measure, kernel, queries, outputs, samples)
	if err != nil {
		return nil, err
	}
	machine.Adaptive = adaptive
	return machine, nil
}

// newLoop returns the loop of the configuration, without hooks.
func (e *experiment[T]) newLoop() (*training.Loop[T], error) {
	c := e.config
	loss, err := training.NewLoss[T](c.Loss.Kind)
	if err != nil {
		return nil, err
	}
	t := &c.Training
	loop := &training.Loop[T]{
		Network: e.network, Engine: e.options.Engine, Loss: loss, Inputs: e.inputs, Targets: e.targets, Initial: e.initial,
		LearningRate: t.Optimizer.LearningRate, Steps: t.Steps, LossLimit: t.LossLimit, BatchSize: t.BatchSize, Seed: uint64(c.Seed),
		Schedule: t.ScheduleOptions(), Stop: training.Stop{Loss: t.Stop.Loss, GradientNorm: t.Stop.GradientNorm},
	}
	if t.Optimizer.Kind == "flow" {
		o := &t.Optimizer
		loop.Flow = &training.FlowOptions{Time: o.Time, RelativeTolerance: o.RelativeTolerance, AbsoluteTolerance: o.AbsoluteTolerance, MaxStep: o.MaxStep, FixedStep: o.FixedStep}
	} else {
		loop.Optimizer = t.Options()
	}
	return loop, nil
}

// run trains.
func (e *experiment[T]) run(ctx context.Context) error {
	loop, err := e.newLoop()
	if err != nil {
		return err
	}
	log, err := newStepLog(e)
	if err != nil {
		return err
	}
	save := &saver[T]{experiment: e, every: time.Duration(min(e.config.Training.Checkpoints.Save, 1e9) * float64(time.Second))}
	loop.Hooks = []training.Hook[T]{e.tracker, e.checkpoints(), log, e.bounds}
	if e.lossPath != nil {
		loop.Hooks = append(loop.Hooks, e.lossPath)
	}
	loop.Hooks = append(loop.Hooks, save) // what the others have taken
	e.begins(PhaseTraining, len(e.stepSizes), e.config.Training.Steps)
	result, err := loop.RunFrom(ctx, e.from)
	e.final, e.completed, e.stopped = result.Weights, result.Steps, result.Reason
	e.accounted = e.tracker.accounts()
	if err != nil {
		return err
	}
	loop.Hooks = nil
	if !e.accounted && len(e.machines) > 0 {
		if err := e.phase("account", func() error {
			if e.tracker.elsewhere {
				return e.distribute(ctx)
			}
			return e.account(ctx, loop, save)
		}); err != nil {
			return err
		}
		e.accounted = true
	}
	if len(e.config.Baselines) > 0 {
		e.begins(PhaseBaselines, 0, 0)
	}
	return e.phase("compare", func() error { return e.compareWith(ctx, loop) })
}
