package experiments

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// explorerBytes is what the contributions of the explorer may take of a page, before Base64.
const explorerBytes = 27 << 18

// mostWindows is how many windows of steps the explorer shows; more are joined.
const mostWindows = 16

// explorer is what the page needs to show which training samples pushed which output.
type explorer struct {
	Queries  int               `json:"queries"`  // shown
	Of       int               `json:"of"`       // all
	Class    []int             `json:"class"`    // of the queries shown
	Chosen   []int             `json:"chosen"`   // by the network
	Row      []int             `json:"row"`      // of the queries in the data
	Targets  *explorerTargets  `json:"targets"`  // of a regression
	Samples  explorerSamples   `json:"samples"`  // that appear
	Images   *sprite           `json:"images"`   // queries, then samples
	Features *features         `json:"features"` // where there are no images
	Softmax  bool              `json:"softmax"`  // the outputs are logits of classes
	Machines []explorerMachine `json:"machines"`
	Strong   int               `json:"strong"` // kept for and against, at most
	OfClass  int               `json:"ofClass"`
	Details  int               `json:"details"` // slots of shares for, and as many against
}

// explorerSamples are the training samples that appear, by their position in the run.
type explorerSamples struct {
	Index    []int `json:"index"`
	Row      []int `json:"row"`
	Class    []int `json:"class"`
	Original []int `json:"original,omitempty"` // before labels were made wrong on purpose
}

// explorerTargets are the numbers to predict, of the queries, then of the samples, and what the network says of the
// queries; both packed.
type explorerTargets struct {
	Width  int    `json:"width"` // T of (·, T)
	Values string `json:"values"`
	Said   string `json:"said"` // (Q, C)
}

// explorerMachine is a machine's account of the queries shown. Arrays are packed, see pack.
type explorerMachine struct {
	Name           string   `json:"name"`
	Target         string   `json:"target"`
	Outputs        []string `json:"outputs"`
	Initial        string   `json:"initial"` // (Q, C)
	Final          string   `json:"final"`
	Regularization string   `json:"regularization"`
	Residual       string   `json:"residual"`
	Sums           string   `json:"sums"`    // (Q, C, 2): of all contributions for and against
	Classes        string   `json:"classes"` // (Q, C, K, 2): by class of the training sample; "" for a regression
	Starts         []int    `json:"starts"`  // (Q·C+1): where the samples of an output begin
	Samples        string   `json:"samples"` // positions in explorer.Samples, uint16
	Values         string   `json:"values"`
	Layers         *pieces  `json:"layers"`
	Windows        *pieces  `json:"windows"`

	rows [][]contribution
}

// pieces are the shares of the layers or of windows of steps.
type pieces struct {
	Names   []string `json:"names"`
	Totals  string   `json:"totals"`  // (Q, C, parts, 2): for and against
	Samples string   `json:"samples"` // (Q, C, 2·details, parts): of the strongest for, then against
}

// newExplorer collects what the explorer shows.
func newExplorer(r *reportSource) (*explorer, error) {
	M := r.summary.Samples.Query
	e := &explorer{Of: M, Strong: keptStrongest, OfClass: keptOfClass, Softmax: r.config.Loss.Kind == "cross-entropy", Machines: []explorerMachine{}}
	e.Queries, e.Details = explorerSize(r)
	var used []bool
	for _, m := range r.machines {
		x, err := r.explorerMachine(m, e.Queries, e.Details)
		if err != nil {
			return nil, fmt.Errorf("machine %q: %w", m.name, err)
		}
		if used == nil {
			used = make([]bool, r.summary.Samples.Train)
		}
		for _, list := range x.rows {
			for _, k := range list {
				used[k.sample] = true
			}
		}
		e.Machines = append(e.Machines, *x)
	}
	positions := make(map[int]uint16)
	for i, u := range used {
		if u && len(positions) < 1<<16 {
			positions[i] = uint16(len(e.Samples.Index))
			e.Samples.Index = append(e.Samples.Index, i)
		}
	}
	for i := range e.Machines {
		e.Machines[i].pack(positions)
	}
	return e, e.describe(r)
}

// explorerSize returns how many queries are shown, and of how many samples for and against an output the shares are
// kept, so that the page stays small: 200 queries are worth more than shares.
func explorerSize(r *reportSource) (queries, details int) {
	M, K, parts := r.summary.Samples.Query, len(r.classes), len(r.summary.Layers)
	if d := &r.config.Decompose; d.Windows > 0 || d.Epochs > 0 {
		parts += mostWindows
	}
	for _, details = range []int{8, 4, 2} {
		each := 0 // bytes of a query
		for _, m := range r.machines {
			// Most of the strongest of a class are among the strongest of all.
			each += len(m.outputs) * (6*(2*keptStrongest+K*keptOfClass) + 8*(K+parts+3) + 8*details*parts)
		}
		if queries = min(M, max(1, explorerBytes/max(1, each))); queries >= min(M, 200) {
			break
		}
	}
	return queries, details
}

// explorerMachine reads the contributions of a machine to the first queries.
func (r *reportSource) explorerMachine(m reportMachine, queries, details int) (*explorerMachine, error) {
	C, N, K := len(m.outputs), r.summary.Samples.Train, len(r.classes)
	M := r.summary.Samples.Query
	x := &explorerMachine{Name: m.name, Target: m.target, Outputs: m.outputs, Starts: []int{0}}
	for _, a := range []struct {
		packed *string
		values []float64
	}{{&x.Initial, m.initial}, {&x.Final, m.final}, {&x.Regularization, m.regularization}, {&x.Residual, m.residual}} {
		*a.packed = pack(a.values[:queries*C])
	}
	var sums, classes []float64
	err := r.rows(m.name+"/contributions", []int{M, C, N}, func(row int, values []float64) {
		if row >= queries*C {
			return
		}
		sides, byClass := make([]float64, 2), make([]float64, 2*K)
		for i, v := range values {
			side := sideOf(v)
			sides[side] += v
			if K > 0 {
				byClass[2*r.trainClass[i]+side] += v
			}
		}
		sums, classes = append(sums, sides...), append(classes, byClass...)
		list := strongestOf(values, r.trainClass, K, keptStrongest, keptOfClass)
		x.rows = append(x.rows, list)
		x.Starts = append(x.Starts, x.Starts[row]+len(list))
	})
	if err != nil {
		return nil, err
	}
	x.Sums, x.Classes = pack(sums), pack(classes)
	if err := r.explorerShares(m, x, queries, details); err != nil {
		return nil, err
	}
	return x, nil
}

// sideOf is 0 for what pushes an output up, 1 for what pushes it down.
func sideOf(v float64) int {
	if v < 0 {
		return 1
	}
	return 0
}

// explorerShares reads the shares that a machine has.
func (r *reportSource) explorerShares(m reportMachine, x *explorerMachine, queries, details int) error {
	if shape, err := r.shape(m.name + "/contributions_by_layer"); err != nil {
		return err
	} else if len(shape) == 4 && len(r.summary.Layers) == shape[0] {
		if x.Layers, err = r.shares(m, x, "layer", queries, details, r.summary.Layers, nil); err != nil {
			return err
		}
	}
	shape, err := r.shape(m.name + "/contributions_by_window")
	if err != nil || len(shape) != 4 {
		return err
	}
	bounds, err := r.integers(m.name+"/window_bounds", shape[0]+1)
	if err != nil {
		return err
	}
	joined, names := joinWindows(bounds)
	x.Windows, err = r.shares(m, x, "window", queries, details, names, joined)
	return err
}

// joinWindows returns the part of each window and where the parts end. Windows without steps, which a run has that took
// fewer than were asked for, are no parts of their own.
func joinWindows(bounds []int) (part []int, ends []string) {
	count := 0 // of windows with steps
	for w := range len(bounds) - 1 {
		if bounds[w+1] > bounds[w] {
			count++
		}
	}
	parts, at := max(1, min(count, mostWindows)), -1
	part, ends = make([]int, len(bounds)-1), make([]string, parts)
	for w := range part {
		if bounds[w+1] > bounds[w] {
			at++
		}
		part[w] = max(0, at) * parts / max(1, count)
		ends[part[w]] = strconv.Itoa(bounds[w+1])
	}
	return part, ends
}

// shares reads contributions_by_<kind> (parts, M, C, N). joined, if not nil, is the place of each part in names.
func (r *reportSource) shares(m reportMachine, x *explorerMachine, kind string, queries, few int, names []string, joined []int) (*pieces, error) {
	M, C, N, P := r.summary.Samples.Query, len(m.outputs), r.summary.Samples.Train, len(names)
	totals, samples := make([]float64, queries*C*P*2), make([]float64, queries*C*2*few*P)
	places := make([][]int, len(x.rows))
	for k, list := range x.rows {
		places[k] = details(list, few)
	}
	err := r.rows(m.name+"/contributions_by_"+kind, []int{-1, M, C, N}, func(row int, values []float64) {
		part, k := row/(M*C), row%(M*C)
		if k >= queries*C {
			return
		}
		if joined != nil {
			part = joined[part]
		}
		for _, v := range values {
			totals[(k*P+part)*2+sideOf(v)] += v
		}
		for slot, at := range places[k] {
			if at >= 0 {
				samples[(k*2*few+slot)*P+part] += values[x.rows[k][at].sample]
			}
		}
	})
	return &pieces{Names: names, Totals: pack(totals), Samples: pack(samples)}, err
}

// pack writes the samples that are kept.
func (x *explorerMachine) pack(positions map[int]uint16) {
	var at []byte
	var values []float64
	for _, list := range x.rows {
		for _, k := range list {
			at = binary.LittleEndian.AppendUint16(at, positions[k.sample])
			values = append(values, k.value)
		}
	}
	x.Samples, x.Values = base64.StdEncoding.EncodeToString(at), pack(values)
}

// describe says what the queries and the samples are.
func (e *explorer) describe(r *reportSource) error {
	rows, err := r.integers("query_indices", e.Of)
	if err != nil {
		return err
	}
	e.Row = rows[:e.Queries]
	C := r.summary.Outputs
	if r.classes != nil {
		e.Class, e.Chosen = r.queryClass[:e.Queries], Classes(r.final[:e.Queries*C], C)
	}
	if rows, err = r.integers("train_indices", r.summary.Samples.Train); err != nil {
		return err
	}
	s := &e.Samples
	original, err := r.original()
	if err != nil {
		return err
	}
	for _, i := range s.Index {
		s.Row = append(s.Row, rows[i])
		if r.classes != nil {
			s.Class = append(s.Class, r.trainClass[i])
		}
		if original != nil {
			s.Original = append(s.Original, original[i])
		}
	}
	if r.classes == nil {
		if e.Targets, err = e.targets(r); err != nil {
			return err
		}
	}
	return e.picture(r)
}

// targets reads the numbers to predict.
func (e *explorer) targets(r *reportSource) (*explorerTargets, error) {
	t := &explorerTargets{Said: pack(r.final[:e.Queries*r.summary.Outputs])}
	read := func(name string, n int) ([]float64, error) {
		shape, err := r.shape(name)
		if err != nil || len(shape) < 1 || shape[0] != n || sizeOf(shape)%max(1, n) != 0 {
			return nil, errors.Join(err, fmt.Errorf("arrays/%s.npy: shape %v, want targets of %d samples", name, shape, n))
		}
		t.Width = sizeOf(shape) / n
		return r.array(name, shape...)
	}
	all, err := read("query_targets", e.Of)
	if err != nil {
		return nil, err
	}
	values, width := all[:e.Queries*t.Width], t.Width
	if all, err = read("train_targets", r.summary.Samples.Train); err != nil {
		return nil, err
	}
	if t.Width != width {
		return nil, fmt.Errorf("arrays/train_targets.npy has %d targets of a sample, query_targets.npy %d", t.Width, width)
	}
	for _, i := range e.Samples.Index {
		values = append(values, all[i*width:(i+1)*width]...)
	}
	t.Values = pack(values)
	return t, nil
}

// original returns the labels before noise, nil without noise.
func (r *reportSource) original() ([]int, error) {
	const name = "train_original_targets"
	if shape, err := r.shape(name); shape == nil || err != nil {
		return nil, err
	}
	return r.integers(name, r.summary.Samples.Train)
}

// pack writes numbers as Base64 of float32 in little-endian order. What float32 does not hold becomes infinite.
func pack(values []float64) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// featureNames names the inputs of rows that are no images.
func featureNames(c *Config, known []string, n int) []string {
	if len(known) == n {
		return known
	}
	names := strings.Split(c.Data.Inputs, ",")
	if len(names) != n || slices.Contains(names, "") {
		names = nil
		for i := range n {
			names = append(names, "x"+strconv.Itoa(i))
		}
	}
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}
