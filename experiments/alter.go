package experiments

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// alterations are what was done to samples after they were drawn.
type alterations struct {
	flipped         []int64   // training samples with another label than the data give them, rising; nil: no noise
	original        []int64   // (N): the labels that the data give them
	mean, deviation []float64 // of each input over the training samples; nil: not standardised
}

// alter adds noise to the labels of the training samples and standardises all inputs, as the
// configuration asks. Samples are written to.
func (d Data) alter(seed uint64, train, query *Samples, classes int) (*alterations, error) {
	a := &alterations{}
	if d.Noise.Labels > 0 {
		a.flip(seed, train, d.Noise.Labels, classes)
	}
	if d.Standardize {
		if err := a.standardize(train, query); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// flip gives a share of the training samples, rounded to a number of them, another label,
// each of the other classes with the same probability.
func (a *alterations) flip(seed uint64, train *Samples, share float64, classes int) {
	const stream = 0x666c6970 // "flip"
	random := rand.New(rand.NewPCG(seed, stream))
	a.original, a.flipped = int64s(train.Labels), []int64{}
	for _, i := range random.Perm(train.Count())[:int(math.Round(share*float64(train.Count())))] {
		train.Labels[i] = (train.Labels[i] + 1 + random.IntN(classes-1)) % classes
		a.flipped = append(a.flipped, int64(i))
	}
	slices.Sort(a.flipped)
}

// standardize makes each input (x − mean)/deviation, with the mean and the standard deviation
// (1/N) of the training samples, for queries too. An input that is the same in all training
// samples has deviation 1.
func (a *alterations) standardize(train, query *Samples) error {
	n := train.Count()
	width := len(train.Inputs) / n
	a.mean, a.deviation = make([]float64, width), make([]float64, width)
	for j := range width {
		low, high, sum := math.Inf(1), math.Inf(-1), 0.0
		for i := j; i < len(train.Inputs); i += width {
			x := train.Inputs[i]
			low, high, sum = min(low, x), max(high, x), sum+x
		}
		if low == high { // not what rounding leaves of a variance of 0
			a.mean[j], a.deviation[j] = low, 1
			continue
		}
		a.mean[j] = sum / float64(n)
		var squares float64
		for i := j; i < len(train.Inputs); i += width {
			c := train.Inputs[i] - a.mean[j]
			squares += float64(c * c) // not fused, so that all platforms agree
		}
		a.deviation[j] = math.Sqrt(squares / float64(n))
		if math.IsInf(squares, 0) || math.IsNaN(squares) || a.deviation[j] == 0 {
			return fmt.Errorf("standardise the data: input %d goes from %g to %g, so that its standard deviation overflows or vanishes: rescale the input", j, low, high)
		}
	}
	for _, s := range []*Samples{train, query} {
		for i, x := range s.Inputs {
			s.Inputs[i] = (x - a.mean[i%width]) / a.deviation[i%width]
			if math.IsNaN(s.Inputs[i]) || math.IsInf(s.Inputs[i], 0) {
				return fmt.Errorf("standardise the data: input %d of row %d is %g, too far from the mean %g of the training samples: leave the row out, or rescale the input",
					i%width, s.Indices[i/width], x, a.mean[i%width])
			}
		}
	}
	return nil
}

// write writes what was done: train_flipped and train_original_targets, input_mean and
// input_std, of the shape of a sample.
func (a *alterations) write(dir *RunDir, shape []int) error {
	if a.flipped != nil {
		if err := WriteArray(dir, "train_flipped", []int{len(a.flipped)}, a.flipped); err != nil {
			return err
		}
		if err := WriteArray(dir, "train_original_targets", []int{len(a.original)}, a.original); err != nil {
			return err
		}
	}
	if a.mean == nil {
		return nil
	}
	if err := WriteArray(dir, "input_mean", shape, a.mean); err != nil {
		return err
	}
	return WriteArray(dir, "input_std", shape, a.deviation)
}
