package experiments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"pkm/pathkernel"
	"pkm/training"
)

// Job is the account of a run's path, cut into parts. Each of them replays a segment of the
// trajectory for a block of queries, and leaves what it adds up in a file of the run directory.
// The cut depends on the configuration alone, and the files are added up in the order of the parts: the
// result has the same bytes, whoever does them, and how often.
type Job struct {
	Dir   string
	Parts []Part
}

// Part is one task of a job.
type Part struct {
	Configuration string `json:"configuration"` // SHA-256 of config.yaml
	From          int    `json:"from"`          // steps From ≤ s < To
	To            int    `json:"to"`
	First         int    `json:"first"` // queries from First on
	Count         int    `json:"count"`
	Final         bool   `json:"final"` // To is where the run ends
	// LastRate is the learning rate of step From−1, which machines of family flow ask for; 0 at the beginning.
	LastRate float64 `json:"last_rate"`
	// After is the part, by its place, whose Carry this one takes up; −1: none. An optimizer that remembers has its
	// steps accounted for from the last to the first.
	After int `json:"after"`
}

// PartFiles are the files of a part that is done, in the folder parts of the run directory. Each
// is named by the SHA-256 of what is in it.
type PartFiles struct {
	Sums  string `json:"sums"`
	Carry string `json:"carry,omitempty"` // for the part After this one
}

// partBlocks is how many blocks of queries there are at least where parts follow one another in time, so
// that only blocks are independent; partRanges is how many ranges of steps there are at most, each of
// whole segments: then what is lost with a worker is little, and a part is long beside what it takes to hand it out.
// A block has at least partRows rows, of a query and an output each, where there are so many: every block forms the training
// samples' gradients anew, which takes as long as some hundred rows of their products.
const partBlocks, partRanges, partRows = 8, 4, 256

// partsFolder holds the files of parts, until they are added up.
const partsFolder = "parts"

// cut returns the parts of a run of so many completed steps with checkpoints at starts, for blocks of
// at most block queries.
func (c *Config) cut(configuration string, starts []int, completed, queries, outputs, block int, stepSizes []float64) []Part {
	chained := !c.Training.Optimizer.plain()
	if chained {
		block = min(block, max((queries+partBlocks-1)/partBlocks, (partRows+outputs-1)/outputs))
	}
	block = max(1, min(block, queries))
	block = (queries + (queries+block-1)/block - 1) / ((queries + block - 1) / block) // of equal size, but for the last
	blocks := (queries + block - 1) / block
	starts = slices.DeleteFunc(slices.Clone(starts), func(s int) bool { return s >= completed && s > 0 })
	ranges := min(len(starts), partRanges)
	if !chained {
		ranges = min(len(starts), max(partRanges, partBlocks*partRanges/blocks)) // each is independent of the others
	}
	var segments [][2]int
	for k := range ranges {
		from, to := starts[k*len(starts)/ranges], completed
		if k+1 < ranges {
			to = starts[(k+1)*len(starts)/ranges]
		}
		segments = append(segments, [2]int{from, to})
	}
	if chained {
		slices.Reverse(segments)
	}
	var parts []Part
	for k, s := range segments {
		for b := range blocks {
			p := Part{Configuration: configuration, From: s[0], To: s[1], First: b * block, Count: min(block, queries-b*block), Final: s[1] == completed, After: -1}
			if s[0] > 0 {
				p.LastRate = stepSizes[s[0]-1]
			}
			if chained && k > 0 {
				p.After = len(parts) - blocks
			}
			parts = append(parts, p)
		}
	}
	return parts
}

// distribute has the account done by others and adds it up.
func (e *experiment[T]) distribute(ctx context.Context) error {
	starts, err := training.Trajectory{Dir: filepath.Join(e.dir.path, "trajectory")}.Steps()
	if err != nil {
		return err
	}
	text, err := e.config.YAML()
	if err != nil {
		return err
	}
	configuration := sum(text)
	parts := e.config.cut(configuration, starts, e.completed, e.query.Count(), e.classes, e.block, e.stepSizes)
	if err := os.MkdirAll(filepath.Join(e.dir.path, partsFolder), 0o777); err != nil {
		return fmt.Errorf("distribute run %s: %w", e.dir.path, err)
	}
	files, err := e.options.Distribute(ctx, Job{Dir: e.dir.path, Parts: parts})
	if err != nil {
		return err
	}
	residuals := make([]float64, e.completed)
	for i, p := range parts {
		if ctx.Err() != nil {
			return fmt.Errorf("stopped while adding up the parts of run %s: %w", e.dir.path, context.Cause(ctx))
		}
		machines, missed, err := e.readPart(p, files[i].Sums)
		if err != nil {
			return err
		}
		for j, m := range e.machines {
			if err := m.Merge(machines[j], p.First, p.Count); err != nil {
				return err
			}
		}
		for s, r := range missed {
			if !(residuals[p.From+s] >= r) {
				residuals[p.From+s] = r
			}
		}
	}
	if e.tracker.watched != nil {
		if err := e.rewriteMetrics(func(m *StepMetrics) {
			if m.Step < len(residuals) {
				m.StepResidual = Figure(residuals[m.Step])
			}
		}); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(e.dir.path, partsFolder))
}

// Distributable refuses a configuration whose path is not cut into parts.
func (c *Config) Distributable() error {
	clipped := c.Training.ClipNorm != 0 && slices.ContainsFunc(c.Machines, func(m Machine) bool { return m.Family == pathkernel.FlowFamily })
	switch {
	case len(c.Machines) == 0:
		return errors.New("distribute the run: there is nothing to distribute without machines")
	case clipped:
		return errors.New("distribute the run: machines of family flow are not cut into parts where gradients are clipped; leave them out, or set training.clip_norm to 0")
	}
	return nil
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// RemovePart removes a file of a part.
func RemovePart(dir, name string) error {
	return os.Remove(partPath(dir, name))
}

// HasPart reports whether a file of a part is there, whole.
func HasPart(dir, name string) bool {
	_, _, err := readPartFile(dir, name)
	return err == nil
}

func partPath(dir, name string) string {
	return filepath.Join(dir, partsFolder, filepath.Base(name)+".safetensors")
}
