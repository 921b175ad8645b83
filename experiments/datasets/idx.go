package datasets

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"pkm/internal/elements"
)

// readIDX reads an array in the IDX format of the MNIST database: two zero bytes, the
// type of the elements, the number of dimensions, each dimension as four big-endian bytes,
// and the elements, big-endian, in C order (Y. LeCun, C. Cortes and C. Burges,
// "The MNIST database of handwritten digits").
func readIDX(r *bufio.Reader) (*array, error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, fmt.Errorf("the header is cut: %w", io.ErrUnexpectedEOF)
	}
	size := map[byte]int{0x08: 1, 0x09: 1, 0x0b: 2, 0x0c: 4, 0x0d: 4, 0x0e: 8}[magic[2]]
	if magic[0] != 0 || magic[1] != 0 || size == 0 || magic[3] == 0 {
		return nil, &Error{Where: "offset 0", Fault: fmt.Sprintf("found the bytes % x, an IDX file begins with 00 00, a type (08, 09, 0b, 0c, 0d or 0e) and the number of dimensions; is this the right file?", magic)}
	}
	a := &array{}
	for range magic[3] {
		var d [4]byte
		if _, err := io.ReadFull(r, d[:]); err != nil {
			return nil, fmt.Errorf("the header of %d dimensions is cut: %w", magic[3], io.ErrUnexpectedEOF)
		}
		a.shape = append(a.shape, int(binary.BigEndian.Uint32(d[:])))
	}
	n, err := elements.Count(a.shape, size)
	if err != nil {
		return nil, &Error{Where: "offset 4", Fault: err.Error(), Err: err}
	}
	data, err := readBytes(r, n*size)
	if err != nil {
		return nil, err
	}
	if err := atEnd(r); err != nil {
		return nil, err
	}
	if magic[2] == 0x08 {
		a.bytes = data
		return a, nil
	}
	if magic[2] <= 0x0c {
		a.whole = make([]int64, n)
	} else {
		a.floats = make([]float64, n)
	}
	for i := range n {
		b := data[i*size:]
		switch magic[2] {
		case 0x09:
			a.whole[i] = int64(int8(b[0]))
		case 0x0b:
			a.whole[i] = int64(int16(binary.BigEndian.Uint16(b)))
		case 0x0c:
			a.whole[i] = int64(int32(binary.BigEndian.Uint32(b)))
		case 0x0d:
			a.floats[i] = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
		case 0x0e:
			a.floats[i] = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
	}
	return a, nil
}

// IDX reads the inputs of a file, images (n, height, width) or vectors (n, features), and
// its targets of the file Target.
func (f *Reader) IDX(o Options) (*Table, error) {
	return f.pair(o, "labels", readIDX)
}

// pair reads a file of inputs and the file Target, which holds their labels or targets.
func (f *Reader) pair(o Options, what string, read func(*bufio.Reader) (*array, error)) (*Table, error) {
	if o.Target == "" {
		return nil, &Error{Path: o.Path, Fault: "the file of its " + what + " is due in data.target"}
	}
	t := &Table{}
	parse := func(use func(*array) error) func(*bufio.Reader) error {
		return func(r *bufio.Reader) error {
			a, err := read(r)
			if err != nil {
				return err
			}
			return use(a)
		}
	}
	if err := f.each(o.Path, parse(func(a *array) error { return a.inputs(t, o) })); err != nil {
		return nil, err
	}
	if err := f.each(o.Target, parse(func(a *array) error { return a.targets(t, o.Regression) })); err != nil {
		return nil, err
	}
	return t, nil
}

// IDXFolder reads a folder in the manner of MNIST: train-images-idx3-ubyte and
// train-labels-idx1-ubyte, with or without .gz, and if they are there t10k-images-idx3-ubyte
// and t10k-labels-idx1-ubyte, which are held out; held is nil without them.
func (f *Reader) IDXFolder(o Options) (train, held *Table, err error) {
	if info, err := os.Stat(o.Path); err == nil && !info.IsDir() {
		return nil, nil, &Error{Path: o.Path, Fault: "found a file: the file of its labels is due in data.target"}
	}
	images, labels := mnistNames(o.Path, "train")
	o.Path, o.Target = images, labels
	folder := filepath.Dir(images)
	if train, err = f.IDX(o); err != nil {
		return nil, nil, err
	}
	o.Path, o.Target = mnistNames(folder, "t10k")
	if _, err := os.Stat(o.Path); err != nil {
		return train, nil, nil
	}
	held, err = f.IDX(o)
	return train, held, err
}
