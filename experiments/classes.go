package experiments

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"pkm/experiments/datasets"
)

// maxClasses bounds the classes that the labels of a file make: with more, what was taken
// for labels is something else.
const maxClasses = 1000

// newDataset joins the samples and those held out, if not nil, and numbers their classes.
func newDataset(train, held *datasets.Table) (*Dataset, error) {
	d := &Dataset{Shape: train.Shape, Inputs: train.Values, Pixels: train.Pixels, InputNames: train.Inputs}
	labels := train.Labels
	if held != nil {
		if !slices.Equal(train.Shape, held.Shape) || (train.Pixels == nil) != (held.Pixels == nil) {
			return nil, fmt.Errorf("samples to train on have the shape %v, those held out %v: both must be of one kind", train.Shape, held.Shape)
		}
		d.HeldOut = train.Rows
		d.Inputs, d.Pixels, labels = slices.Concat(d.Inputs, held.Values), slices.Concat(d.Pixels, held.Pixels), slices.Concat(labels, held.Labels)
	}
	if train.Outputs > 0 {
		d.Outputs, d.Targets = train.Outputs, train.Targets
		if held != nil {
			if held.Outputs != d.Outputs {
				return nil, fmt.Errorf("samples to train on have %d numbers to predict, those held out %d: both must have the same", d.Outputs, held.Outputs)
			}
			d.Targets = slices.Concat(d.Targets, held.Targets)
		}
		return d, nil
	}
	names := train.Names
	if names == nil {
		var err error
		if names, err = classNames(labels); err != nil {
			return nil, err
		}
	}
	if held != nil {
		known := map[string]bool{}
		for _, label := range train.Labels {
			known[label] = true
		}
		for _, label := range held.Labels {
			if !known[label] && train.Names == nil {
				return nil, fmt.Errorf("the held-out samples have the class %.40q, which no sample to train on has: correct the label, or leave its rows out", label)
			}
		}
	}
	number := map[string]int{}
	for i, name := range names {
		number[name] = i
	}
	d.Classes, d.Labels = len(names), make([]int, len(labels))
	for i, label := range labels {
		d.Labels[i] = number[label]
	}
	for i, name := range names {
		if name != strconv.Itoa(i) {
			d.ClassNames = names
		}
	}
	return d, nil
}

// classNames returns the different labels in order: by number where all are whole numbers,
// by bytes otherwise.
func classNames(labels []string) ([]string, error) {
	seen := map[string]bool{}
	for _, l := range labels {
		seen[l] = true
		if len(seen) > maxClasses {
			return nil, fmt.Errorf("found more than %d different labels; numbers to predict need data.task: regression", maxClasses)
		}
	}
	names := slices.Sorted(maps.Keys(seen))
	if len(names) == 1 {
		return nil, fmt.Errorf("every sample is of the class %q; at least two classes are due", names[0])
	}
	if !slices.ContainsFunc(names, func(name string) bool { return !isWhole(name) }) {
		slices.SortFunc(names, func(a, b string) int {
			x, _ := strconv.ParseInt(a, 10, 64)
			y, _ := strconv.ParseInt(b, 10, 64)
			return cmp.Compare(x, y)
		})
	}
	return names, nil
}

// isWhole reports whether text is a whole number as it is written by us.
func isWhole(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == text
}
