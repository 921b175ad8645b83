package experiments

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"pkm/experiments/datasets"
)

// Dataset is a set of labelled samples. Its slices are shared and not written to.
type Dataset struct {
	Source     string
	SHA256     string          // of the bytes it was read from
	Files      []datasets.File // it was read from
	Shape      []int           // of one sample: (channels, height, width) of images
	InputNames []string        // what a table calls the inputs; nil without names
	Inputs     []float64       // (n, features); nil where there are
	Pixels     []byte          // (n, features): 255 times the inputs
	Labels     []int           // (n), in [0, Classes); nil for a regression, with
	Targets    []float64       // (n, Outputs): the numbers to predict
	Classes    int             // 0 for a regression
	Outputs    int             // numbers to predict of a sample
	ClassNames []string        // what the data call the classes; nil: by their numbers
	law        *law            // that samples are drawn from, instead of rows; nil for data
	HeldOut    int             // queries are drawn from this row on, training samples from those before; 0: both from all rows
}

// Samples are rows drawn from a Dataset, in the order in which they were drawn.
type Samples struct {
	Inputs  []float64 // (n, features)
	Labels  []int     // (n), relabelled when the classes are a subset; nil for a regression
	Targets []float64 // (n, outputs): the numbers to predict of a regression
	Indices []int64   // (n): rows of the dataset
}

// Count returns the number of samples.
func (s *Samples) Count() int { return len(s.Indices) }

// rows returns count samples from first on, without copying.
func (s *Samples) rows(first, count int) *Samples {
	part := &Samples{Indices: s.Indices[first : first+count]}
	n := s.Count()
	if d := len(s.Inputs) / n; d > 0 {
		part.Inputs = s.Inputs[first*d : (first+count)*d]
	}
	if s.Labels != nil {
		part.Labels = s.Labels[first : first+count]
	}
	if d := len(s.Targets) / n; d > 0 {
		part.Targets = s.Targets[first*d : (first+count)*d]
	}
	return part
}

// outputs returns the number of the chosen classes, or of all, or of numbers to predict.
func (d *Dataset) outputs(classes []int) int {
	switch {
	case d.Classes == 0:
		return d.Outputs
	case len(classes) > 0:
		return len(classes)
	}
	return d.Classes
}

// rows returns n.
func (d *Dataset) rows() int {
	if d.Classes == 0 {
		return len(d.Targets) / max(1, d.Outputs)
	}
	return len(d.Labels)
}

// index returns the number of the class that the configuration calls c: that of the label
// c where labels are whole numbers, c itself where they are texts.
func (d *Dataset) index(c int) (class int, ok bool) {
	if d.ClassNames == nil || slices.ContainsFunc(d.ClassNames, func(name string) bool { return !isWhole(name) }) {
		return c, c >= 0 && c < d.Classes
	}
	class = slices.Index(d.ClassNames, strconv.Itoa(c))
	return class, class >= 0
}

// SizeError reports that more samples were asked for than there are.
type SizeError struct {
	Train, Query, Available int
	Subset                  bool // a subset of the classes was asked for
	HeldOut                 int  // with a held-out part, how many samples it has; Available are those of the other
	Apart                   bool // there is a held-out part
}

// Error implements error.
func (e *SizeError) Error() string {
	of := ""
	if e.Subset {
		of = " of the chosen classes"
	}
	if e.Apart {
		return fmt.Sprintf("%d training and %d query samples, but the data has %d%s to train on and %d%s held out", e.Train, e.Query, e.Available, of, e.HeldOut, of)
	}
	return fmt.Sprintf("%d training and %d query samples are %d, but the data has %d%s", e.Train, e.Query, e.Train+e.Query, e.Available, of)
}

// ClassError reports a class that the data does not have.
type ClassError struct {
	Class, Classes int
	Names          []string // of the classes, or nil
}

// Error implements error.
func (e *ClassError) Error() string {
	return fmt.Sprintf("class %d: the data has the classes %s", e.Class, e.allowed())
}

// allowed says which classes there are.
func (e *ClassError) allowed() string {
	if len(e.Names) > 0 && isWhole(e.Names[0]) {
		return strings.Join(e.Names[:min(len(e.Names), 20)], ", ")
	}
	return fmt.Sprintf("0 to %d", e.Classes-1)
}

// Split draws train and query samples, disjoint, without replacement, with the
// seed; the query samples from the held-out part where there is one. Of a subset of classes, the one at position k gets label k; no subset
// means all classes. It returns the number of classes, or of numbers to predict. Errors: *SizeError,
// *ClassError.
func (d *Dataset) Split(seed uint64, train, query int, classes []int) (trained, queried *Samples, count int, err error) {
	rest, held, relabel, err := d.choose(train, query, classes)
	if err != nil {
		return nil, nil, 0, err
	}
	const stream = 0x64617461 // "data": apart from the stream of initial weights
	if d.law != nil {
		trained, queried = d.law.draw(seed, stream, train, classes), d.law.draw(seed, stream+1, query, classes)
		for i := range queried.Indices {
			queried.Indices[i] += int64(train)
		}
		return trained, queried, d.outputs(classes), nil
	}
	random := rand.New(rand.NewPCG(seed, stream))
	shuffle := func(rows []int) {
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	shuffle(rest)
	if held == nil {
		rest, held = rest[:train], rest[train:]
	} else {
		shuffle(held)
	}
	return d.take(rest[:train], relabel), d.take(held[:query], relabel), d.outputs(classes), nil
}

// choose returns the rows of the chosen classes, or of all, that training samples are drawn
// from, those that queries are drawn from, nil where these are among the others, and the new
// labels of the classes. Its errors are those of Split.
func (d *Dataset) choose(train, query int, classes []int) (rest, held []int, relabel map[int]int, err error) {
	relabel = make(map[int]int)
	if len(classes) == 0 {
		for c := range d.Classes {
			relabel[c] = c
		}
	}
	for k, c := range classes {
		class, ok := d.index(c)
		if !ok {
			return nil, nil, nil, &ClassError{Class: c, Classes: d.Classes, Names: d.ClassNames}
		}
		relabel[class] = k
	}
	var rows []int
	for i := range d.rows() {
		if d.Classes > 0 {
			if _, ok := relabel[d.Labels[i]]; !ok {
				continue
			}
		}
		rows = append(rows, i)
	}
	switch {
	case d.law != nil:
		return nil, nil, relabel, nil // there are as many as one wants
	case d.HeldOut > 0:
		from, _ := slices.BinarySearch(rows, d.HeldOut)
		rest, held = rows[:from:from], rows[from:]
		if train > len(rest) || query > len(held) {
			return nil, nil, nil, &SizeError{Train: train, Query: query, Available: len(rest), HeldOut: len(held), Apart: true, Subset: len(classes) > 0}
		}
		return rest, held, relabel, nil
	// Not train+query > len(rows), which could overflow.
	case train > len(rows) || query > len(rows)-train:
		return nil, nil, nil, &SizeError{Train: train, Query: query, Available: len(rows), Subset: len(classes) > 0}
	}
	return rows, nil, relabel, nil
}

// provenance says where the samples of the chosen classes, or of all, come from.
func (d *Dataset) provenance(classes []int) DataProvenance {
	p := DataProvenance{Source: d.Source, SHA256: d.SHA256, Files: d.Files, Shape: d.Shape, Inputs: d.InputNames, Classes: d.ClassNames}
	if len(classes) > 0 {
		p.Classes = nil
		for _, c := range classes {
			name := strconv.Itoa(c)
			if d.ClassNames != nil {
				i, _ := d.index(c)
				name = d.ClassNames[i]
			}
			p.Classes = append(p.Classes, name)
		}
	}
	return p
}

// Bytes returns the memory that the samples take.
func (d *Dataset) Bytes() int {
	return 8*len(d.Inputs) + len(d.Pixels) + 8*len(d.Labels) + 8*len(d.Targets)
}

func (d *Dataset) take(rows []int, relabel map[int]int) *Samples {
	s := &Samples{}
	width := max(len(d.Inputs), len(d.Pixels)) / d.rows()
	s.Inputs = make([]float64, 0, len(rows)*width)
	for _, r := range rows {
		if d.Inputs != nil {
			s.Inputs = append(s.Inputs, d.Inputs[r*width:(r+1)*width]...)
		} else {
			for _, p := range d.Pixels[r*width : (r+1)*width] {
				s.Inputs = append(s.Inputs, float64(p)/255)
			}
		}
		if d.Classes > 0 {
			s.Labels = append(s.Labels, relabel[d.Labels[r]])
		} else {
			s.Targets = append(s.Targets, d.Targets[r*d.Outputs:(r+1)*d.Outputs]...)
		}
		s.Indices = append(s.Indices, int64(r))
	}
	return s
}
