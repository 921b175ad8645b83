package experiments

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"pkm/graphs"
	"pkm/internal/atomicfile"
	"pkm/internal/compute"
	"pkm/internal/safetensors"
	"pkm/internal/vector"
	"pkm/pathkernel"
	"pkm/training"
)

// PartWorker does parts of runs, one at a time. It keeps the configuration and the data of the last.
type PartWorker struct {
	Engine compute.Engine

	configuration string // SHA-256
	config        *Config
	data          *Dataset
}

// Do does one part of a run in dir, whose trajectory is there, and writes its files; carry
// is the file of the part After. Where the platform, the BLAS or the data are not those of the run the error is a
// *ResumeError: another worker may do it.
//
// Memory: as [Execute]'s for Count queries. Time: the training of the part's steps, and what the machines
// take for them.
func (w *PartWorker) Do(ctx context.Context, dir string, p Part, carry string) (PartFiles, error) {
	fail := func(err error) (PartFiles, error) {
		return PartFiles{}, fmt.Errorf("account for steps %d to %d of run %s, queries %d to %d: %w", p.From, p.To, dir, p.First, p.First+p.Count, err)
	}
	m, err := ReadManifest(dir)
	if err != nil {
		return fail(err)
	}
	if err := w.load(dir, p.Configuration); err != nil {
		return fail(err)
	}
	for _, f := range []struct{ name, was, is string }{
		{"pkm version", m.PkmVersion, Version()}, {"operating system", m.OS, runtime.GOOS}, {"architecture", m.Arch, runtime.GOARCH},
		{"BLAS", m.BLAS, w.Engine.Name()}, {"vector unit", m.Vector, vector.Name()}, {"data SHA-256", m.Data.SHA256, w.data.SHA256},
	} {
		if f.was != f.is {
			return fail(&ResumeError{Dir: dir, Field: f.name, Fault: fmt.Sprintf("it was trained with %s, this worker has %s: a replay would have other bits", f.was, f.is)})
		}
	}
	var files PartFiles
	if w.config.Precision == "float32" {
		files, err = executePart[float32](ctx, dir, p, carry, w)
	} else {
		files, err = executePart[float64](ctx, dir, p, carry, w)
	}
	if err != nil {
		return fail(err)
	}
	return files, nil
}

// load reads the configuration of the run in dir, and its data.
func (w *PartWorker) load(dir, configuration string) error {
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		return err
	}
	if sum(text) != configuration {
		return &ResumeError{Dir: dir, Fault: "its configuration is another one than the task's: name the folder of the run with --dir"}
	}
	if w.configuration == configuration {
		return nil
	}
	w.configuration = ""
	if w.config, err = parseWritten("config.yaml", text); err != nil {
		return err
	}
	if w.data, err = w.config.load(); err != nil {
		return err
	}
	w.configuration = configuration
	return nil
}

func executePart[T graphs.Float](ctx context.Context, dir string, p Part, carry string, w *PartWorker) (PartFiles, error) {
	e := &experiment[T]{config: w.config, options: Options{Dir: dir, Engine: w.Engine}, block: p.Count}
	if err := e.build(w.data, p.First, p.Count); err != nil {
		return PartFiles{}, err
	}
	loop, err := e.newLoop()
	if err != nil {
		return PartFiles{}, err
	}
	t := &partTask[T]{experiment: e, part: p, loop: loop, trajectory: training.Trajectory{Dir: filepath.Join(dir, "trajectory")}, residuals: make([]float64, p.To-p.From)}
	if e.tracker.streams {
		return t.stream(ctx)
	}
	return t.account(ctx, carry)
}

// partTask is a part under way.
type partTask[T graphs.Float] struct {
	*experiment[T]
	part       Part
	loop       *training.Loop[T]
	trajectory training.Trajectory
	residuals  []float64 // of its steps, the largest of the queries
}

// at reads the checkpoint of a step.
func (t *partTask[T]) at(step int) (*training.Snapshot[T], error) {
	return training.ReadCheckpointOf[T](t.trajectory.Path(step), t.network.Layout(), step)
}

// Step implements training.Hook, after the tracker: it keeps the residual.
func (t *partTask[T]) Step(_ context.Context, s *training.Step[T]) error {
	t.residuals[s.Index-t.part.From] = t.tracker.residual
	return nil
}

// Finish implements training.Hook.
func (t *partTask[T]) Finish(context.Context, *training.Step[T]) error { return nil }

// stream does a part of plain descent: its steps in ascending order.
func (t *partTask[T]) stream(ctx context.Context) (PartFiles, error) {
	p := t.part
	start, err := t.at(p.From)
	if err != nil {
		return PartFiles{}, err
	}
	if err := t.tracker.begin(start.Weights); err != nil {
		return PartFiles{}, err
	}
	for _, m := range t.machines {
		a := m.Accumulators()
		a.LastRate = p.LastRate
		if err := m.Restore(a); err != nil {
			return PartFiles{}, err
		}
	}
	if _, err := training.Replay(ctx, t.loop, t.trajectory, p.From, p.To, t.tracker, t); err != nil {
		return PartFiles{}, err
	}
	if err := t.end(ctx); err != nil {
		return PartFiles{}, err
	}
	if t.tracker.windows.count() > 0 && p.To > p.From {
		if err := t.tracker.closeWindow(p.To - 1); err != nil { // one that goes on in another part, or ends with the run
			return PartFiles{}, err
		}
	}
	return t.writePart(t.options.Dir, p, t.residuals, nil)
}

// end lets the tracker take the final weights, where they belong to the part.
func (t *partTask[T]) end(ctx context.Context) error {
	if !t.part.Final {
		return nil
	}
	end, err := t.at(t.part.To)
	if err != nil {
		return err
	}
	t.loop.Hooks = []training.Hook[T]{t.tracker}
	_, err = t.loop.RunFrom(ctx, end)
	t.loop.Hooks = nil
	return err
}

// account does a part of an optimizer's path: segments in descending order.
func (t *partTask[T]) account(ctx context.Context, carry string) (PartFiles, error) {
	p := t.part
	starts, err := t.trajectory.Steps()
	if err != nil {
		return PartFiles{}, err
	}
	a := t.newAccountant(t.loop)
	if err := a.begin(0, queryBlock{0, p.Count}); err != nil {
		return PartFiles{}, err
	}
	if carry != "" {
		if err := a.takeUp(t.options.Dir, carry); err != nil {
			return PartFiles{}, err
		}
	}
	to := p.To
	for _, from := range slices.Backward(starts) {
		if from < p.From || from >= to {
			continue
		}
		start, err := t.at(from)
		if err != nil {
			return PartFiles{}, err
		}
		if err := t.tracker.jump(start.Weights); err != nil {
			return PartFiles{}, err
		}
		steps := &segment[T]{}
		if _, err := training.Replay(ctx, t.loop, t.trajectory, from, to, t.tracker, t, steps); err != nil {
			return PartFiles{}, err
		}
		if to == p.To {
			if err := t.end(ctx); err != nil {
				return PartFiles{}, err
			}
		}
		if err := a.steps(ctx, from, steps.steps); err != nil {
			return PartFiles{}, err
		}
		to = from
	}
	if t.tracker.windows.count() > 0 {
		for _, m := range t.machines {
			if err := t.tracker.windows.close(m, p.From, queryBlock{0, p.Count}); err != nil {
				return PartFiles{}, err
			}
		}
	}
	return t.writePart(t.options.Dir, p, t.residuals, a)
}

// residualsName is the tensor of the residuals of the steps in a file of a part.
const residualsName = "step_residuals"

// writePart writes what a part has added up, and what the part after it takes up.
func (e *experiment[T]) writePart(dir string, p Part, residuals []float64, a *accountant[T]) (files PartFiles, err error) {
	metadata := p.metadata()
	var tensors []Tensor
	for i, m := range e.machines {
		acc := m.Accumulators()
		for name, values := range accumulated(acc) {
			tensors = append(tensors, Tensor{Name: fmt.Sprintf("%s%d.%s", prefixMachine, i, name), Shape: []int{len(values)}, Data: values})
		}
		metadata[fmt.Sprintf("%s%d.bound", prefixMachine, i)] = hexadecimal(acc.Bound)
	}
	tensors = append(tensors, Tensor{Name: residualsName, Shape: []int{len(residuals)}, Data: residuals})
	if files.Sums, err = writePartFile(dir, tensors, metadata); err != nil || a == nil || p.From == 0 {
		return files, err
	}
	metadata, tensors = p.metadata(), nil
	for i, b := range a.backward {
		psi, beta := b.State()
		metadata[fmt.Sprintf("%s%d.beta", prefixMachine, i)] = hexadecimal(beta)
		tensors = append(tensors, Tensor{Name: fmt.Sprintf("%s%d.psi", prefixMachine, i), Shape: []int{len(psi)}, Data: psi})
	}
	files.Carry, err = writePartFile(dir, tensors, metadata)
	return files, err
}

// metadata says whose file a file is.
func (p Part) metadata() map[string]string {
	return map[string]string{"configuration": p.Configuration, "from": strconv.Itoa(p.From), "to": strconv.Itoa(p.To), "first": strconv.Itoa(p.First), "count": strconv.Itoa(p.Count)}
}

// writePartFile writes a file under the SHA-256 of what is in it, which it returns.
func writePartFile(dir string, tensors []Tensor, metadata map[string]string) (name string, err error) {
	folder := filepath.Join(dir, partsFolder)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	d, err := atomicfile.WriteNamed(folder, func(d atomicfile.Digest) string { return filepath.Base(partPath(dir, d.SHA256)) },
		func(w io.Writer) error { return safetensors.Write(w, tensors, metadata) })
	return d.SHA256, err
}

// readPartFile reads a file and checks that it is what its name says.
func readPartFile(dir, name string) (map[string]Tensor, map[string]string, error) {
	fail := func(err error) (map[string]Tensor, map[string]string, error) {
		return nil, nil, fmt.Errorf("read a part of run %s: %s: %w", dir, name, err)
	}
	f, err := os.Open(partPath(dir, name))
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	h := sha256.New()
	content := io.TeeReader(bufio.NewReaderSize(f, 1<<20), h)
	tensors, metadata, err := safetensors.Read(content)
	if err == nil {
		_, err = io.Copy(io.Discard, content)
	}
	if err != nil {
		return fail(err)
	}
	if hex.EncodeToString(h.Sum(nil)) != name {
		return fail(errors.New("it is cut or altered: its SHA-256 is not its name"))
	}
	named := make(map[string]Tensor, len(tensors))
	for _, t := range tensors {
		named[t.Name] = t
	}
	return named, metadata, nil
}

// readPart reads what a part has added up.
func (e *experiment[T]) readPart(p Part, name string) ([]pathkernel.Accumulators, []float64, error) {
	tensors, metadata, err := readPartFile(e.dir.path, name)
	if err != nil {
		return nil, nil, err
	}
	for key, want := range p.metadata() {
		if metadata[key] != want {
			return nil, nil, fmt.Errorf("read a part of run %s: %s has %s %q, want %q", e.dir.path, name, key, metadata[key], want)
		}
	}
	values := func(key string) []float64 {
		v, _ := tensors[key].Data.([]float64)
		return v
	}
	machines := make([]pathkernel.Accumulators, len(e.machines))
	for i := range machines {
		of := func(name string) []float64 { return values(fmt.Sprintf("%s%d.%s", prefixMachine, i, name)) }
		machines[i] = pathkernel.Accumulators{Contributions: of("contributions"), PathKernel: of("path_kernel"), Numerators: of("numerators"),
			Regularization: of("regularization"), Certificate: of("certificate"), Layers: of("layers"), Windows: of("windows")}
		if machines[i].Bound, err = strconv.ParseFloat(metadata[fmt.Sprintf("%s%d.bound", prefixMachine, i)], 64); err != nil {
			return nil, nil, fmt.Errorf("read a part of run %s: %s has no bound of machine %d", e.dir.path, name, i)
		}
	}
	residuals := values(residualsName)
	if len(residuals) != p.To-p.From {
		return nil, nil, fmt.Errorf("read a part of run %s: %s has residuals of %d steps, want %d", e.dir.path, name, len(residuals), p.To-p.From)
	}
	return machines, residuals, nil
}

// takeUp goes on with the account that the part of the later steps has left.
func (a *accountant[T]) takeUp(dir, carry string) error {
	tensors, metadata, err := readPartFile(dir, carry)
	if err != nil {
		return err
	}
	for i, b := range a.backward {
		psi, _ := tensors[fmt.Sprintf("%s%d.psi", prefixMachine, i)].Data.([]T)
		beta, err := strconv.ParseFloat(metadata[fmt.Sprintf("%s%d.beta", prefixMachine, i)], 64)
		if err != nil || math.IsNaN(beta) {
			return fmt.Errorf("read a part of run %s: %s has no β of machine %d", dir, carry, i)
		}
		if err := b.Restore(psi, beta); err != nil {
			return err
		}
	}
	return nil
}
