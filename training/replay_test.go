package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pkm/graphs"
)

// small is a network, data and options for short runs of every kind.
func small[T graphs.Float](t testing.TB) *Loop[T] {
	t.Helper()
	n, err := graphs.New(graphs.Shape{3}, graphs.Dense{Out: 5, Bias: true}, graphs.Activation{Kind: graphs.Tanh}, graphs.Dense{Out: 2, Bias: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := graphs.Initialise[T](n, graphs.GlorotNormal, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	l := &Loop[T]{Network: n, Engine: gonum(t), Loss: CrossEntropy[T]{}, Initial: w, LearningRate: 0.05, Steps: 23, BatchSize: 4, Seed: 3,
		Optimizer: DefaultOptions(AdamName), Schedule: ScheduleOptions{Kind: CosineName}, LossLimit: 1e4}
	for i := range 11 {
		for j := range 3 {
			l.Inputs = append(l.Inputs, T(math.Sin(float64(7*i+3*j))))
		}
		l.Targets = append(l.Targets, T(i%2), T(1-i%2))
	}
	return l
}

// keeper keeps the weights, updates and batches that it sees.
type keeper[T graphs.Float] struct {
	weights, deltas map[int][]T
	batches         map[int][]int
	epochs          []int
	stopped         *Snapshot[T]
	at              int // cancels at that step, if cancel is set
	cancel          context.CancelFunc
}

func newKeeper[T graphs.Float]() *keeper[T] {
	return &keeper[T]{weights: make(map[int][]T), deltas: make(map[int][]T), batches: make(map[int][]int)}
}

func (k *keeper[T]) Step(_ context.Context, s *Step[T]) error {
	k.weights[s.Index], k.deltas[s.Index], k.batches[s.Index] = slices.Clone(s.Weights), slices.Clone(s.Delta), slices.Clone(s.Batch)
	if k.cancel != nil && s.Index == k.at {
		k.cancel()
	}
	return nil
}

func (k *keeper[T]) Finish(_ context.Context, s *Step[T]) error {
	k.weights[s.Index] = slices.Clone(s.Weights)
	return nil
}

func (k *keeper[T]) Epoch(_ context.Context, s *Step[T]) error {
	k.epochs = append(k.epochs, s.Index)
	return nil
}

func (k *keeper[T]) Stopped(_ context.Context, s *Snapshot[T]) error {
	k.stopped = s.Clone()
	return nil
}

// variants are the loops whose state differs in kind.
func variants[T graphs.Float](t testing.TB) map[string]*Loop[T] {
	all := map[string]*Loop[T]{"adam": small[T](t), "momentum": small[T](t), "full batch": small[T](t), "adagrad": small[T](t), "flow": small[T](t), "clipped": small[T](t)}
	all["momentum"].Optimizer = Options{Kind: SGDName, Momentum: 0.9, Nesterov: true, WeightDecay: 0.01}
	all["full batch"].BatchSize = 0
	all["adagrad"].Optimizer = DefaultOptions(AdagradName)
	all["two tensors, momentum"] = small[T](t)
	all["two tensors, momentum"].Optimizer = Options{Kind: RMSpropName, Alpha: 0.9, Epsilon: 1e-8, Momentum: 0.5, Centered: true}
	all["clipped"].Optimizer = Options{Kind: SGDName, ClipNorm: 0.1}
	flow := all["flow"]
	flow.BatchSize, flow.Steps, flow.Flow = 0, 200, &FlowOptions{Time: 20, RelativeTolerance: 1e-4, AbsoluteTolerance: 1e-7}
	return all
}

// record runs a loop with checkpoints every k steps into a new trajectory.
func record[T graphs.Float](t *testing.T, l *Loop[T], every int) (Trajectory, *keeper[T], Result[T]) {
	t.Helper()
	trajectory, kept := Trajectory{t.TempDir()}, newKeeper[T]()
	layout := l.Network.Layout()
	l.Hooks = []Hook[T]{kept, &Checkpoints[T]{Every: every, Write: func(s *Snapshot[T]) error {
		return WriteCheckpoint(trajectory.Path(s.Step), layout, s)
	}}}
	result, err := l.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l.Hooks = nil
	return trajectory, kept, result
}

// Any segment, from any checkpoint, gives the recorded weights and updates bit for bit.
func TestReplayInTheSameBits(t *testing.T) {
	t.Run("float32", replayInTheSameBits[float32])
	t.Run("float64", replayInTheSameBits[float64])
}

func replayInTheSameBits[T graphs.Float](t *testing.T) {
	for name, l := range variants[T](t) {
		trajectory, kept, result := record(t, l, 5)
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		for _, cores := range []int{1, 2, 4} {
			runtime.GOMAXPROCS(cores)
			for _, segment := range [][2]int{{0, result.Steps}, {0, 1}, {3, 9}, {5, 10}, {7, 7}, {result.Steps - 1, result.Steps}} {
				replayed := newKeeper[T]()
				w, err := Replay(context.Background(), l, trajectory, segment[0], segment[1], replayed)
				if err != nil {
					t.Fatalf("%s, steps %v: %v", name, segment, err)
				}
				if len(replayed.weights) != segment[1]-segment[0] || !slices.Equal(w, kept.weights[segment[1]]) {
					t.Fatalf("%s, steps %v, %d cores: %d steps, the end is elsewhere", name, segment, cores, len(replayed.weights))
				}
				for s := range replayed.weights {
					if !slices.Equal(replayed.weights[s], kept.weights[s]) || !slices.Equal(replayed.deltas[s], kept.deltas[s]) || !slices.Equal(replayed.batches[s], kept.batches[s]) {
						t.Fatalf("%s, steps %v, %d cores: step %d is another one", name, segment, cores, s)
					}
				}
			}
		}
	}
}

// A run that is stopped after any step and gone on from its checkpoint ends in the same bits.
func TestStoppedRunContinues(t *testing.T) {
	for name, l := range variants[float64](t) {
		_, kept, whole := record(t, l, 1000)
		for _, at := range []int{0, 4, 8} {
			ctx, cancel := context.WithCancel(context.Background())
			first := newKeeper[float64]()
			first.at, first.cancel = at, cancel
			l.Hooks = []Hook[float64]{first}
			result, err := l.Run(ctx)
			if !errors.Is(err, context.Canceled) || result.Steps != at+1 || first.stopped == nil || first.stopped.Step != at+1 {
				t.Fatalf("%s: stopped at step %d: %d steps, %v", name, at, result.Steps, err)
			}
			path := filepath.Join(t.TempDir(), "checkpoint")
			if err := WriteCheckpoint(path, l.Network.Layout(), first.stopped); err != nil {
				t.Fatal(err)
			}
			from, err := ReadCheckpoint[float64](path, l.Network.Layout())
			if err != nil {
				t.Fatal(err)
			}
			second := newKeeper[float64]()
			l.Hooks = []Hook[float64]{second}
			result, err = l.RunFrom(context.Background(), from)
			if err != nil || !slices.Equal(result.Weights, whole.Weights) || result.Steps != whole.Steps {
				t.Fatalf("%s: gone on from step %d the run ends elsewhere: %v", name, at+1, err)
			}
			for s := at + 1; s < whole.Steps; s++ {
				if !slices.Equal(second.deltas[s], kept.deltas[s]) {
					t.Fatalf("%s: gone on from step %d, step %d is another one", name, at+1, s)
				}
			}
		}
	}
}

// The state matters: without the optimizer's tensors, its count of steps, or the step, the
// replay ends elsewhere.
func TestForgottenStateIsNoticed(t *testing.T) {
	l := small[float64](t)
	trajectory, _, _ := record(t, l, 5)
	layout := l.Network.Layout()
	for name, forget := range map[string]func(s *Snapshot[float64]){
		"moments": func(s *Snapshot[float64]) { clear(s.Optimizer.Tensors[0].Values) },
		"updates": func(s *Snapshot[float64]) { s.Optimizer.Steps = 0 },
		"step":    func(s *Snapshot[float64]) { s.Step = 6 },
		"weight":  func(s *Snapshot[float64]) { s.Weights[3] = math.Nextafter(s.Weights[3], 9) },
	} {
		s, err := ReadCheckpoint[float64](trajectory.Path(5), layout)
		if err != nil {
			t.Fatal(err)
		}
		other := Trajectory{t.TempDir()}
		forget(s)
		if err := WriteCheckpoint(other.Path(s.Step), layout, s); err != nil {
			t.Fatal(err)
		}
		end, err := os.ReadFile(trajectory.Path(10))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other.Path(10), end, 0o666); err != nil {
			t.Fatal(err)
		}
		var miss *ReplayError
		if _, err := Replay(context.Background(), l, other, s.Step, 10); !errors.As(err, &miss) || miss.Step != 10 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedCheckpointsAreNamed(t *testing.T) {
	l := small[float64](t)
	trajectory, _, _ := record(t, l, 5)
	layout, path := l.Network.Layout(), trajectory.Path(5)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		damage func() error
		want   string
	}{
		"cut":     {func() error { return os.WriteFile(path, whole[:len(whole)-9], 0o666) }, "cut"},
		"one bit": {func() error { b := slices.Clone(whole); b[len(b)-3] ^= 4; return os.WriteFile(path, b, 0o666) }, "altered"},
		"a figure": {func() error {
			return os.WriteFile(path, []byte(strings.Replace(string(whole), `"step":"5"`, `"step":"6"`, 1)), 0o666)
		}, "altered"},
		"not one":     {func() error { return os.WriteFile(path, []byte("hello, this is no checkpoint"), 0o666) }, path},
		"missing":     {func() error { return os.Remove(path) }, "missing"},
		"the old one": {func() error { return os.WriteFile(path, whole, 0o666) }, ""},
	} {
		if err := test.damage(); err != nil {
			t.Fatal(err)
		}
		_, err := ReadCheckpoint[float64](path, layout)
		var fault *CheckpointError
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (!errors.As(err, &fault) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCheckpoint[float32](path, layout); err == nil || !strings.Contains(err.Error(), "precision") {
		t.Errorf("another precision: %v", err)
	}
	if _, err := ReadCheckpoint[float64](path, layout[:2]); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("another network: %v", err)
	}
	if _, err := Replay(context.Background(), l, Trajectory{t.TempDir()}, 0, 1); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("an empty folder: %v", err)
	}
	// A checkpoint under the name of another, the end itself, and a segment that ends at none.
	if err := os.WriteFile(path, mustRead(t, trajectory.Path(10)), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Replay(context.Background(), l, trajectory, 7, 9); err == nil || !strings.Contains(err.Error(), "of step 10") {
		t.Errorf("a checkpoint of another step: %v", err)
	}
	if err := os.WriteFile(path, whole, 0o666); err != nil {
		t.Fatal(err)
	}
	if w, err := Replay(context.Background(), l, trajectory, l.Steps, l.Steps); err != nil || len(w) != len(l.Initial) {
		t.Errorf("the end: %v", err)
	}
	seeded := small[float64](t)
	seeded.Seed++
	var elsewhere *ReplayError
	if _, err := Replay(context.Background(), seeded, trajectory, 6, 8); !errors.As(err, &elsewhere) {
		t.Errorf("another seed, a segment that ends at no checkpoint: %v", err)
	}
	other := small[float64](t)
	other.LearningRate = 0.06
	var miss *ReplayError
	if _, err := Replay(context.Background(), other, trajectory, 0, 10); !errors.As(err, &miss) {
		t.Errorf("another learning rate: %v", err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHooksOfEpochsAndEarlyStops(t *testing.T) {
	l := small[float64](t)
	_, kept, result := record(t, l, 1000)
	if want := []int{2, 5, 8, 11, 14, 17, 20}; !slices.Equal(kept.epochs, want) || result.Steps != 23 { // batches of 4, 4, 3
		t.Errorf("epochs end with steps %v of %d, want %v", kept.epochs, result.Steps, want)
	}
	for name, stop := range map[string]Stop{"loss": {Loss: 0.6}, "gradient": {GradientNorm: 0.05}} {
		l := small[float64](t)
		l.BatchSize, l.Steps, l.Stop = 0, 2000, stop
		kept := newKeeper[float64]()
		l.Hooks = []Hook[float64]{kept}
		result, err := l.Run(context.Background())
		if err != nil || result.Steps == 0 || result.Steps >= 2000 || !strings.Contains(result.Reason, name) || len(kept.weights) != result.Steps+1 {
			t.Errorf("%s: %d steps, %q, %v", name, result.Steps, result.Reason, err)
		}
	}
}

// k is the smallest with (⌊S/k⌋ + 2)·each ≤ disk.
func TestCheckpointSpacing(t *testing.T) {
	for steps := 1; steps < 40; steps++ {
		for disk := 1.0; disk < 50; disk++ {
			want := max(1, steps)
			for k := 1; k <= steps; k++ {
				if math.Floor(float64(steps)/float64(k))+2 <= disk {
					want = k
					break
				}
			}
			if got := CheckpointSpacing(steps, 1, disk); got != want && !(got > steps && want == steps) {
				t.Fatalf("%d steps, room for %g: every %d, want %d", steps, disk, got, want)
			}
		}
	}
}

// A segment is independent of the others, and of the order in which they are replayed.
func ExampleReplay() {
	t := new(testing.T)
	l := small[float64](t)
	dir, err := os.MkdirTemp("", "trajectory")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	trajectory, layout := Trajectory{dir}, l.Network.Layout()
	l.Hooks = []Hook[float64]{&Checkpoints[float64]{Every: 10, Write: func(s *Snapshot[float64]) error {
		return WriteCheckpoint(trajectory.Path(s.Step), layout, s)
	}}}
	result, err := l.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := Replay(context.Background(), l, trajectory, 13, result.Steps)
	fmt.Println(slices.Equal(w, result.Weights), err)
	// Output: true <nil>
}
