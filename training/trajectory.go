package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pkm/graphs"
)

// Trajectory is the path of a run: a folder of checkpoints from which any step is
// replayed bit for bit.
type Trajectory struct{ Dir string }

// The name of a checkpoint is its step, with eight digits or more, between these.
const checkpointPrefix, checkpointSuffix = "step-", ".safetensors"

// CheckpointName returns the name of the checkpoint of a step within its folder.
func CheckpointName(step int) string {
	return fmt.Sprintf("%s%08d%s", checkpointPrefix, step, checkpointSuffix)
}

// Path returns the path of the checkpoint of a step.
func (t Trajectory) Path(step int) string { return filepath.Join(t.Dir, CheckpointName(step)) }

// Steps returns the steps that have a checkpoint, ascending; none for a folder that is
// not there.
func (t Trajectory) Steps() ([]int, error) {
	entries, err := os.ReadDir(t.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("training: list the checkpoints of %s: %w", t.Dir, err)
	}
	var steps []int
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), checkpointPrefix)
		digits, whole := strings.CutSuffix(digits, checkpointSuffix)
		if step, err := strconv.Atoi(digits); ok && whole && err == nil && CheckpointName(step) == e.Name() {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// CheckpointSpacing returns the smallest k for which checkpoints every k of S steps, the first
// and the last take at most so many bytes on disk together: (S/k + 2)·each ≤ disk. Where
// even those two do not fit it is S.
func CheckpointSpacing(steps int, each, disk float64) int {
	between := math.Floor(disk/each) - 2 // checkpoints beside the first and the last
	if !(between >= 1) {
		return max(1, steps)
	}
	// The smallest k with ⌊S/k⌋ ≤ between.
	return int(float64(steps)/(between+1)) + 1
}

// Checkpoints is the hook that writes the checkpoints of a trajectory: of the state in which
// the loop starts, of every step that is a multiple of Every, of the last, and of the state in which it
// is stopped. A checkpoint of step s+1 is written by the hooks of step s: hooks before it have
// taken all steps up to s.
type Checkpoints[T graphs.Float] struct {
	Every int // ≥ 1
	// Write writes a snapshot, as WriteCheckpoint does.
	Write func(s *Snapshot[T]) error

	written int // the last step written, plus 1
}

// Start implements Starter.
func (c *Checkpoints[T]) Start(_ context.Context, s *Snapshot[T]) error {
	if s.Step > 0 {
		return nil // it is what the run goes on from
	}
	return c.write(s)
}

// Step implements Hook.
func (c *Checkpoints[T]) Step(_ context.Context, s *Step[T]) error {
	if (s.Index+1)%max(1, c.Every) != 0 {
		return nil
	}
	return c.write(s.Next())
}

// Finish implements Hook.
func (c *Checkpoints[T]) Finish(_ context.Context, s *Step[T]) error {
	if s.Index+1 == c.written {
		return nil
	}
	return c.write(s.Next())
}

// Stopped implements Stopper.
func (c *Checkpoints[T]) Stopped(_ context.Context, s *Snapshot[T]) error {
	if s.Step+1 == c.written {
		return nil
	}
	return c.write(s)
}

func (c *Checkpoints[T]) write(s *Snapshot[T]) error {
	if err := c.Write(s); err != nil {
		return err
	}
	c.written = s.Step + 1
	return nil
}
