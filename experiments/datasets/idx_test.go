package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// idx returns an IDX file of a type, with dimensions and elements as they are.
func idx(kind byte, dims []uint32, data []byte) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

// zipped returns b as a gzip file.
func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// write writes a file into a folder and returns its path.
func write(t testing.TB, folder, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Elements of every type, big-endian, with their signs.
func TestIDXTypes(t *testing.T) {
	for _, test := range []struct {
		name string
		kind byte
		data []byte
		want []float64
	}{
		{"ubyte", 0x08, []byte{0, 255}, []float64{0, 255}},
		{"sbyte", 0x09, []byte{0x80, 1}, []float64{-128, 1}},
		{"int16", 0x0b, []byte{0xff, 0xfe, 1, 2}, []float64{-2, 258}},
		{"int32", 0x0c, []byte{0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0}, []float64{-1, 65536}},
		{"float32", 0x0d, binary.BigEndian.AppendUint32([]byte{0x3f, 0x80, 0, 0}, math.Float32bits(-0.1)), []float64{1, float64(float32(-0.1))}},
		{"float64", 0x0e, binary.BigEndian.AppendUint64([]byte{0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, math.Float64bits(1e-300)), []float64{1, 1e-300}},
	} {
		a, err := readIDX(bufio.NewReader(bytes.NewReader(idx(test.kind, []uint32{2, 1}, test.data))))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := []float64{a.at(0), a.at(1)}; !slices.Equal(got, test.want) || !slices.Equal(a.shape, []int{2, 1}) {
			t.Errorf("%s: %v of shape %v, want %v", test.name, got, a.shape, test.want)
		}
	}
}

// A file is read the same zipped and unzipped; the hash is that of the file.
func TestIDXFiles(t *testing.T) {
	images, labels := idx(8, []uint32{3, 2, 2}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), idx(8, []uint32{3}, []byte{7, 0, 7})
	dir := t.TempDir()
	read := NewReader()
	table, err := read.IDX(Options{Path: write(t, dir, "i.gz", zipped(t, images)), Target: write(t, dir, "l", labels)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(table.Shape, []int{1, 2, 2}) || table.Pixels[4] != 5 || !slices.Equal(table.Labels, []string{"7", "0", "7"}) || table.Rows != 3 {
		t.Errorf("%+v", table)
	}
	// printf '\x00\x00\x08\x01\x00\x00\x00\x03\x07\x00\x07' | sha256sum
	const sum = "37a105c288fd0214558739da8731b104c9c7c508d50b2cc20abefad904cad963"
	if files := read.Files(); len(files) != 2 || files[1].Bytes != int64(len(labels)) || files[1].SHA256 != sum {
		t.Errorf("%+v", files)
	}
}

func TestIDXRefuses(t *testing.T) {
	good := idx(8, []uint32{2, 3}, []byte{1, 2, 3, 4, 5, 6})
	labels := idx(8, []uint32{2}, []byte{0, 1})
	float := idx(0x0d, []uint32{2}, binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0}, math.Float32bits(float32(math.NaN()))))
	for _, test := range []struct {
		name           string
		inputs, labels []byte
		regression     bool
		want           string
	}{
		{"empty", nil, labels, false, "i: the file is cut: the header is cut"},
		{"magic", []byte("\x89PNG"), labels, false, "i: offset 0: found the bytes 89 50 4e 47, an IDX file begins with 00 00"},
		{"no dimensions", []byte{0, 0, 8, 0}, labels, false, "i: offset 0"},
		{"cut header", good[:9], labels, false, "the header of 2 dimensions is cut"},
		{"cut data", good[:len(good)-1], labels, false, "found 5 bytes of data where the header needs 6"},
		{"cut zip", zipped(t, good)[:20], labels, false, "the file is cut"},
		{"longer", append(slices.Clone(good), 0), labels, false, "more bytes follow"},
		{"huge", idx(8, []uint32{1 << 31, 1 << 10}, make([]byte, 100)), labels, false, "found 100 bytes of data where the header needs 2199023255552"},
		{"overflow", idx(8, []uint32{1 << 31, 1 << 31, 1 << 31}, nil), labels, false, "offset 4: shape [2147483648 2147483648 2147483648] has more elements"},
		{"no samples", idx(8, []uint32{0, 3}, nil), labels, false, "found inputs of shape [0 3]"},
		{"labels for images", labels, labels, false, "found inputs of shape [2]"},
		{"other labels", good, idx(8, []uint32{3}, []byte{0, 1, 0}), false, "l: found targets of shape [3], one for each of the 2 samples"},
		{"fractions", good, idx(0x0d, []uint32{2}, []byte{0x3f, 0, 0, 0, 0x3f, 0, 0, 0}), false, "l: label 0: found 0.5, a whole number is due; numbers to predict need data.task: regression"},
		{"NaN", good, float, true, "l: target 1: found NaN"},
	} {
		dir := t.TempDir()
		_, err := NewReader().IDX(Options{Path: write(t, dir, "i", test.inputs), Target: write(t, dir, "l", test.labels), Regression: test.regression})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Path == "" {
			t.Errorf("%s: %v names no file", test.name, err)
		}
	}
}

// FuzzIDX: whatever the bytes, no panic, and no data beyond the file.
func FuzzIDX(f *testing.F) {
	f.Add(idx(8, []uint32{2, 3}, []byte{1, 2, 3, 4, 5, 6}))
	f.Add(idx(0x0e, []uint32{1, 1}, make([]byte, 8)))
	f.Add(idx(8, []uint32{1 << 31, 1 << 30}, nil))
	f.Add(idx(0x0b, []uint32{0, 1 << 31}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readIDX(bufio.NewReader(bytes.NewReader(b)))
		if err == nil && a.size() > len(b) {
			t.Errorf("%d elements of %d bytes", a.size(), len(b))
		}
		if err == nil {
			_ = a.inputs(&Table{}, Options{})
		}
	})
}

func TestFashionMNIST(t *testing.T) {
	_, _, err := NewReader().FashionMNIST(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "apt-get install dataset-fashion-mnist, or scripts/fetch-fashion-mnist") {
		t.Errorf("missing: %v", err)
	}
	dir := t.TempDir()
	write(t, dir, "train-images-idx3-ubyte.gz", zipped(t, idx(8, []uint32{2, 28, 28}, make([]byte, 2*28*28))))
	write(t, dir, "train-labels-idx1-ubyte", idx(8, []uint32{2}, []byte{9, 0}))
	write(t, dir, "t10k-images-idx3-ubyte", idx(8, []uint32{1, 28, 28}, make([]byte, 28*28)))
	write(t, dir, "t10k-labels-idx1-ubyte", idx(8, []uint32{1}, []byte{3}))
	train, test, err := NewReader().FashionMNIST(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(train.Labels, []string{"ankle boot", "T-shirt/top"}) || !slices.Equal(test.Labels, []string{"dress"}) || len(train.Names) != 10 {
		t.Errorf("%v, %v", train.Labels, test.Labels)
	}
	write(t, dir, "t10k-labels-idx1-ubyte", idx(8, []uint32{1}, []byte{10}))
	if _, _, err := NewReader().FashionMNIST(dir); err == nil || !strings.Contains(err.Error(), "label 0: found 10, a class from 0 to 9 is due") {
		t.Errorf("class 10: %v", err)
	}
	write(t, dir, "t10k-images-idx3-ubyte", idx(8, []uint32{1, 8, 8}, make([]byte, 64)))
	write(t, dir, "t10k-labels-idx1-ubyte", idx(8, []uint32{1}, []byte{1}))
	if _, _, err := NewReader().FashionMNIST(dir); err == nil || !strings.Contains(err.Error(), "found images of shape [1 8 8], (28, 28) bytes are due") {
		t.Errorf("8×8: %v", err)
	}
}

// The files of Debian's package, where they are installed.
func TestFashionMNISTOfThePackage(t *testing.T) {
	if _, err := os.Stat(FashionMNISTFolder); err != nil {
		t.Skip("Fashion-MNIST is not installed: apt-get install dataset-fashion-mnist")
	}
	read := NewReader()
	train, test, err := read.FashionMNIST("")
	if err != nil {
		t.Fatal(err)
	}
	if train.Rows != 60000 || test.Rows != 10000 || read.Files()[0].SHA256 != "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7" {
		t.Errorf("%d and %d rows, %+v", train.Rows, test.Rows, read.Files()[0])
	}
	counts := map[string]int{} // balanced by construction
	for _, l := range train.Labels {
		counts[l]++
	}
	for name, n := range counts {
		if n != 6000 {
			t.Errorf("%d of %s", n, name)
		}
	}
}
