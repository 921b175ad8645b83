package experiments

import (
	"io"

	"pkm/graphs"
	"pkm/training"
)

// mostCheckpoints is how many checkpoints a run leaves unless its configuration says how
// far apart they are.
const mostCheckpoints = 30

// spacing returns how many steps lie between the checkpoints of a run whose checkpoints take
// each bytes on disk, and the steps of a replayed segment bytes of memory, of which a quarter
// is theirs where there is an account to replay for.
func (c *Config) spacing(each, bytes float64) int {
	t := &c.Training
	if t.Checkpoints.Every > 0 {
		return min(t.Checkpoints.Every, t.Steps)
	}
	disk, _ := ParseSize(t.Checkpoints.Disk)
	every := min(t.Steps, max((t.Steps+mostCheckpoints-1)/mostCheckpoints, training.CheckpointSpacing(t.Steps, each, disk)))
	if memory, _ := ParseSize(c.Memory); len(c.Machines) > 0 && !t.Optimizer.plain() {
		every = max(1, min(every, int(memory/4/bytes)))
	}
	return every
}

// checkpoints returns the hook that writes checkpoints under trajectory/.
func (e *experiment[T]) checkpoints() *training.Checkpoints[T] {
	layout := e.network.Layout()
	size := 8.0
	if e.config.Precision == "float32" {
		size = 4
	}
	return &training.Checkpoints[T]{Every: e.config.spacing(e.config.Training.tensors()*size*float64(layout.Size()), float64(layout.Size())*(2*size+3*8)),
		Write: func(s *training.Snapshot[T]) error {
			if err := e.dir.WriteFile("trajectory/"+training.CheckpointName(s.Step), func(w io.Writer) error { return training.EncodeCheckpoint(w, layout, s) }); err != nil {
				return err
			}
			// So that the manifest of a run that is killed lists what there is.
			return e.dir.Update(func(*Manifest) {})
		}}
}

// tensors returns how many tensors of the size of the weights a checkpoint holds, at most.
func (t *Training) tensors() float64 {
	switch t.Optimizer.Kind {
	case "adam", "adamw", "rmsprop":
		return 4
	}
	return 2
}

// tensors names the parts of a flat weight vector.
func tensors[T graphs.Float](layout graphs.Layout, w []T) []Tensor {
	named := make([]Tensor, len(layout))
	for i, p := range layout {
		named[i] = Tensor{Name: p.Name, Shape: p.Shape, Data: graphs.View(w, p)}
	}
	return named
}
