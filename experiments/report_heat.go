package experiments

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// mostCells is the side of a heat map; more rows and columns are averaged.
const mostCells = 256

// heatMap is a path kernel ∫tr K dτ of queries (rows) and training samples (columns), both ordered by class.
type heatMap struct {
	Machine string  `json:"machine"`
	Rows    int     `json:"rows"`
	Columns int     `json:"columns"`
	Cells   string  `json:"cells"` // packed (Rows, Columns): means of the values in them
	Limit   Figure  `json:"limit"` // of the colours: the 99.5th percentile of |cell|
	RowAt   []bound `json:"rowAt"` // where classes begin, in cells
	ColumAt []bound `json:"columnAt"`

	cells []float64
	means [][]float64 // (K, K): of the queries of a class with the training samples of one
}

// bound is where a class begins.
type bound struct {
	Name string  `json:"name"`
	At   float64 `json:"at"`
}

// newHeatMap returns the first path kernel that the run kept, nil where it kept none.
func newHeatMap(r *reportSource) (*heatMap, error) {
	M, N, C := r.summary.Samples.Query, r.summary.Samples.Train, r.summary.Outputs
	for _, m := range r.machines {
		name := m.name + "/path_kernel"
		shape, err := r.shape(name)
		if err != nil {
			return nil, err
		}
		if shape == nil {
			continue
		}
		h := &heatMap{Machine: m.name, Rows: min(M, mostCells), Columns: min(N, mostCells)}
		rowOf, err := h.places(r, "query_targets", M, h.Rows, r.queryClass, &h.RowAt)
		if err != nil {
			return nil, err
		}
		columnOf, err := h.places(r, "train_targets", N, h.Columns, r.trainClass, &h.ColumAt)
		if err != nil {
			return nil, err
		}
		mean := newCellMeans(h.Rows, h.Columns)
		classes := newCellMeans(len(r.classes), len(r.classes))
		add := func(m, i int, v float64) {
			mean.add(rowOf[m], columnOf[i], v)
			if r.classes != nil {
				classes.add(r.queryClass[m], r.trainClass[i], v)
			}
		}
		if len(shape) == 4 { // for all pairs of outputs
			trace := make([]float64, N)
			err = r.rows(name, []int{M, C, N, C}, func(row int, values []float64) {
				// A row is ⟨(m, c, i), ·⟩: C numbers.
				m, c, i := row/(C*N), row/N%C, row%N
				trace[i] += values[c]
				if c == C-1 {
					add(m, i, trace[i])
					trace[i] = 0
				}
			})
		} else {
			err = r.rows(name, []int{M, N}, func(m int, values []float64) {
				for i, v := range values {
					add(m, i, v)
				}
			})
		}
		if err != nil {
			return nil, err
		}
		h.cells = mean.values()
		h.Cells, h.Limit = pack(h.cells), Figure(percentile(h.cells, 0.995))
		if r.classes != nil {
			means := classes.values()
			for k := range r.classes {
				h.means = append(h.means, means[k*len(r.classes):(k+1)*len(r.classes)])
			}
		}
		return h, nil
	}
	return nil, nil
}

// places returns the cell of each of n samples, and where classes begin.
func (h *heatMap) places(r *reportSource, targets string, n, cells int, class []int, bounds *[]bound) ([]int, error) {
	var values []float64
	if class == nil {
		var err error
		if values, err = r.array(targets, n, -1); err != nil {
			return nil, err
		}
		C := len(values) / n
		first := make([]float64, n)
		for i := range first {
			first[i] = values[i*C]
		}
		values = first
	}
	order := byClass(n, class, values)
	of := make([]int, n)
	last := -1
	for position, i := range order {
		of[i] = position * cells / n
		at := float64(position) * float64(cells) / float64(n)
		switch {
		case class != nil && class[i] != last:
			last = class[i]
			*bounds = append(*bounds, bound{r.classes[last], at})
		case class == nil && position*4/n != last:
			last = position * 4 / n
			*bounds = append(*bounds, bound{strconv.FormatFloat(values[i], 'g', 3, 64), at})
		}
	}
	return of, nil
}

// cellMeans averages what falls into cells.
type cellMeans struct {
	columns     int
	sums, count []float64
}

func newCellMeans(rows, columns int) *cellMeans {
	return &cellMeans{columns, make([]float64, rows*columns), make([]float64, rows*columns)}
}

func (c *cellMeans) add(row, column int, v float64) {
	c.sums[row*c.columns+column] += v
	c.count[row*c.columns+column]++
}

func (c *cellMeans) values() []float64 {
	out := make([]float64, len(c.sums))
	for i, s := range c.sums {
		out[i] = s / c.count[i] // NaN of an empty one
	}
	return out
}

// percentile returns the number below which a share of |values| lies, 0 without any number.
func percentile(values []float64, share float64) float64 {
	var sizes []float64
	for _, v := range values {
		if a := math.Abs(v); !math.IsNaN(a) && !math.IsInf(a, 0) {
			sizes = append(sizes, a)
		}
	}
	if len(sizes) == 0 {
		return 0
	}
	slices.Sort(sizes)
	return sizes[int(share*float64(len(sizes)-1))]
}

// describe says what a heat map shows.
func (h *heatMap) describe() string {
	return fmt.Sprintf("path kernel ∫tr K dτ of the machine %s, %d × %d cells", h.Machine, h.Rows, h.Columns)
}
