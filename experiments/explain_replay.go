package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"pkm/graphs"
	"pkm/internal/vector"
	"pkm/pathkernel"
	"pkm/training"
)

// replay follows the path of the weights again and accounts for samples along it.
func (x *explainer) replay(ctx context.Context, s *explainedSamples, t *explainedTarget) (*accounts, error) {
	if x.options.Engine == nil {
		return nil, x.fault("call Explain with an Engine", "the account is not stored")
	}
	if x.config.Precision == "float32" {
		return replay[float32](ctx, x, s, t)
	}
	return replay[float64](ctx, x, s, t)
}

// replayWindows is how many windows of steps a replay tells apart, where the run tells none.
const replayWindows = 10

// replayConfig returns the configuration of the run with the samples for its queries and the target's machine alone.
func (x *explainer) replayConfig(s *explainedSamples, t *explainedTarget) *Config {
	c := *x.config
	machine := *t.machine
	machine.Target = t.h
	c.Machines, c.PathKernel, c.Data.Query = []Machine{machine}, string(pathkernel.NoKernel), s.count()
	c.Baselines, c.Analysis, c.Bound = nil, Analysis{}, Bound{Kind: "none"}
	c.Decompose.Layers = true
	if c.Decompose.Windows == 0 && c.Decompose.Epochs == 0 {
		c.Decompose.Windows = min(replayWindows, x.run.Summary.Steps)
	}
	return &c
}

func replay[T graphs.Float](ctx context.Context, x *explainer, s *explainedSamples, t *explainedTarget) (*accounts, error) {
	r := &replayed[T]{explainer: x}
	if err := r.prepare(s, t); err != nil {
		return nil, err
	}
	defer r.experiment.options.Engine.Close()
	loop, err := r.experiment.newLoop()
	if err != nil {
		return nil, err
	}
	if r.experiment.tracker.streams {
		err = r.train(ctx, loop, r.experiment.tracker)
	} else {
		err = r.account(ctx, loop)
	}
	var other *training.ReplayError
	if errors.As(err, &other) {
		return nil, r.otherPath()
	}
	if err != nil {
		return nil, fmt.Errorf("follow the path of its weights again: %w", err)
	}
	return r.accounts()
}

// replayed is an experiment that is followed again.
type replayed[T graphs.Float] struct {
	*explainer
	experiment *experiment[T]
	final      []T // w_S of the run
}

// prepare rebuilds the experiment from the files of the run.
func (r *replayed[T]) prepare(s *explainedSamples, t *explainedTarget) (err error) {
	x := r.explainer
	c := x.replayConfig(s, t)
	// What the plan asks of the data are shape and classes.
	plan, err := c.plan(&Dataset{Shape: x.shape, Classes: len(x.classes), Outputs: x.run.Summary.Outputs})
	if err != nil {
		return err
	}
	limit, _ := ParseSize(c.Memory)
	if allowed := min(limit, availableMemory()); plan.Memory() > allowed {
		const gib = 1 << 30
		return x.fault("give fewer samples at once, or make room in memory", "to follow the path of its weights again for %d sample(s) takes about %.3g GiB, of %.3g GiB that it may take", s.count(), plan.Memory()/gib, allowed/gib)
	}
	e := &experiment[T]{config: c, block: plan.Block, phases: make(map[string]Figure), query: s.samples, classes: x.run.Summary.Outputs}
	if e.network, err = c.Network.Build(&Dataset{Shape: x.shape}, e.classes); err != nil {
		return err
	}
	for _, side := range []struct {
		file string
		to   *[]T
	}{{"weights_initial.safetensors", &e.initial}, {"weights_final.safetensors", &r.final}} {
		if err := x.check(side.file); err != nil {
			return err
		}
		if *side.to, err = readWeights[T](x.read, e.network, side.file); err != nil {
			return err
		}
	}
	if e.inputs, err = readElements[T](x.read, "train_inputs"); err != nil {
		return err
	}
	train := *x.train
	train.Indices = make([]int64, x.run.Summary.Samples.Train)
	e.train = &train
	if e.targets, err = targetsOf[T](c.Loss.Kind, e.train, e.classes); err != nil {
		return err
	}
	if e.options.Engine, err = x.options.Engine(x.run.Manifest.BLAS); err != nil {
		return err
	}
	e.completed = x.run.Summary.Steps
	if d := x.config.Decompose; d.Windows == 0 && d.Epochs == 0 { // the windows are the replay's own
		e.windowSteps = e.completed
	}
	if err := e.prepareMachines(); err != nil {
		e.options.Engine.Close()
		return err
	}
	e.tracker.streams = c.Training.Optimizer.plain()
	if err := e.tracker.begin(e.initial); err != nil {
		e.options.Engine.Close()
		return err
	}
	r.experiment = e
	return nil
}

// train runs the loop from w_0 with hooks and checks that it ends in the run's weights.
func (r *replayed[T]) train(ctx context.Context, loop *training.Loop[T], hooks ...training.Hook[T]) error {
	loop.Hooks = append(hooks, &follower[T]{r.options.Progress, r.run.Summary.Steps})
	result, err := loop.RunFrom(ctx, nil)
	if err != nil {
		return err
	}
	loop.Hooks = nil
	e := r.experiment
	if e.tracker.streams {
		e.completed = result.Steps
	}
	if result.Steps != r.run.Summary.Steps || !slices.Equal(result.Weights, r.final) {
		return r.otherPath()
	}
	return nil
}

// otherPath reports weights that are not those of the run.
func (r *replayed[T]) otherPath() error {
	m, here := &r.run.Manifest, r.experiment.options.Engine.Name()
	do := fmt.Sprintf("explain it where it was made, or run it again here, by pkm run %s/config.yaml, and explain that", r.run.Path)
	if m.BLAS != here {
		do = "leave PKM_BLAS unset, or " + do
	}
	return r.fault(do, "following the path of its weights again ends in other weights than the run's: it was made with %s, %s, on %s/%s, and this is %s, %s, on %s/%s",
		m.BLAS, m.Vector, m.OS, m.Arch, here, vector.Name(), runtime.GOOS, runtime.GOARCH)
}

// follower is the hook that tells the observer.
type follower[T graphs.Float] struct {
	progress func(Progress)
	steps    int
}

// Step implements training.Hook.
func (f *follower[T]) Step(_ context.Context, s *training.Step[T]) error {
	if f.progress != nil {
		f.progress(Progress{Step: s.Index + 1, Steps: f.steps, Loss: s.Loss, Residual: math.NaN()})
	}
	return nil
}

// Finish implements training.Hook.
func (f *follower[T]) Finish(context.Context, *training.Step[T]) error { return nil }

// account accounts backwards over the trajectory, from checkpoints that are made again where the run has lost its own.
func (r *replayed[T]) account(ctx context.Context, loop *training.Loop[T]) error {
	e := r.experiment
	steps := r.run.Summary.Steps
	trajectory := training.Trajectory{Dir: filepath.Join(r.run.Path, "trajectory")}
	starts, err := trajectory.Steps()
	if err != nil {
		return err
	}
	if len(starts) == 0 || starts[0] != 0 || starts[len(starts)-1] != steps {
		if trajectory.Dir, err = os.MkdirTemp("", "pkm-explain-"); err != nil {
			return err
		}
		defer os.RemoveAll(trajectory.Dir)
		checkpoints := e.checkpoints()
		checkpoints.Write = func(s *training.Snapshot[T]) error {
			return training.WriteCheckpoint(trajectory.Path(s.Step), e.network.Layout(), s)
		}
		if err := r.train(ctx, loop, checkpoints); err != nil {
			return err
		}
		if starts, err = trajectory.Steps(); err != nil {
			return err
		}
	}
	end, err := training.ReadCheckpointOf[T](trajectory.Path(steps), e.network.Layout(), steps)
	if err != nil {
		return err
	}
	if !slices.Equal(end.Weights, r.final) {
		return r.otherPath()
	}
	a := &accountant[T]{experiment: e, loop: loop, gradient: make(map[int]*graphs.Gradient[T]),
		refiner: &refiner[T]{network: e.network, engine: e.options.Engine, queries: e.queries.inputs}}
	blocks := e.queries.blocks()
	for i, block := range blocks {
		if err := a.begin(i, block); err != nil {
			return err
		}
		end := steps
		for _, start := range slices.Backward(starts) {
			if start >= end {
				continue
			}
			if err := a.segment(ctx, trajectory, start, end); err != nil {
				return err
			}
			end = start
			if r.options.Progress != nil {
				r.options.Progress(Progress{Step: ((i+1)*steps - end) / len(blocks), Steps: steps, Loss: math.NaN(), Residual: math.NaN()})
			}
		}
	}
	return nil
}

// accounts returns what the machine holds.
func (r *replayed[T]) accounts() (*accounts, error) {
	e := r.experiment
	if e.tracker.streams && e.completed > 0 {
		if err := e.tracker.closeWindow(e.completed - 1); err != nil { // one that was cut short
			return nil, err
		}
	}
	f, err := e.queries.all(r.final)
	if err != nil {
		return nil, err
	}
	g, m := e.groups[0], e.machines[0]
	a := &accounts{source: "replayed", initial: e.tracker.initial, final: f, layers: e.layers()}
	for _, b := range e.tracker.windows.bounds {
		a.bounds = append(a.bounds, min(b, e.completed))
	}
	final, _ := g.values(0, f, e.classes)
	n, k := e.train.Count(), g.size(e.classes)
	contributions, regularization := m.Contributions(), m.Regularization()
	layers, layersDecay := m.ByLayer()
	windows, windowsDecay := m.ByWindow()
	rows := len(final)
	a.of = func(sample, value int) (*sampleAccount, error) {
		at := sample*k + value
		cut := func(all, decay []float64) (s shares) {
			for p := range len(decay) / rows {
				s.contributions, s.regularization = append(s.contributions, all[(p*rows+at)*n:(p*rows+at+1)*n]), append(s.regularization, decay[p*rows+at])
			}
			return s
		}
		return &sampleAccount{initial: g.initial[at], final: final[at], regularization: regularization[at], contributions: contributions[at*n : (at+1)*n],
			layers: cut(layers, layersDecay), windows: cut(windows, windowsDecay)}, nil
	}
	return a, nil
}
