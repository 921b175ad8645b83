package datasets

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func fixture(name string) string { return filepath.Join("testdata", name) }

// Every type and order that scripts/fixtures/datasets.py made with NumPy is the same matrix.
func TestNPYTypes(t *testing.T) {
	for _, name := range []string{"c_f8", "fortran_f8", "fortran_u1", "big_f4", "f2", "i1", "i2", "i4", "u2", "u8"} {
		b, err := os.ReadFile(fixture(name + ".npy"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := readNPY(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []float64
		for i := range a.size() {
			got = append(got, a.at(i))
		}
		if !slices.Equal(got, []float64{1, 2, 3, 4, 5, 6}) || !slices.Equal(a.shape, []int{2, 3}) {
			t.Errorf("%s: %v of shape %v", name, got, a.shape)
		}
	}
}

// The order of a cube, index by index: element (i, j, k) of shape (2, 3, 4) is at i + 2j + 6k.
func TestFortranOrder(t *testing.T) {
	at := 0
	for i := range 2 {
		for j := range 3 {
			for k := range 4 {
				if got := fortran(at, []int{2, 3, 4}); got != i+2*j+6*k {
					t.Errorf("(%d, %d, %d) is at %d, want %d", i, j, k, got, i+2*j+6*k)
				}
				at++
			}
		}
	}
}

func TestHalves(t *testing.T) {
	table, err := NewReader().NPY(Options{Path: fixture("halves.npy"), Target: fixture("halves.npy"), Regression: true})
	if err != nil || !slices.Equal(table.Values, []float64{1.5, -0x1p-24, 65504, 0x1p-14}) {
		t.Errorf("%+v, %v", table, err)
	}
	if v := half(0x7c00); !math.IsInf(v, 1) {
		t.Errorf("0x7c00 is %g", v)
	}
	if v := half(0xfe00); !math.IsNaN(v) {
		t.Errorf("0xfe00 is %g", v)
	}
	table, err = NewReader().NPY(Options{Path: fixture("negative.npy"), Target: fixture("negative.npy"), Regression: true})
	if err != nil || !slices.Equal(table.Values, []float64{-1, -128}) {
		t.Errorf("%+v, %v", table, err)
	}
}

func TestNPYLabels(t *testing.T) {
	for name, want := range map[string][]string{"names": {"elm", "öak"}, "bytes": {"elm", "oaks"}, "truth": {"1", "0"}} {
		table, err := NewReader().NPY(Options{Path: fixture("c_f8.npy"), Target: fixture(name + ".npy")})
		if err != nil || !slices.Equal(table.Labels, want) {
			t.Errorf("%s: %+v, %v", name, table, err)
		}
	}
}

// checkColours demands the two images of colours_last.npy with the colours first.
func checkColours(t *testing.T, table *Table) {
	t.Helper()
	if !slices.Equal(table.Shape, []int{3, 2, 3}) || len(table.Pixels) != table.Rows*18 {
		t.Fatalf("%+v", table)
	}
	for i, got := range table.Pixels {
		image, colour, pixel := i/18, i%18/6, i%6
		if want := 100*image + 10*pixel + colour; int(got) != want {
			t.Errorf("image %d, colour %d, pixel %d is %d, want %d", image, colour, pixel, got, want)
		}
	}
}

func TestChannelsLast(t *testing.T) {
	o := Options{Path: fixture("colours_last.npy"), Target: fixture("truth.npy"), ChannelsLast: true}
	table, err := NewReader().NPY(o)
	if err != nil {
		t.Fatal(err)
	}
	checkColours(t, table)
	big := &array{shape: []int{1, 32, 32, 3}, bytes: make([]byte, 32*32*3)}
	if err := big.inputs(&Table{}, Options{}); err == nil || !strings.Contains(err.Error(), "set data.channels: last") {
		t.Errorf("32×32 pixels of 3 colours: error %v", err)
	}
}

func TestNPZ(t *testing.T) {
	read := NewReader()
	train, held, err := read.NPZParts(Options{Path: fixture("parts.npz"), ChannelsLast: true})
	if err != nil {
		t.Fatal(err)
	}
	checkColours(t, train)
	checkColours(t, held)
	if !slices.Equal(train.Labels, []string{"3", "5"}) || !slices.Equal(held.Labels, []string{"5"}) || len(read.Files()) != 1 {
		t.Errorf("%v, %v, %v", train.Labels, held.Labels, read.Files())
	}
	named, err := NewReader().NPZ(Options{Path: fixture("parts.npz"), Inputs: "x_test", Target: "y_test", ChannelsLast: true})
	if err != nil || named.Rows != 1 {
		t.Errorf("%+v, %v", named, err)
	}
	for want, o := range map[string]Options{
		"found no array z, but x_train, y_train, x_test, y_test: name one in data.target": {Path: fixture("parts.npz"), ChannelsLast: true, Target: "z"},
		"array y_test: found targets of shape [1], one for each of the 2 samples":         {Path: fixture("parts.npz"), ChannelsLast: true, Target: "y_test"},
		"not a whole .npz file": {Path: fixture("c_f8.npy")},
	} {
		if _, err := NewReader().NPZ(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestNPYRefuses(t *testing.T) {
	whole, err := os.ReadFile(fixture("c_f8.npy"))
	if err != nil {
		t.Fatal(err)
	}
	huge := bytes.Replace(bytes.Clone(whole), []byte("(2, 3), }      "), []byte("(20000000, 3),}"), 1)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "the file is cut: header is cut"},
		{"magic", []byte("\x89PNG............"), "not an .npy file"},
		{"cut", whole[:len(whole)-1], "found 47 bytes of data where the header needs 48"},
		{"longer", append(bytes.Clone(whole), 0), "more bytes follow"},
		{"huge", huge, "bytes of data where the header needs 480000000"},
		{"objects", must(os.ReadFile(fixture("objects.npy"))), `header: found elements of type "|O", booleans, integers, floats or fixed-width strings are due`},
		{"complex", bytes.Replace(bytes.Clone(whole), []byte("<f8"), []byte("<c8"), 1), `elements of type "<c8"`},
		{"texts", must(os.ReadFile(fixture("names.npy"))), "found inputs of shape [2]"},
	} {
		_, err := NewReader().NPY(Options{Path: write(t, t.TempDir(), "x.npy", test.file), Target: fixture("truth.npy")})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "x.npy") {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// FuzzNPY: whatever the bytes, no panic, and no more elements than there are bytes.
func FuzzNPY(f *testing.F) {
	names, err := filepath.Glob("testdata/*.npy")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		f.Add(must(os.ReadFile(name)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readNPY(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if a.size() > len(b) {
			t.Errorf("%d elements of %d bytes", a.size(), len(b))
		}
		table := &Table{}
		if a.inputs(table, Options{ChannelsLast: true}) == nil {
			_ = a.targets(table, false)
			_ = a.targets(table, true)
		}
	})
}
