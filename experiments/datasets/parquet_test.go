package datasets

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// Tables that scripts/fixtures/parquet.py made with pyarrow: several groups of rows,
// dictionaries, two codecs and both versions of pages.
func TestParquet(t *testing.T) {
	table, err := NewReader().Parquet(Options{Path: fixture("table.parquet"), Inputs: "f8,f4,i4,u4,truth,pair.y", Target: "kind"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		x := float64(i)
		want := []float64{x / 8, -x / 4, x - 10, 1<<32 - 1 - x, float64((i + 1) % 2), -x}
		if !slices.Equal(table.Values[6*i:6*i+6], want) || table.Labels[i] != []string{"elm", "oak", "öak"}[i%3] {
			t.Errorf("row %d: %v of class %s, want %v", i, table.Values[6*i:6*i+6], table.Labels[i], want)
		}
	}
	table, err = NewReader().Parquet(Options{Path: fixture("plain.parquet")})
	if err != nil || table.Labels[3] != "3" || table.Rows != 30 || !slices.Equal(table.Values[2:4], []float64{0.125, -0.25}) {
		t.Errorf("%+v, %v", table, err)
	}
	table, err = NewReader().Parquet(Options{Path: fixture("plain.parquet"), Target: "f4,0", Regression: true})
	if err != nil || !slices.Equal(table.Targets[2:4], []float64{-0.25, 0.125}) || !slices.Equal(table.Shape, []int{1}) {
		t.Errorf("%+v, %v", table, err)
	}
}

func TestParquetRefuses(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{Inputs: "gaps", Target: "kind"}, "row 20, column 7 (gaps): found no value (null), a number is due"},
		{Options{Inputs: "f8", Target: "gaps", Regression: true}, "row 20, column 7 (gaps): found no value (null)"},
		{Options{Inputs: "kind", Target: "count"}, `row 0, column 5 (kind): found "elm", a number is due`},
		{Options{Inputs: "f4", Target: "f8"}, "row 1, column 0 (f8): found 0.125, a class is due; numbers to predict need data.task: regression"},
		{Options{Inputs: "price", Target: "kind"}, "(price): found decimals"},
		{Options{Inputs: "list.list.element", Target: "kind"}, "found lists"},
		{Options{Target: "sort"}, `data.target names the column "sort", which there is not: there are the columns 0 to 11, f8, f4`},
	} {
		test.options.Path = fixture("table.parquet")
		_, err := NewReader().Parquet(test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "table.parquet: ") {
			t.Errorf("%+v: error %v, want %q in it", test.options, err, test.want)
		}
	}
}

// A file that is cut, or has a damaged byte, is an error or a table, never a panic.
func TestDamagedParquet(t *testing.T) {
	whole := must(os.ReadFile(fixture("plain.parquet")))
	dir := t.TempDir()
	for _, n := range []int{0, 3, 8, len(whole) / 2, len(whole) - 1} {
		path := write(t, dir, "x.parquet", whole[:n])
		if _, err := NewReader().Parquet(Options{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x55
		table, err := NewReader().Parquet(Options{Path: write(t, dir, "x.parquet", b)})
		if err == nil && len(table.Values) != table.Rows*table.Features() {
			t.Errorf("byte %d: %+v", i, table)
		}
	}
}

// A false length of the metadata is noticed before memory is taken for it.
func TestParquetFooter(t *testing.T) {
	b := must(os.ReadFile(fixture("plain.parquet")))
	b[len(b)-5] = 0xff
	if _, err := NewReader().Parquet(Options{Path: write(t, t.TempDir(), "x.parquet", b)}); err == nil || !strings.Contains(err.Error(), "offset 1180: found the bytes") {
		t.Errorf("error %v", err)
	}
}
