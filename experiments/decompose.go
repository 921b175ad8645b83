package experiments

import (
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"

	"pkm/graphs"
	"pkm/internal/npy"
	"pkm/pathkernel"
	"pkm/training"
)

// windows are consecutive ranges of steps: window w is the steps from bounds[w] up to bounds[w+1].
type windows struct{ bounds []int }

// windows returns those of the configuration for N training samples; none unless they are asked for.
func (c *Config) windows(samples int) (windows, error) {
	return c.windowsOf(samples, c.Training.Steps)
}

// windowsOf is windows of a run of another number of steps.
func (c *Config) windowsOf(samples, steps int) (windows, error) {
	d := &c.Decompose
	var bounds []int
	switch {
	case d.Windows > 0:
		for w := range d.Windows + 1 {
			bounds = append(bounds, int(math.Round(float64(w)*float64(steps)/float64(d.Windows))))
		}
	case d.Epochs > 0:
		batches, err := training.NewBatches(samples, c.Training.BatchSize, uint64(c.Seed))
		if err != nil {
			return windows{}, err
		}
		each := d.Epochs * ((samples + batches.Size() - 1) / batches.Size())
		for at := 0; at < steps; at += each {
			bounds = append(bounds, at)
		}
		bounds = append(bounds, steps)
	}
	return windows{bounds}, nil
}

// count returns W.
func (w windows) count() int { return max(0, len(w.bounds)-1) }

// of returns the window of a step.
func (w windows) of(step int) int {
	at, begins := slices.BinarySearch(w.bounds, step)
	if !begins {
		at--
	}
	return min(at, w.count()-1)
}

// ends reports whether a step is the last of a window, begins whether it is the first.
func (w windows) ends(step int) bool { return w.begins(step+1) && step >= 0 }

func (w windows) begins(step int) bool {
	_, found := slices.BinarySearch(w.bounds, step)
	return found
}

// close counts what a machine was given for a block of queries since the last window was closed.
func (w windows) close(m *pathkernel.Machine, step int, b queryBlock) error {
	return m.CloseWindow(w.of(step), b.first, b.count)
}

// layers returns the names of the layers with weights: those of their tensors without the last part.
func (e *experiment[T]) layers() []string { return layerNames[T](e.queries) }

func layerNames[T graphs.Float](q *queries[T]) (names []string) {
	if len(q.jacobians) == 0 {
		return nil
	}
	for _, f := range q.jacobians[0].Factors() {
		names = append(names, f.Layer)
	}
	return names
}

// shares returns how many times the contributions are kept beside themselves.
func (c *Config) shares(n *graphs.Network) (times float64) {
	if c.Decompose.Layers {
		layers := make(map[string]bool)
		for _, p := range n.Layout() {
			layers[p.Name[:strings.LastIndex(p.Name, ".")]] = true
		}
		times += float64(len(layers))
	}
	w, err := c.windows(c.Data.Train)
	if err == nil && w.count() > 0 {
		times += float64(w.count()) + 1
	}
	return times
}

// writeParts writes the shares of a machine's contributions.
func (e *experiment[T]) writeParts(machine *pathkernel.Machine, m, c, n int) error {
	for _, side := range []struct {
		name  string
		count int
		get   func() (contributions, regularization []float64)
	}{{"layer", len(e.layers()), machine.ByLayer}, {"window", e.tracker.windows.count(), machine.ByWindow}} {
		contributions, regularization := side.get()
		if contributions == nil {
			continue
		}
		if err := WriteArray(e.dir, machine.Name+"/contributions_by_"+side.name, []int{side.count, m, c, n}, contributions); err != nil {
			return err
		}
		if err := WriteArray(e.dir, machine.Name+"/regularization_by_"+side.name, []int{side.count, m, c}, regularization); err != nil {
			return err
		}
	}
	if bounds := e.tracker.windows.bounds; bounds != nil {
		whole := make([]int64, len(bounds))
		for i, b := range bounds {
			whole[i] = int64(min(b, e.completed))
		}
		if err := WriteArray(e.dir, machine.Name+"/window_bounds", []int{len(whole)}, whole); err != nil {
			return err
		}
	}
	if !e.config.Decompose.Classes {
		return nil
	}
	classes := max(2, e.classes) // of the data, also those that no training sample was drawn of
	return WriteArray(e.dir, machine.Name+"/contributions_by_class", []int{m, c, classes}, machine.ByClass(e.train.Labels, classes))
}

// verifyParts checks that the shares of a machine's contributions, and of what weight decay did, sum
// to them: by layer, by window and by class.
func (v *verifier) verifyParts(name string, d Decomposition) {
	subject := "machine " + name
	totals := make([]float64, d.M*d.C)
	for r := range totals {
		for _, q := range d.Contributions[r*d.N : (r+1)*d.N] {
			totals[r] += q
		}
	}
	for _, by := range []struct {
		array string
		shape []int
		whole []float64
		first bool // the parts are the first dimension, or the last
	}{
		{"contributions_by_layer", []int{-1, d.M, d.C, d.N}, d.Contributions, true},
		{"contributions_by_window", []int{-1, d.M, d.C, d.N}, d.Contributions, true},
		{"regularization_by_layer", []int{-1, d.M, d.C}, d.Regularization, true},
		{"regularization_by_window", []int{-1, d.M, d.C}, d.Regularization, true},
		{"contributions_by_class", []int{d.M, d.C, -1}, totals, false},
	} {
		shape, parts, err := v.array(name+"/"+by.array, by.shape...)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			v.add(StatusFailed, subject, "%s: %v", by.array, err)
			continue
		}
		if by.array == "contributions_by_layer" && v.summary != nil && shape[0] != len(v.summary.Layers) {
			v.add(StatusFailed, subject, "%s is of %d layers, summary.json names %d", by.array, shape[0], len(v.summary.Layers))
			continue
		}
		if by.array == "contributions_by_window" {
			v.verifyBounds(name, shape[0])
			v.verifyAtBounds(name, d)
		}
		sums, count := make([]float64, len(by.whole)), len(parts)/max(1, len(by.whole))
		for i, x := range parts {
			if by.first {
				sums[i%len(sums)] += x
			} else {
				sums[i/count] += x
			}
		}
		off := 0.0
		for i, s := range sums {
			off = max(off, math.Abs(s-by.whole[i]))
		}
		// Rounding of sums over parts: far below.
		if limit := 1e-10 * maxAbs(by.whole); !(off <= limit) {
			v.add(StatusFailed, subject, "%s is off what it sums to by %.3g", by.array, off)
			continue
		}
		v.add(StatusOK, subject, "%s sums to the whole, to %.2g", by.array, off)
	}
}

// verifyBounds checks that the bounds of W windows ascend from the first step to the last.
func (v *verifier) verifyBounds(name string, windows int) {
	subject := "machine " + name
	f, err := openFile(v.root, "arrays/"+name+"/window_bounds.npy")
	if err != nil {
		v.absent("arrays/"+name+"/window_bounds.npy", err)
		return
	}
	defer f.Close()
	shape, bounds, err := npy.Read[int64](f)
	switch {
	case err != nil:
		v.add(StatusFailed, subject, "window_bounds: %v", err)
	case !slices.Equal(shape, []int{windows + 1}):
		v.add(StatusFailed, subject, "window_bounds: shape is %v, want [%d] for %d windows", shape, windows+1, windows)
	case bounds[0] != 0 || !slices.IsSorted(bounds) || v.summary != nil && bounds[windows] != int64(v.summary.Steps):
		v.add(StatusFailed, subject, "window_bounds do not ascend from 0 to the number of steps: %d to %d", bounds[0], bounds[windows])
	}
}
