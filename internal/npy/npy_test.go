package npy

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pkm/internal/elements"
)

// golden reads a file that scripts/fixtures/npy.py made with NumPy.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sequence returns 0/d, 1/d, … as n elements.
func sequence[T float32 | float64](n int, d T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(i) / d
	}
	return s
}

func checkGolden[T elements.Number](t *testing.T, name string, shape []int, data []T) {
	t.Run(name, func(t *testing.T) {
		file := golden(t, name+".npy")
		gotShape, gotData, err := Read[T](bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(gotShape, shape) {
			t.Errorf("shape %v, want %v", gotShape, shape)
		}
		same := func(a, b T) bool {
			return math.Float64bits(float64(a)) == math.Float64bits(float64(b))
		}
		if !slices.EqualFunc(gotData, data, same) {
			t.Errorf("data %v, want %v", gotData, data)
		}
		var b bytes.Buffer
		if err := Write(&b, shape, data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), file) {
			t.Errorf("wrote\n%q, NumPy wrote\n%q", b.Bytes(), file)
		}
	})
}

func TestGolden(t *testing.T) {
	edge := []float64{0, math.Copysign(0, -1), 1. / 3, 5e-324, math.Inf(1), math.Inf(-1), math.NaN(), 1e308}
	edge[6] = math.Float64frombits(0x7ff8000000000000) // NumPy's NaN, Go's has another payload
	checkGolden(t, "f8_scalar", []int{}, []float64{2.5})
	checkGolden(t, "f8_vector", []int{8}, edge)
	checkGolden(t, "f8_cube", []int{2, 3, 4}, sequence(24, 7.))
	checkGolden(t, "f8_empty", []int{0, 3}, []float64{})
	checkGolden(t, "f8_deep", slices.Repeat([]int{1}, 15), []float64{2.5})
	checkGolden(t, "f4_matrix", []int{2, 3}, sequence[float32](6, 7))
	checkGolden(t, "i8_matrix", []int{2, 2}, []int64{-1, 0, 1 << 62, math.MinInt64})
}

func TestReadFloat64Widens(t *testing.T) {
	shape, data, err := ReadFloat64(bytes.NewReader(golden(t, "f4_matrix.npy")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(shape, []int{2, 3}) || data[1] != float64(float32(1)/7) {
		t.Errorf("shape %v, data %v", shape, data)
	}
	if _, data, err := ReadFloat64(bytes.NewReader(golden(t, "f8_cube.npy"))); err != nil || data[1] != 1./7 {
		t.Errorf("float64: %v, %v", data, err)
	}
	var dt *DTypeError
	if _, _, err := ReadFloat64(bytes.NewReader(golden(t, "i8_matrix.npy"))); !errors.As(err, &dt) || dt.Found != "<i8" {
		t.Errorf("int64: error %v, want a DTypeError", err)
	}
}

func TestWriteRefusesShape(t *testing.T) {
	for _, shape := range [][]int{{2, 2}, {-3, -1}, {1 << 62, 4}, {}} {
		var b bytes.Buffer
		if err := Write(&b, shape, []float64{1, 2, 3}); err == nil || b.Len() > 0 {
			t.Errorf("shape %v of 3 elements: error %v, %d bytes written", shape, err, b.Len())
		}
	}
}

// file makes an .npy file with any header.
func file(header string, data int) []byte {
	b := append([]byte(magic), byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), make([]byte, data)...)
}

func TestReadRefuses(t *testing.T) {
	cube := golden(t, "f8_cube.npy")
	flip := func(i int) []byte { b := bytes.Clone(cube); b[i] ^= 1; return b }
	tests := []struct {
		name string
		file []byte
		want string
		is   error
	}{
		{"empty", nil, "header is cut", io.ErrUnexpectedEOF},
		{"cut magic", cube[:5], "header is cut", io.ErrUnexpectedEOF},
		{"cut header", cube[:60], "header is cut", io.ErrUnexpectedEOF},
		{"no data", cube[:128], "0 bytes of data where the shape needs 192", io.ErrUnexpectedEOF},
		{"cut data", cube[:len(cube)-1], "191 bytes of data where the shape needs 192", io.ErrUnexpectedEOF},
		{"longer", append(bytes.Clone(cube), 0), "more bytes follow", nil},
		{"magic", flip(1), "not an .npy file", nil},
		{"version", flip(6), "version is 0.0", nil},
		{"dictionary", flip(12), "not understood", nil},
		{"fortran", golden(t, "refused_fortran.npy"), "Fortran order", nil},
		{"int32", golden(t, "refused_i4.npy"), `type "<i4"`, nil},
		{"big endian", golden(t, "refused_big_endian.npy"), `type ">f8"`, nil},
		{"float32", golden(t, "f4_matrix.npy"), `type "<f4"`, nil},
		{"overflow", file("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n", 0), "more elements", nil},
		{"huge", file("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n", 64), "64 bytes of data", io.ErrUnexpectedEOF},
		{"digits", file("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }\n", 0), "out of range", nil},
		{"negative", file("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n", 0), "not understood", nil},
		{"dimensions", file("{'descr': '<f8', 'fortran_order': False, 'shape': ("+strings.Repeat("1, ", 65)+"), }\n", 8), "65 dimensions", nil},
	}
	for _, tt := range tests {
		_, _, err := Read[float64](bytes.NewReader(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: error %v does not wrap %v", tt.name, err, tt.is)
		}
	}
}

// FuzzRead: whatever the bytes, no panic, no data beyond the file, and what is
// read writes and reads back the same.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"f8_scalar", "f8_vector", "f8_cube", "f8_empty", "f4_matrix", "refused_fortran"} {
		f.Add(golden(f, name+".npy"))
	}
	f.Add(file("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n", 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		shape, data, err := ReadFloat64(bytes.NewReader(b))
		if err != nil {
			return
		}
		if n, err := elements.Count(shape, 4); err != nil || n != len(data) || 4*n > len(b) {
			t.Fatalf("shape %v, %d elements from %d bytes", shape, len(data), len(b))
		}
		var w bytes.Buffer
		if err := Write(&w, shape, data); err != nil {
			t.Fatal(err)
		}
		again, _, err := ReadFloat64(&w)
		if err != nil || !slices.Equal(shape, again) {
			t.Fatalf("shape %v came back as %v, %v", shape, again, err)
		}
	})
}
