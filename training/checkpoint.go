package training

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"pkm/graphs"
	"pkm/internal/atomicfile"
	"pkm/internal/elements"
	"pkm/internal/safetensors"
)

// checkpointFormat is the version of the layout of a checkpoint.
const checkpointFormat = "pkm-checkpoint-1"

// The metadata of a checkpoint, and the prefixes of what is not weights.
const (
	metaFormat, metaStep, metaUpdates, metaLimit, metaSum = "format", "step", "optimizer_steps", "loss_limit", "sha256"
	prefixOptimizer, prefixFigure                         = "optimizer.", "figure."
)

// WriteCheckpoint writes a snapshot to a safetensors file, whole or not at all: the weights
// by their names in the layout, the tensors of the optimizer as optimizer.NAME, the rest as
// metadata, with the SHA-256 of all of it.
func WriteCheckpoint[T graphs.Float](path string, layout graphs.Layout, s *Snapshot[T]) error {
	_, err := atomicfile.Write(path, func(w io.Writer) error { return EncodeCheckpoint(w, layout, s) })
	if err != nil {
		return fmt.Errorf("training: write checkpoint of step %d: %w", s.Step, err)
	}
	return nil
}

// EncodeCheckpoint writes what WriteCheckpoint puts into a file.
func EncodeCheckpoint[T graphs.Float](w io.Writer, layout graphs.Layout, s *Snapshot[T]) error {
	var tensors []safetensors.Tensor
	for _, p := range layout {
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Data: graphs.View(s.Weights, p)})
	}
	for _, t := range s.Optimizer.Tensors {
		tensors = append(tensors, safetensors.Tensor{Name: prefixOptimizer + t.Name, Shape: []int{len(t.Values)}, Data: t.Values})
	}
	metadata := map[string]string{
		metaFormat: checkpointFormat, metaStep: strconv.Itoa(s.Step), metaUpdates: strconv.Itoa(s.Optimizer.Steps), metaLimit: exact(s.Limit),
	}
	for name, x := range s.Figures {
		metadata[prefixFigure+name] = exact(x)
	}
	sum, err := checkpointSum(tensors, metadata)
	if err != nil {
		return err
	}
	metadata[metaSum] = sum
	return safetensors.Write(w, tensors, metadata)
}

// exact returns a number so that reading it gives the same bits.
func exact(x float64) string { return strconv.FormatFloat(x, 'x', -1, 64) }

// checkpointSum returns the SHA-256 of the metadata but the sum itself, in the order of
// their names, and of all tensors in the order of theirs.
func checkpointSum(tensors []safetensors.Tensor, metadata map[string]string) (string, error) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		if name != metaSum {
			fmt.Fprintf(h, "%q=%q\n", name, metadata[name])
		}
	}
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range tensors {
		fmt.Fprintf(h, "%q %v\n", t.Name, t.Shape)
		var err error
		switch data := t.Data.(type) {
		case []float32:
			err = elements.Write(h, data)
		case []float64:
			err = elements.Write(h, data)
		}
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// CheckpointError reports a checkpoint that cannot be gone on from.
type CheckpointError struct {
	Path  string
	Fault string
	Err   error // the cause, or nil
}

// Error implements error.
func (e *CheckpointError) Error() string {
	text := fmt.Sprintf("training: read checkpoint %s: %s", e.Path, e.Fault)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *CheckpointError) Unwrap() error { return e.Err }

// ReadCheckpoint reads and checks a checkpoint of a network with that layout. Errors are
// *CheckpointError: missing, cut, altered, of another network or precision.
func ReadCheckpoint[T graphs.Float](path string, layout graphs.Layout) (*Snapshot[T], error) {
	fail := func(err error, format string, args ...any) (*Snapshot[T], error) {
		return nil, &CheckpointError{Path: path, Fault: fmt.Sprintf(format, args...), Err: err}
	}
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(nil, "it is missing")
	}
	if err != nil {
		return fail(err, "it cannot be read")
	}
	return DecodeCheckpoint[T](bytes.NewReader(file), path, layout)
}

// ReadCheckpointOf is ReadCheckpoint for a checkpoint that has to be that of a step.
func ReadCheckpointOf[T graphs.Float](path string, layout graphs.Layout, step int) (*Snapshot[T], error) {
	s, err := ReadCheckpoint[T](path, layout)
	if err == nil && s.Step != step {
		return nil, &CheckpointError{Path: path, Fault: fmt.Sprintf("it is of step %d", s.Step)}
	}
	return s, err
}

// DecodeCheckpoint reads and checks what EncodeCheckpoint wrote; errors name it as path.
func DecodeCheckpoint[T graphs.Float](r io.Reader, path string, layout graphs.Layout) (*Snapshot[T], error) {
	fail := func(err error, format string, args ...any) (*Snapshot[T], error) {
		return nil, &CheckpointError{Path: path, Fault: fmt.Sprintf(format, args...), Err: err}
	}
	tensors, metadata, err := safetensors.Read(r)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(err, "it is cut")
	}
	if err != nil {
		return fail(err, "it is not a checkpoint, or was altered")
	}
	if metadata[metaFormat] != checkpointFormat {
		return fail(nil, "its format is %q, this program reads %q", metadata[metaFormat], checkpointFormat)
	}
	if sum, err := checkpointSum(tensors, metadata); err != nil || sum != metadata[metaSum] {
		return fail(err, "it was altered: its SHA-256 is %s, it says %s", sum, metadata[metaSum])
	}
	s, err := snapshotOf[T](tensors, metadata, layout)
	if err != nil {
		return fail(err, "it is of another run")
	}
	return s, nil
}

// snapshotOf returns what a checkpoint holds.
func snapshotOf[T graphs.Float](tensors []safetensors.Tensor, metadata map[string]string, layout graphs.Layout) (*Snapshot[T], error) {
	s := &Snapshot[T]{Weights: make([]T, layout.Size()), Figures: make(map[string]float64)}
	found := 0
	for _, t := range tensors {
		data, ok := t.Data.([]T)
		if !ok {
			return nil, fmt.Errorf("tensor %q holds %T, the network's precision is %T", t.Name, t.Data, data)
		}
		if name, ok := strings.CutPrefix(t.Name, prefixOptimizer); ok {
			s.Optimizer.Tensors = append(s.Optimizer.Tensors, NamedTensor[T]{name, data})
			continue
		}
		p, err := layout.Find(t.Name)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(p.Shape, t.Shape) {
			return nil, fmt.Errorf("tensor %q has shape %v, the network's has %v", t.Name, t.Shape, p.Shape)
		}
		copy(graphs.View(s.Weights, p), data)
		found++
	}
	if found != len(layout) {
		return nil, fmt.Errorf("it holds %d of the network's %d tensors", found, len(layout))
	}
	var err error
	number := func(name string) (x float64) {
		if err == nil {
			if x, err = strconv.ParseFloat(metadata[name], 64); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		return x
	}
	s.Step, s.Optimizer.Steps, s.Limit = int(number(metaStep)), int(number(metaUpdates)), number(metaLimit)
	for name := range metadata {
		if figure, ok := strings.CutPrefix(name, prefixFigure); ok {
			s.Figures[figure] = number(name)
		}
	}
	return s, err
}
