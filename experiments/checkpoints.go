package experiments

import (
	"context"
	"fmt"
	"strconv"

	"pkm/graphs"
	"pkm/training"
)

// checkpointCount is how many checkpoints a run leaves, beside the final one.
const checkpointCount = 10

// checkpoints is the hook that writes weights under trajectory/ at equal
// distances, at the start of a step and at the end of the run.
type checkpoints[T graphs.Float] struct {
	*experiment[T]
	every int
}

func newCheckpoints[T graphs.Float](e *experiment[T]) *checkpoints[T] {
	return &checkpoints[T]{experiment: e, every: max(1, (e.config.Training.Steps+checkpointCount-1)/checkpointCount)}
}

// Step implements training.Hook.
func (c *checkpoints[T]) Step(_ context.Context, s *training.Step[T]) error {
	if s.Index%c.every != 0 {
		return nil
	}
	return c.checkpoint(s)
}

// Finish implements training.Hook.
func (c *checkpoints[T]) Finish(_ context.Context, s *training.Step[T]) error { return c.checkpoint(s) }

func (c *checkpoints[T]) checkpoint(s *training.Step[T]) error {
	if err := c.dir.WriteWeights(fmt.Sprintf("trajectory/step-%08d", s.Index), tensors(c.network.Layout(), s.Weights),
		map[string]string{"step": strconv.Itoa(s.Index)}); err != nil {
		return err
	}
	// So that the manifest of a run that is killed lists what there is.
	return c.dir.Update(func(*Manifest) {})
}

// tensors names the parts of a flat weight vector.
func tensors[T graphs.Float](layout graphs.Layout, w []T) []Tensor {
	named := make([]Tensor, len(layout))
	for i, p := range layout {
		named[i] = Tensor{Name: p.Name, Shape: p.Shape, Data: graphs.View(w, p)}
	}
	return named
}
