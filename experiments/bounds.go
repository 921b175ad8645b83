package experiments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"pkm/graphs"
	"pkm/training"
)

// boundsLog is the hook that keeps the network's outputs for the queries at the bounds of the windows: what the shares of a
// machine's contributions, summed from the first window on, account for. Without windows it keeps nothing.
type boundsLog[T graphs.Float] struct {
	queries *queries[T]
	windows windows
	outputs []float64 // (bounds so far, M, C)
}

// Step implements training.Hook.
func (l *boundsLog[T]) Step(_ context.Context, s *training.Step[T]) error {
	if !l.windows.begins(s.Index) {
		return nil
	}
	f, err := l.queries.all(s.Weights)
	if err != nil {
		return fmt.Errorf("the query's outputs at step %d: %w", s.Index, err)
	}
	l.outputs = append(l.outputs, f...)
	return nil
}

// Finish implements training.Hook. Bounds that training stopped before are at its end.
func (l *boundsLog[T]) Finish(_ context.Context, s *training.Step[T]) error {
	if l.windows.count() == 0 {
		return nil
	}
	f, err := l.queries.all(s.Weights)
	if err != nil {
		return fmt.Errorf("the query's outputs at the final weights: %w", err)
	}
	for len(l.outputs) < len(l.windows.bounds)*len(f) {
		l.outputs = append(l.outputs, f...)
	}
	return nil
}

// writeAtBounds writes the network's outputs at the bounds of the windows, and for each machine with another target
// the values of that.
func (e *experiment[T]) writeAtBounds() error {
	if e.tracker.windows.count() == 0 {
		return nil
	}
	m, c, count := e.query.Count(), e.classes, len(e.tracker.windows.bounds)
	if err := WriteArray(e.dir, "outputs_at_bounds", []int{count, m, c}, e.bounds.outputs); err != nil {
		return err
	}
	for _, g := range e.groups {
		if g.target == nil {
			continue
		}
		var values []float64 // (bounds, M, K)
		for f := range slices.Chunk(e.bounds.outputs, m*c) {
			h, _ := g.values(0, f, c)
			values = append(values, h...)
		}
		for _, machine := range g.machines {
			if err := WriteArray(e.dir, machine.Name+"/target_at_bounds", []int{count, m, g.size(c)}, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifyAtBounds checks that the values at the bounds of the windows begin and end where the run does.
func (v *verifier) verifyAtBounds(name string, d Decomposition) {
	array := name + "/target_at_bounds"
	_, values, err := v.array(array, -1, d.M, d.C)
	if errors.Is(err, fs.ErrNotExist) {
		array = "outputs_at_bounds"
		if _, values, err = v.array(array, -1, d.M, d.C); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	subject, size := "machine "+name, d.M*d.C
	if err != nil {
		v.add(StatusFailed, subject, "%s: %v", array, err)
		return
	}
	if len(values) < 2*size {
		v.add(StatusFailed, subject, "%s has %d values, of two bounds there are %d", array, len(values), 2*size)
		return
	}
	off := 0.0
	for i := range size {
		off = max(off, math.Abs(values[i]-d.Initial[i]), math.Abs(values[len(values)-size+i]-d.Final[i]))
	}
	if off != 0 { // the same evaluations
		v.add(StatusFailed, subject, "%s begins or ends %.3g off where the run does", array, off)
		return
	}
	v.add(StatusOK, subject, "%s begins and ends where the run does", array)
}
