package experiments

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pkm/graphs"
	"pkm/internal/safetensors"
	"pkm/pathkernel"
	"pkm/training"
)

// resumeName is the file that a killed run goes on from: the state of training and what
// the machines have added up, of one step, in one file. A run that is over has none.
const resumeName = "trajectory/resume.safetensors"

// saver is the hook that writes the resume file now and then, and when the run is stopped.
type saver[T graphs.Float] struct {
	*experiment[T]
	every time.Duration
	last  time.Time
}

// Start implements training.Starter.
func (s *saver[T]) Start(context.Context, *training.Snapshot[T]) error {
	s.last = time.Now()
	return nil
}

// Step implements training.Hook: the hooks before it have taken the step.
func (s *saver[T]) Step(_ context.Context, step *training.Step[T]) error {
	if time.Since(s.last) < s.every {
		return nil
	}
	return s.save(step.Next())
}

// Finish implements training.Hook.
func (s *saver[T]) Finish(context.Context, *training.Step[T]) error { return nil }

// Stopped implements training.Stopper.
func (s *saver[T]) Stopped(_ context.Context, snapshot *training.Snapshot[T]) error {
	return s.save(snapshot)
}

// The prefixes of the tensors and metadata of a resume file.
const prefixState, prefixMachine = "training.", "machine."

// save writes the resume file.
func (s *saver[T]) save(snapshot *training.Snapshot[T]) error {
	metrics, err := s.dir.Metrics()
	if err != nil {
		return err
	}
	if err := metrics.sync(); err != nil {
		return err
	}
	var state bytes.Buffer
	if err := training.EncodeCheckpoint(&state, s.network.Layout(), snapshot); err != nil {
		return err
	}
	tensors, metadata, err := safetensors.Read(&state)
	if err != nil {
		return err
	}
	for i := range tensors {
		tensors[i].Name = prefixState + tensors[i].Name
	}
	for i, m := range s.machines {
		a := m.Accumulators()
		for name, values := range accumulated(a) {
			tensors = append(tensors, Tensor{Name: fmt.Sprintf("%s%d.%s", prefixMachine, i, name), Shape: []int{len(values)}, Data: values})
		}
		metadata[fmt.Sprintf("%s%d.bound", prefixMachine, i)] = hexadecimal(a.Bound)
		metadata[fmt.Sprintf("%s%d.last_rate", prefixMachine, i)] = hexadecimal(a.LastRate)
	}
	tensors = append(tensors, Tensor{Name: "step_sizes", Shape: []int{len(s.stepSizes)}, Data: s.stepSizes})
	if err := s.dir.WriteFile(resumeName, func(w io.Writer) error { return writeSummed(w, tensors, metadata) }); err != nil {
		return err
	}
	s.last = time.Now()
	return s.dir.Update(func(*Manifest) {})
}

// accumulated names the slices of a machine's state.
func accumulated(a pathkernel.Accumulators) map[string][]float64 {
	return map[string][]float64{"contributions": a.Contributions, "path_kernel": a.PathKernel, "numerators": a.Numerators}
}

func hexadecimal(x float64) string { return strconv.FormatFloat(x, 'x', -1, 64) }

// writeSummed writes tensors and, behind them, the SHA-256 of the whole file.
func writeSummed(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	h := sha256.New()
	if err := safetensors.Write(io.MultiWriter(w, h), tensors, metadata); err != nil {
		return err
	}
	_, err := w.Write([]byte(hex.EncodeToString(h.Sum(nil))))
	return err
}

// ResumeError reports a run that cannot be gone on with.
type ResumeError struct {
	Dir   string
	Field string // that differs, or ""
	Fault string
}

// Error implements error.
func (e *ResumeError) Error() string {
	field := ""
	if e.Field != "" {
		field = e.Field + ": "
	}
	return fmt.Sprintf("resume run %s: %s%s", e.Dir, field, e.Fault)
}

// saved is what a resume file holds.
type saved[T graphs.Float] struct {
	snapshot  *training.Snapshot[T]
	machines  []pathkernel.Accumulators
	stepSizes []float64
}

// readSaved reads and checks the resume file of a run; nil where there is none.
func readSaved[T graphs.Float](dir string, layout graphs.Layout, machines int) (*saved[T], error) {
	fail := func(format string, args ...any) (*saved[T], error) {
		return nil, &ResumeError{Dir: dir, Fault: resumeName + " " + fmt.Sprintf(format, args...) + "; delete the run and start again"}
	}
	file, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(resumeName)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	const digits = 2 * sha256.Size
	if len(file) < digits {
		return fail("is cut")
	}
	file, sum := file[:len(file)-digits], string(file[len(file)-digits:])
	if got := sha256.Sum256(file); hex.EncodeToString(got[:]) != sum {
		return fail("is cut or altered: its SHA-256 is not what it says")
	}
	tensors, metadata, err := safetensors.Read(bytes.NewReader(file))
	if err != nil {
		return fail("cannot be read: %v", err)
	}
	s := &saved[T]{machines: make([]pathkernel.Accumulators, machines)}
	var state []Tensor
	for _, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, prefixState); ok {
			t.Name = name
			state = append(state, t)
			continue
		}
		values, _ := t.Data.([]float64)
		if t.Name == "step_sizes" {
			s.stepSizes = values
			continue
		}
		var i int
		var name string
		if _, err := fmt.Sscanf(strings.Replace(t.Name, ".", " ", 2), "machine %d %s", &i, &name); err != nil || i < 0 || i >= machines {
			return fail("holds tensor %q, which is none of this run's", t.Name)
		}
		switch name {
		case "contributions":
			s.machines[i].Contributions = values
		case "path_kernel":
			s.machines[i].PathKernel = values
		case "numerators":
			s.machines[i].Numerators = values
		}
	}
	for i := range s.machines {
		for name, to := range map[string]*float64{"bound": &s.machines[i].Bound, "last_rate": &s.machines[i].LastRate} {
			key := fmt.Sprintf("%s%d.%s", prefixMachine, i, name)
			if *to, err = strconv.ParseFloat(metadata[key], 64); err != nil {
				return fail("has no %s", key)
			}
			delete(metadata, key)
		}
	}
	var encoded bytes.Buffer
	if err := safetensors.Write(&encoded, state, metadata); err != nil {
		return fail("holds no state of training: %v", err)
	}
	if s.snapshot, err = training.DecodeCheckpoint[T](&encoded, resumeName, layout); err != nil {
		return nil, err
	}
	return s, nil
}

// ResumeRunDir opens the directory of a run that was killed, interrupted or failed, to
// go on with it. It refuses a run that is complete or has diverged, and one whose
// configuration, data, platform or BLAS differ from what same says.
func ResumeRunDir(dir string, same Manifest, configuration []byte) (*RunDir, error) {
	m, err := ReadManifest(dir)
	if info, e := os.Stat(filepath.Join(dir, manifestName)); err != nil && e == nil && info.Size() == 0 {
		begun := newManifest() // killed between the two moments of creating it
		m, err = &begun, nil
	}
	if err != nil {
		return nil, err
	}
	refuse := func(field, fault string) (*RunDir, error) {
		return nil, &ResumeError{Dir: dir, Field: field, Fault: fault}
	}
	switch m.Outcome {
	case Completed:
		return refuse("", "it is complete")
	case Diverged:
		return refuse("", "it has diverged: "+m.Reason)
	}
	// A run that was killed at its very beginning knows nothing yet.
	if m.BLAS != "" {
		for _, f := range []struct{ name, was, is string }{
			{"pkm version", m.PkmVersion, Version()}, {"operating system", m.OS, same.OS}, {"architecture", m.Arch, same.Arch},
			{"BLAS", m.BLAS, same.BLAS}, {"vector unit", m.Vector, same.Vector}, {"data source", m.Data.Source, same.Data.Source}, {"data SHA-256", m.Data.SHA256, same.Data.SHA256},
		} {
			if f.was != f.is {
				return refuse(f.name, fmt.Sprintf("it began with %s, now it would be %s: the rest would not fit", f.was, f.is))
			}
		}
	}
	old, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume run %s: %w", dir, err)
	}
	if err == nil && !bytes.Equal(old, configuration) {
		key, was, is := differingKey(string(old), string(configuration))
		return refuse(key, fmt.Sprintf("its configuration says %s, this one %s", was, is))
	}
	if err := removeTemporary(dir); err != nil {
		return nil, err
	}
	d := &RunDir{path: dir, files: map[string]FileRecord{}, manifest: *m, resumed: true}
	d.manifest.Outcome, d.manifest.Reason, d.manifest.Finished = Running, "", nil
	return d, d.Update(func(*Manifest) {})
}

// differingKey returns the first key of two written configurations whose lines differ.
func differingKey(old, new string) (key, was, is string) {
	a, b := strings.Split(old, "\n"), strings.Split(new, "\n")
	var sections []string // the keys of the sections that the line is in
	for i := range min(len(a), len(b)) {
		line := a[i]
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		name, _, _ := strings.Cut(strings.TrimLeft(line, " -"), ":")
		sections = append(sections[:min(depth, len(sections))], name)
		if a[i] != b[i] {
			return strings.Join(sections, "."), strconv.Quote(strings.TrimSpace(a[i])), strconv.Quote(strings.TrimSpace(b[i]))
		}
	}
	return "configuration", fmt.Sprintf("%d lines", len(a)), fmt.Sprintf("%d", len(b))
}

// removeTemporary removes what a killed process was writing.
func removeTemporary(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".tmp") {
			err = os.Remove(path)
		}
		return err
	})
}

// keepCheckpoints takes over the checkpoints of a resumed run up to a step, and removes those
// beyond it, which are written again.
func (d *RunDir) keepCheckpoints(step int) error {
	trajectory := training.Trajectory{Dir: filepath.Join(d.path, "trajectory")}
	steps, err := trajectory.Steps()
	if err != nil {
		return err
	}
	for _, s := range steps {
		path := trajectory.Path(s)
		if s > step {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		name := "trajectory/" + training.CheckpointName(s)
		d.mu.Lock()
		d.files[name] = FileRecord{Path: name, Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		d.mu.Unlock()
	}
	return nil
}

// keepMetrics opens the metrics of a resumed run and takes back the lines from a step on. It
// returns the lines that stay.
func (d *RunDir) keepMetrics(step int) ([]StepMetrics, error) {
	path := filepath.Join(d.path, metricsName)
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume run %s: %w", d.path, err)
	}
	var kept []StepMetrics
	length := 0
	for line := range bytes.Lines(content) {
		var m StepMetrics
		if json.Unmarshal(line, &m) != nil || m.Step >= step || !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		kept = append(kept, m)
		length += len(line)
	}
	if len(kept) != step {
		return nil, &ResumeError{Dir: d.path, Fault: fmt.Sprintf("%s has whole lines for %d steps, %s is of step %d; delete the run and start again", metricsName, len(kept), resumeName, step)}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("resume run %s: %w", d.path, err)
	}
	if err := f.Truncate(int64(length)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	h := sha256.New()
	h.Write(content[:length])
	d.mu.Lock()
	defer d.mu.Unlock()
	d.metrics = &MetricsWriter{f: f, hash: h, bytes: int64(length)}
	return kept, nil
}

// remove deletes a file of the run, if it is there.
func (d *RunDir) remove(name string) error {
	d.mu.Lock()
	delete(d.files, name)
	d.mu.Unlock()
	err := os.Remove(filepath.Join(d.path, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
