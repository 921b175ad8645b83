package experiments

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Dataset is a set of labelled samples. Its slices are shared and not written to.
type Dataset struct {
	Source  string
	SHA256  string    // of the bytes it was read from
	Shape   []int     // of one sample: (channels, height, width) of images
	Inputs  []float64 // (n, features)
	Labels  []int     // (n), in [0, Classes)
	Classes int
}

// Samples are rows drawn from a Dataset, in the order in which they were drawn.
type Samples struct {
	Inputs  []float64 // (n, features)
	Labels  []int     // (n), relabelled when the classes are a subset
	Indices []int64   // (n): rows of the dataset
}

// SizeError reports that more samples were asked for than there are.
type SizeError struct {
	Train, Query, Available int
	Subset                  bool // a subset of the classes was asked for
}

// Error implements error.
func (e *SizeError) Error() string {
	of := ""
	if e.Subset {
		of = " of the chosen classes"
	}
	return fmt.Sprintf("%d training and %d query samples are %d, but the data has %d%s", e.Train, e.Query, e.Train+e.Query, e.Available, of)
}

// ClassError reports a class that the data does not have.
type ClassError struct{ Class, Classes int }

// Error implements error.
func (e *ClassError) Error() string {
	return fmt.Sprintf("class %d: the data has the classes 0 to %d", e.Class, e.Classes-1)
}

// Split draws train and query samples, disjoint, without replacement, with the
// seed. Of a subset of classes, the one at position k gets label k; no subset
// means all classes. It returns the number of classes. Errors: *SizeError,
// *ClassError.
func (d *Dataset) Split(seed uint64, train, query int, classes []int) (trained, queried *Samples, count int, err error) {
	relabel := make(map[int]int)
	if len(classes) == 0 {
		for c := range d.Classes {
			relabel[c] = c
		}
	}
	for k, c := range classes {
		if c < 0 || c >= d.Classes {
			return nil, nil, 0, &ClassError{Class: c, Classes: d.Classes}
		}
		relabel[c] = k
	}
	var rows []int
	for i, l := range d.Labels {
		if _, ok := relabel[l]; ok {
			rows = append(rows, i)
		}
	}
	// Not train+query > len(rows), which could overflow.
	if train > len(rows) || query > len(rows)-train {
		return nil, nil, 0, &SizeError{Train: train, Query: query, Available: len(rows), Subset: len(classes) > 0}
	}
	const stream = 0x64617461 // "data": apart from the stream of initial weights
	random := rand.New(rand.NewPCG(seed, stream))
	random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return d.take(rows[:train], relabel), d.take(rows[train:train+query], relabel), len(relabel), nil
}

func (d *Dataset) take(rows []int, relabel map[int]int) *Samples {
	s := &Samples{}
	width := len(d.Inputs) / len(d.Labels)
	for _, r := range rows {
		s.Inputs = append(s.Inputs, d.Inputs[r*width:(r+1)*width]...)
		s.Labels = append(s.Labels, relabel[d.Labels[r]])
		s.Indices = append(s.Indices, int64(r))
	}
	s.Inputs = slices.Clip(s.Inputs)
	return s
}
