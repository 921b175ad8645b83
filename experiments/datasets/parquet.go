package datasets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet reads columns of numbers, and one of classes or several of numbers to predict.
// Target and Inputs name columns; one inside of a group is group.column. The index that
// pandas saves (__index_level_0__) is no column.
func (f *Reader) Parquet(o Options) (t *Table, err error) {
	// All of the file is hashed first: the reader jumps about in it.
	if err := f.each(o.Path, func(*bufio.Reader) error { return nil }); err != nil {
		return nil, err
	}
	file, err := open(o.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if t, err = readParquet(file, o); err != nil {
		return nil, locate(o.Path, err)
	}
	return t, nil
}

// readParquet reads a file. What the library panics at is a damaged file too.
func readParquet(file *os.File, o Options) (t *Table, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			t, err = nil, fmt.Errorf("damaged: %v; get the file again", fault)
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkFooter(file, info.Size()); err != nil {
		return nil, err
	}
	p, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("not a whole Parquet file: %w", err)
	}
	var leaves []parquet.LeafColumn
	var names []string
	for _, path := range p.Schema().Columns() {
		leaf, ok := p.Schema().Lookup(path...)
		if name := strings.Join(path, "."); ok && !strings.HasPrefix(name, "__index_level_") {
			leaves, names = append(leaves, leaf), append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("found no column")
	}
	c, err := chooseColumns(names, len(names), o)
	if err != nil {
		return nil, err
	}
	t = c.start(o)
	inputs := make([][]float64, len(c.inputs))
	for j, i := range c.inputs {
		err := eachValue(p, leaves[i], c.name(i), func(v parquet.Value) string {
			x, fault := numberOf(leaves[i], v)
			inputs[j] = append(inputs[j], x)
			return fault
		})
		if err != nil {
			return nil, err
		}
	}
	targets := make([][]float64, len(c.targets))
	for j, i := range c.targets {
		err := eachValue(p, leaves[i], c.name(i), func(v parquet.Value) (fault string) {
			var l string
			var x float64
			if o.Regression {
				x, fault = numberOf(leaves[i], v)
				targets[j] = append(targets[j], x)
				return fault
			}
			l, fault = labelOf(leaves[i], v)
			t.Labels = append(t.Labels, l)
			return fault
		})
		if err != nil {
			return nil, err
		}
	}
	t.Rows = len(inputs[0])
	if t.Rows == 0 {
		return nil, errors.New("found no row")
	}
	if t.Values, err = interleave(inputs, t.Rows); err != nil {
		return nil, err
	}
	if o.Regression {
		if t.Targets, err = interleave(targets, t.Rows); err != nil {
			return nil, err
		}
	} else if len(t.Labels) != t.Rows {
		return nil, fmt.Errorf("damaged: %d classes of %d rows", len(t.Labels), t.Rows)
	}
	return t, t.reshape(o.Shape)
}

// checkFooter checks the length of the metadata at the end of a file, which the library takes
// memory for as it is.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return fmt.Errorf("not a whole Parquet file: found %d bytes", size)
	}
	if _, err := r.ReadAt(end[:], size-8); err != nil {
		return err
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); string(end[4:]) != "PAR1" || n > size-12 {
		return &Error{Where: fmt.Sprintf("offset %d", size-8), Fault: fmt.Sprintf("found the bytes % x, the length of the metadata, at most %d, and PAR1 are due; is this a whole Parquet file?", end, size-12)}
	}
	return nil
}

// interleave returns columns as rows.
func interleave(columns [][]float64, rows int) ([]float64, error) {
	out := make([]float64, 0, rows*len(columns))
	for _, c := range columns {
		if len(c) != rows {
			return nil, fmt.Errorf("damaged: one column has %d values, another %d", rows, len(c))
		}
	}
	for i := range rows {
		for _, c := range columns {
			out = append(out, c[i])
		}
	}
	return out, nil
}

// eachValue calls use for each value of a column, which returns what is wrong with it.
func eachValue(p *parquet.File, leaf parquet.LeafColumn, name string, use func(parquet.Value) string) error {
	if leaf.MaxRepetitionLevel > 0 {
		return &Error{Where: name, Fault: "found lists, single values are due: save each element in a column of its own, or leave the column out with data.inputs"}
	}
	if _, ok := annotation(leaf).(*format.DecimalType); ok {
		return &Error{Where: name, Fault: "found decimals, integers, floats or texts are due: save them as float64"}
	}
	row := 0
	buffer := make([]parquet.Value, 1024)
	for _, group := range p.RowGroups() {
		pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
		for {
			page, err := pages.ReadPage()
			if err == io.EOF {
				break
			}
			if err != nil {
				return errors.Join(&Error{Where: name, Fault: "damaged: " + err.Error(), Err: err}, pages.Close())
			}
			values := page.Values()
			for {
				n, err := values.ReadValues(buffer)
				if int64(row+n) > p.NumRows() {
					_ = pages.Close()
					return &Error{Where: name, Fault: fmt.Sprintf("damaged: more values than the %d rows of the file; get the file again", p.NumRows())}
				}
				for _, v := range buffer[:n] {
					if fault := use(v); fault != "" {
						_ = pages.Close()
						return &Error{Where: fmt.Sprintf("row %d, %s", row, name), Fault: fault}
					}
					row++
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					_ = pages.Close()
					return &Error{Where: name, Fault: "damaged: " + err.Error(), Err: err}
				}
			}
			parquet.Release(page)
		}
		if err := pages.Close(); err != nil {
			return err
		}
	}
	return nil
}

// annotation says how the values of a column are meant, or is nil.
func annotation(leaf parquet.LeafColumn) format.LogicalTypeValue {
	if l := leaf.Node.Type().LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

// numberOf returns a finite number.
func numberOf(leaf parquet.LeafColumn, v parquet.Value) (x float64, fault string) {
	if v.IsNull() {
		return 0, "found no value (null), a number is due; fill it in or leave the row out"
	}
	integer, ok := annotation(leaf).(*format.IntType)
	unsigned := ok && !integer.IsSigned
	switch v.Kind() {
	case parquet.Boolean:
		if v.Boolean() {
			x = 1
		}
	case parquet.Int32:
		if x = float64(v.Int32()); unsigned {
			x = float64(v.Uint32())
		}
	case parquet.Int64:
		if x = float64(v.Int64()); unsigned {
			x = float64(v.Uint64())
		}
	case parquet.Float:
		x = float64(v.Float())
	case parquet.Double:
		x = v.Double()
	default:
		return 0, fmt.Sprintf("found %.40q, a number is due; if the column is the class, name it in data.target; data.inputs leaves columns out", v.String())
	}
	if !finite(x) {
		return 0, fmt.Sprintf("found %g, a finite number is due; fill it in or leave the row out", x)
	}
	return x, ""
}

// labelOf returns a class.
func labelOf(leaf parquet.LeafColumn, v parquet.Value) (string, string) {
	switch {
	case v.IsNull():
		return "", "found no value (null), a class is due; fill it in or leave the row out"
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		return label(string(v.ByteArray()))
	}
	x, fault := numberOf(leaf, v)
	if fault == "" && x != math.Trunc(x) {
		fault = fmt.Sprintf("found %g, a class is due; numbers to predict need data.task: regression", x)
	}
	return strconv.FormatFloat(x+0, 'f', -1, 64), fault
}
