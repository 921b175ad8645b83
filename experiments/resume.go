package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pkm/graphs"
	"pkm/internal/safetensors"
	"pkm/pathkernel"
	"pkm/training"
)

// resumeName is the file that a killed run goes on from: the state of training and what
// the machines have added up, of one step, in one file. A run that is over has none.
const resumeName = "trajectory/resume.safetensors"

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
	lossPath  []float64 // nil without a bound
	atBounds  []float64 // nil without windows

	elsewhere bool // the machines are empty: the account is done by others, after training
	accounted int  // the account of an optimizer's steps has come back to this one; −1: not begun
	block     int  // of the queries, which the account has come to
	psi       [][]T
	beta      []float64
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
	s := &saved[T]{machines: make([]pathkernel.Accumulators, machines), accounted: -1, psi: make([][]T, machines), beta: make([]float64, machines)}
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
		if t.Name == atBoundsName {
			s.atBounds = values
			continue
		}
		if t.Name == lossPathName {
			s.lossPath = values
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
		case "regularization":
			s.machines[i].Regularization = values
		case "certificate":
			s.machines[i].Certificate = values
		case "layers":
			s.machines[i].Layers = values
		case "windows":
			s.machines[i].Windows = values
		case "psi":
			s.psi[i], _ = t.Data.([]T)
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
	_, s.elsewhere = metadata[metaElsewhere]
	delete(metadata, metaElsewhere)
	if text, ok := metadata[metaAccounted]; ok {
		if s.accounted, err = strconv.Atoi(text); err != nil {
			return fail("has no %s", metaAccounted)
		}
		if s.block, err = strconv.Atoi(metadata[metaBlock]); err != nil {
			return fail("has no %s", metaBlock)
		}
		delete(metadata, metaAccounted)
		delete(metadata, metaBlock)
		for i := range s.beta {
			key := fmt.Sprintf("%s%d.beta", prefixMachine, i)
			if s.beta[i], err = strconv.ParseFloat(metadata[key], 64); err != nil {
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

// resume takes up the state of the run to go on with: that of its resume file, or its
// beginning where it was killed before there was one.
func (e *experiment[T]) resume() error {
	s, err := readSaved[T](e.dir.path, e.network.Layout(), len(e.machines))
	if err != nil {
		return err
	}
	if s == nil {
		if err := e.dir.keepCheckpoints(-1, 1, nil); err != nil {
			return err
		}
		if _, err := e.dir.keepMetrics(0); err != nil {
			return err
		}
		return e.keepEvents(nil)
	}
	if s.elsewhere != e.tracker.elsewhere {
		fault := "it began without --distributed, and goes on so"
		if s.elsewhere {
			fault = "it began with --distributed, and goes on so"
		}
		return &ResumeError{Dir: e.dir.path, Fault: fault}
	}
	e.saved, e.from, e.stepSizes = s, s.snapshot, s.stepSizes
	for i, m := range e.machines {
		if err := m.Restore(s.machines[i]); err != nil {
			return err
		}
	}
	if e.lossPath != nil {
		if err := e.lossPath.Restore(s.lossPath); err != nil {
			return err
		}
	}
	e.bounds.outputs = s.atBounds
	if err := e.tracker.resume(s.snapshot.Weights); err != nil {
		return err
	}
	layout := e.network.Layout()
	if err := e.dir.keepCheckpoints(s.snapshot.Step, e.checkpoints().Every, func(path string, step int) error {
		_, err := training.ReadCheckpointOf[T](path, layout, step)
		return err
	}); err != nil {
		return err
	}
	lines, err := e.dir.keepMetrics(s.snapshot.Step)
	for _, line := range lines {
		e.residuals = append(e.residuals, float64(line.StepResidual))
		e.seconds = float64(line.Seconds)
	}
	if err != nil {
		return err
	}
	return e.keepEvents(lines)
}
