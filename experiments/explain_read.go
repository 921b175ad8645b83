package experiments

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"pkm/internal/elements"
	"pkm/internal/npy"
)

// explainer reads what an explanation needs of a run.
type explainer struct {
	run     *Run
	options ExplainOptions
	top     int
	root    *os.Root
	read    *verifier // of arrays and weights
	config  *Config
	shape   []int    // of a sample, as the network sees it
	classes []string // names; nil: a regression
	train   *Samples // labels or targets of the training samples, without inputs
	checked map[string]error
}

// open reads what every explanation needs.
func (x *explainer) open() error {
	s := &x.run.Summary
	x.checked = make(map[string]error)
	x.read = &verifier{VerifyReport: &VerifyReport{Path: x.run.Path}, root: x.root, summary: s}
	x.read.M, x.read.C, x.read.N = s.Samples.Query, s.Outputs, s.Samples.Train
	if err := x.check("config.yaml"); err != nil {
		return err
	}
	text, err := x.read.read("config.yaml")
	if err != nil {
		return err
	}
	if x.config, err = parseWritten("config.yaml", text); err != nil {
		return err
	}
	for _, name := range []string{"arrays/train_inputs.npy", "arrays/train_targets.npy"} {
		if err := x.check(name); err != nil {
			return err
		}
	}
	if x.shape, err = x.read.sampleShape(); err != nil {
		return err
	}
	if x.train, err = x.read.readTargets("train_targets"); err != nil {
		return err
	}
	if x.train.Labels == nil {
		return nil
	}
	if x.classes = x.run.Manifest.Data.Classes; x.classes == nil {
		for c := range max(2, s.Outputs) {
			x.classes = append(x.classes, strconv.Itoa(c))
		}
	}
	for _, l := range x.train.Labels {
		if l < 0 || l >= len(x.classes) {
			return fmt.Errorf("arrays/train_targets.npy holds the class %d, there are %d", l, len(x.classes))
		}
	}
	return nil
}

// check compares a file with the manifest, once.
func (x *explainer) check(name string) error {
	if err, done := x.checked[name]; done {
		return err
	}
	i := slices.IndexFunc(x.run.Manifest.Files, func(f FileRecord) bool { return f.Path == name })
	if i < 0 {
		return &FileError{Path: name, Fault: FaultMissing, Detail: "the manifest does not list it"}
	}
	err := verifyFile(x.root, x.run.Manifest.Files[i])
	x.checked[name] = err
	return err
}

// has reports whether the run has written an array.
func (x *explainer) has(name string) bool {
	return slices.ContainsFunc(x.run.Manifest.Files, func(f FileRecord) bool { return f.Path == "arrays/"+name+".npy" })
}

// part reads the elements of an array that leading indices leave. A dimension of −1 may be any.
func (x *explainer) part(name string, shape []int, at ...int) ([]float64, error) {
	path := "arrays/" + name + ".npy"
	if err := x.check(path); err != nil {
		return nil, err
	}
	f, err := openFile(x.root, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := npy.ReadHeader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	fits := len(h.Shape) == len(shape) && len(at) <= len(shape)
	for i := range shape {
		fits = fits && (shape[i] < 0 || shape[i] == h.Shape[i]) && (i >= len(at) || at[i] >= 0 && at[i] < h.Shape[i])
	}
	if !fits {
		return nil, fmt.Errorf("%s: the shape is %v, summary.json needs %v (−1: any); run pkm verify %s", path, h.Shape, shape, x.run.Path)
	}
	from, count := 0, 1
	for i, d := range h.Shape {
		from *= d
		if i < len(at) {
			from += at[i]
		} else {
			count *= d
		}
	}
	size := 8
	if h.DType == "<f4" {
		size = 4
	}
	if _, err := f.Seek(int64(size)*int64(from), io.SeekCurrent); err != nil {
		return nil, err
	}
	if h.DType == "<f4" {
		values, err := elements.Read[float32](f, count)
		return widen(values), err
	}
	if h.DType != "<f8" {
		return nil, fmt.Errorf("%s: %w", path, &npy.DTypeError{Found: h.DType, Want: "<f8 or <f4"})
	}
	return elements.Read[float64](f, count)
}

// whole reads an array of whole numbers; nil where the run has none.
func (x *explainer) whole(name string) ([]int64, error) {
	if !x.has(name) {
		return nil, nil
	}
	if err := x.check("arrays/" + name + ".npy"); err != nil {
		return nil, err
	}
	return readElements[int64](x.read, name)
}

// inputs reads sample i of train_inputs or query_inputs.
func (x *explainer) inputs(name string, i int) ([]float64, error) {
	return x.part(name, append([]int{-1}, x.shape...), i)
}

// label returns what is known of what sample i was to be: its class, or its numbers; "" for what is not known.
func (x *explainer) label(s *Samples, i int) string {
	switch {
	case s.Labels != nil && s.Labels[i] >= 0:
		return x.classes[s.Labels[i]]
	case s.Labels == nil && s.Targets != nil:
		c := x.run.Summary.Outputs
		var numbers []string
		for _, y := range s.Targets[i*c : (i+1)*c] {
			numbers = append(numbers, strconv.FormatFloat(y, 'g', 6, 64))
		}
		return strings.Join(numbers, " ")
	}
	return ""
}

// predicted returns the class that outputs f (C) choose; "" for a regression.
func (x *explainer) predicted(f []float64) string {
	if x.classes == nil {
		return ""
	}
	if c := class(f); c >= 0 {
		return x.classes[c]
	}
	return ""
}

// fault returns an error of what was asked for.
func (x *explainer) fault(do, format string, args ...any) error {
	return &ExplainError{Run: x.run.Path, Fault: fmt.Sprintf(format, args...), Do: do}
}

// machineNames lists the machines of the run.
func (x *explainer) machineNames() string {
	var names []string
	for _, m := range x.config.Machines {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}
