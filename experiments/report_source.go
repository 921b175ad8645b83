package experiments

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"

	"pkm/internal/npy"
)

// reportSource is a completed run as its report reads it: from the files, whether it has
// just ended or ended long ago.
type reportSource struct {
	root     *os.Root
	config   *Config
	manifest Manifest
	summary  Summary
	checked  map[string]bool // files found as the manifest has them; nil: the run is just being written

	classes    []string // names of the classes of the data; nil for a regression
	outputs    []string // names of the network's outputs
	trainClass []int    // (N); nil for a regression
	queryClass []int    // (M)
	initial    []float64
	final      []float64 // (M, C)
	steps      []StepMetrics
	analysis   []KernelAnalysis
	machines   []reportMachine
}

// reportMachine is a machine with what it accounts for.
type reportMachine struct {
	name, target          string
	outputs               []string  // names of the C values
	initial, final        []float64 // (M, C)
	regularization        []float64 // (M, C)
	residual, predictions []float64 // (M, C)
}

// openReportSource reads what is small of a run; the caller closes root.
func openReportSource(root *os.Root, c *Config, m Manifest, s Summary) (*reportSource, error) {
	r := &reportSource{root: root, config: c, manifest: m, summary: s}
	return r, r.load()
}

// openCheckedSource is openReportSource of a run that ended earlier. A file that is not as the manifest has it is an
// error, a *FileError.
func openCheckedSource(root *os.Root, c *Config, m Manifest, s Summary) (*reportSource, error) {
	r := &reportSource{root: root, config: c, manifest: m, summary: s, checked: map[string]bool{}}
	return r, r.load()
}

// load reads what is small of a run.
func (r *reportSource) load() error {
	s := &r.summary
	M, C, N := s.Samples.Query, s.Outputs, s.Samples.Train
	if M < 1 || C < 1 || N < 1 {
		return fmt.Errorf("%s: %d queries, %d outputs and %d training samples; each must be positive", summaryName, M, C, N)
	}
	var err error
	if r.trainClass, err = r.labels("train_targets", N); err != nil {
		return err
	}
	if r.queryClass, err = r.labels("query_targets", M); err != nil {
		return err
	}
	if err := r.nameOutputs(C); err != nil {
		return err
	}
	if r.initial, err = r.array("outputs_initial", M, C); err != nil {
		return err
	}
	if r.final, err = r.array("outputs_final", M, C); err != nil {
		return err
	}
	if r.steps, err = readLines[StepMetrics](r, metricsName); err != nil {
		return err
	}
	if r.analysis, err = readLines[KernelAnalysis](r, analysisName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, machine := range s.Machines {
		entry, err := r.machine(machine, M, C)
		if err != nil {
			return fmt.Errorf("machine %q: %w", machine.Name, err)
		}
		r.machines = append(r.machines, entry)
	}
	return nil
}

// check compares a file with what the manifest says of it, once.
func (r *reportSource) check(path string) error {
	if r.checked == nil || r.checked[path] {
		return nil
	}
	run := Run{Manifest: r.manifest}
	record, listed := run.record(path)
	if !listed {
		return fmt.Errorf("%s: the manifest does not list it: %w", path, fs.ErrNotExist)
	}
	if err := verifyFile(r.root, record); err != nil {
		return err
	}
	r.checked[path] = true
	return nil
}

// machine reads what is small of a machine.
func (r *reportSource) machine(m MachineSummary, M, C int) (reportMachine, error) {
	e := reportMachine{name: m.Name, target: m.Figures.Target, outputs: r.outputs, initial: r.initial, final: r.final}
	var err error
	if e.target != "" {
		e.outputs = []string{"loss"}
		if e.target != lossTarget {
			e.outputs = nil
			for _, name := range r.outputs {
				e.outputs = append(e.outputs, "log p("+name+")")
			}
		}
		C = len(e.outputs)
		if e.initial, err = r.array(m.Name+"/target_initial", M, C); err != nil {
			return e, err
		}
		if e.final, err = r.array(m.Name+"/target_final", M, C); err != nil {
			return e, err
		}
	}
	if e.regularization, err = r.array(m.Name+"/regularization", M, C); err != nil {
		return e, err
	}
	if e.residual, err = r.array(m.Name+"/residual", M, C); err != nil {
		return e, err
	}
	e.predictions = make([]float64, M*C)
	for k, y := range e.final {
		e.predictions[k] = y - e.residual[k]
	}
	return e, nil
}

// nameOutputs names the classes, and the outputs after them.
func (r *reportSource) nameOutputs(C int) error {
	if r.trainClass == nil || r.queryClass == nil {
		for c := range C {
			r.outputs = append(r.outputs, "output "+strconv.Itoa(c))
		}
		r.trainClass, r.queryClass = nil, nil
		return nil
	}
	K := max(2, C)
	r.classes = r.manifest.Data.Classes
	if len(r.classes) != K {
		r.classes = nil
		for k := range K {
			r.classes = append(r.classes, strconv.Itoa(k))
		}
	}
	r.outputs = r.classes
	if C == 1 {
		r.outputs = []string{"logit of " + r.classes[1]}
	}
	for _, k := range slices.Concat(r.trainClass, r.queryClass) {
		if k < 0 || k >= K {
			return fmt.Errorf("arrays/train_targets.npy or query_targets.npy: class %d, where there are %d", k, K)
		}
	}
	return nil
}

// open opens an array and returns its header; the file is at the first element.
func (r *reportSource) open(name string) (*os.File, npy.Header, error) {
	path := "arrays/" + name + ".npy"
	if err := r.check(path); err != nil {
		return nil, npy.Header{}, err
	}
	f, err := openFile(r.root, path)
	if err != nil {
		return nil, npy.Header{}, fmt.Errorf("%s: %w", path, err)
	}
	h, err := npy.ReadHeader(f)
	if err != nil {
		f.Close()
		return nil, npy.Header{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, h, nil
}

// array reads an array of floating-point numbers of a shape, of which -1 stands for any length.
func (r *reportSource) array(name string, shape ...int) ([]float64, error) {
	var all []float64
	err := r.rows(name, shape, func(_ int, row []float64) { all = append(all, row...) })
	return all, err
}

// rows hands out the rows of an array, of its last dimension, one after the other; the row is
// overwritten by the next one. An array may be larger than memory.
func (r *reportSource) rows(name string, shape []int, visit func(row int, values []float64)) error {
	f, h, err := r.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fits := len(h.Shape) == len(shape)
	for i := range shape {
		fits = fits && (shape[i] < 0 || h.Shape[i] == shape[i])
	}
	size := map[string]int{"<f8": 8, "<f4": 4, "<i8": 8}[h.DType]
	if !fits || size == 0 {
		return fmt.Errorf("arrays/%s.npy: %s of shape %v, want numbers of shape %v", name, h.DType, h.Shape, shape)
	}
	width, count := h.Shape[len(h.Shape)-1], 1
	for _, n := range h.Shape[:len(h.Shape)-1] {
		count *= n
	}
	in, row := bufio.NewReaderSize(f, 1<<20), []float64(nil)
	raw := make([]byte, min(width*size, 1<<20))
	for i := range count {
		row = row[:0]
		for left := width * size; left > 0; {
			part := raw[:min(left, len(raw)/size*size)]
			if _, err := io.ReadFull(in, part); err != nil {
				return fmt.Errorf("arrays/%s.npy is cut: row %d of %d: %w", name, i, count, err)
			}
			row = appendNumbers(row, part, h.DType)
			left -= len(part)
		}
		visit(i, row)
	}
	return nil
}

// appendNumbers appends numbers in the form of NumPy.
func appendNumbers(row []float64, raw []byte, dtype string) []float64 {
	switch dtype {
	case "<f4":
		for ; len(raw) > 0; raw = raw[4:] {
			row = append(row, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}
	case "<i8":
		for ; len(raw) > 0; raw = raw[8:] {
			row = append(row, float64(int64(binary.LittleEndian.Uint64(raw))))
		}
	default:
		for ; len(raw) > 0; raw = raw[8:] {
			row = append(row, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
	}
	return row
}

// shape returns the shape of an array, nil where there is none.
func (r *reportSource) shape(name string) ([]int, error) {
	f, h, err := r.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return h.Shape, f.Close()
}

// labels reads classes (n), nil where the array holds numbers to predict.
func (r *reportSource) labels(name string, n int) ([]int, error) {
	f, h, err := r.open(name)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil || h.DType != "<i8" {
		return nil, err
	}
	return r.integers(name, n)
}

// integers reads whole numbers (n), any number of them for -1.
func (r *reportSource) integers(name string, n int) ([]int, error) {
	values, err := r.array(name, n)
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out, err
}

// readLines reads the lines of a JSON Lines file.
func readLines[T any](r *reportSource, name string) ([]T, error) {
	if err := r.check(name); err != nil {
		return nil, err
	}
	content, err := r.root.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out []T
	for line := range bytes.Lines(content) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, len(out)+1, err)
		}
		out = append(out, v)
	}
	return out, nil
}
