package experiments

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"

	"pkm/graphs"
	"pkm/internal/safetensors"
	"pkm/pathkernel"
	"pkm/training"
)

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

// Finish implements training.Hook: what follows on training, an account or baselines, goes on from its end.
func (s *saver[T]) Finish(_ context.Context, step *training.Step[T]) error {
	if (s.tracker.accounts() || len(s.machines) == 0) && !s.config.compares() {
		return nil
	}
	return s.save(step.Next())
}

// saveAccount saves how far the account of an optimizer's steps has come, back to a step.
func (s *saver[T]) saveAccount(a *accountant[T], end int) error {
	if time.Since(s.last) < s.every {
		return nil
	}
	return s.write(a.snapshot, func(tensors []Tensor, metadata map[string]string) []Tensor {
		metadata[metaAccounted], metadata[metaBlock] = strconv.Itoa(end), strconv.Itoa(a.block)
		for i, b := range a.backward {
			psi, beta := b.State()
			metadata[fmt.Sprintf("%s%d.beta", prefixMachine, i)] = hexadecimal(beta)
			tensors = append(tensors, Tensor{Name: fmt.Sprintf("%s%d.psi", prefixMachine, i), Shape: []int{len(psi)}, Data: psi})
		}
		return tensors
	})
}

// Stopped implements training.Stopper.
func (s *saver[T]) Stopped(_ context.Context, snapshot *training.Snapshot[T]) error {
	return s.save(snapshot)
}

// The names, and prefixes of names, of the tensors and metadata of a resume file.
const prefixState, prefixMachine, metaAccounted, metaBlock, metaElsewhere, lossPathName, atBoundsName = "training.", "machine.", "accounted", "accounted_block", "accounted_elsewhere", "loss_path", "outputs_at_bounds"

// save writes the resume file with a state of training. A run that was resumed in its account
// has one that is further: the machines hold a part of the account already.
func (s *saver[T]) save(snapshot *training.Snapshot[T]) error {
	if s.saved != nil && s.saved.accounted >= 0 {
		return nil
	}
	return s.write(snapshot, nil)
}

// write writes the resume file, with what more adds.
func (s *saver[T]) write(snapshot *training.Snapshot[T], more func(tensors []Tensor, metadata map[string]string) []Tensor) error {
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
	if s.lossPath != nil {
		state := s.lossPath.State()
		tensors = append(tensors, Tensor{Name: lossPathName, Shape: []int{len(state)}, Data: state})
	}
	if s.bounds.windows.count() > 0 {
		tensors = append(tensors, Tensor{Name: atBoundsName, Shape: []int{len(s.bounds.outputs)}, Data: s.bounds.outputs})
	}
	if s.tracker.elsewhere {
		metadata[metaElsewhere] = "true"
	}
	if more != nil {
		tensors = more(tensors, metadata)
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
	return map[string][]float64{"contributions": a.Contributions, "path_kernel": a.PathKernel, "numerators": a.Numerators, "regularization": a.Regularization, "certificate": a.Certificate,
		"layers": a.Layers, "windows": a.Windows}
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
