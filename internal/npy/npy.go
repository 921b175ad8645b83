// Package npy reads and writes arrays of any number of dimensions in NumPy's
// .npy format, version 1.0: C order, little-endian float32, float64 or int64.
// The same array always gives the same bytes, those that numpy.save writes.
//
// The two Go libraries of this format do not serve. sbinet/npyio v0.6.0 writes
// slices with one dimension only, and its reader panics on a cut header;
// gorgonia.org/tensor v0.9.24 takes 0.13 s for two million float64, converts
// element by element, and its reader allocates whatever a header claims and
// panics.
package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"pkm/internal/elements"
)

const (
	magic = "\x93NUMPY\x01\x00" // with the version, 1.0
	align = 64                  // data start at a multiple of this
	// growth is the width that NumPy leaves for the first dimension, so that a
	// file can be appended to in place (numpy.lib.format, since 1.23).
	growth = 21
)

// Header is what a file says of its array.
type Header struct {
	DType string // NumPy's name of the type: "<f4", "<f8" or "<i8"
	Shape []int  // empty for a scalar
	// Fortran says that the first index runs fastest. Only ReadAnyHeader returns such a header.
	Fortran bool
}

// A DTypeError reports elements of another type than the one asked for.
type DTypeError struct{ Found, Want string }

func (e *DTypeError) Error() string {
	return fmt.Sprintf("elements are of type %q, want %s", e.Found, e.Want)
}

// dtype returns NumPy's name of T and its size in bytes.
func dtype[T elements.Number]() (name string, size int) {
	switch any(T(0)).(type) {
	case float32:
		return "<f4", 4
	case float64:
		return "<f8", 8
	default:
		return "<i8", 8
	}
}

// Write writes data, in C order, as an array of the given shape; an empty shape
// is a scalar. The product of shape must be len(data).
func Write[T elements.Number](w io.Writer, shape []int, data []T) error {
	name, size := dtype[T]()
	n, err := elements.Count(shape, size)
	if err != nil {
		return fmt.Errorf("write .npy: %w", err)
	}
	if n != len(data) {
		return fmt.Errorf("write .npy: shape %v needs %d elements, found %d", shape, n, len(data))
	}

	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.Itoa(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", name, tuple)
	if len(shape) > 0 {
		header += strings.Repeat(" ", growth-len(dims[0]))
	}
	const before = len(magic) + 2
	header += strings.Repeat(" ", (align-(before+len(header)+1)%align)%align) + "\n"

	preamble := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(header)))
	if _, err := w.Write(append(preamble, header...)); err != nil {
		return fmt.Errorf("write .npy: %w", err)
	}
	if err := elements.Write(w, data); err != nil {
		return fmt.Errorf("write .npy: %w", err)
	}
	return nil
}

// headerPattern is the header's dictionary with its keys in the order in which
// NumPy writes them.
var headerPattern = regexp.MustCompile(
	`^\{'descr': *'([^']*)', *'fortran_order': *(True|False), *'shape': *\(([0-9, ]*)\),? *\} *\n?$`)

// ReadHeader reads an array's header from r and leaves r at the first element.
// A type that this package does not read is no error here, C order is required.
func ReadHeader(r io.Reader) (Header, error) {
	h, err := ReadAnyHeader(r)
	if err == nil && h.Fortran {
		return Header{}, fmt.Errorf("read .npy: array is in Fortran order, only C order is read: save numpy.ascontiguousarray of it")
	}
	return h, err
}

// ReadAnyHeader is ReadHeader for an array in either order.
func ReadAnyHeader(r io.Reader) (Header, error) {
	h, err := readHeader(r)
	if err != nil {
		return Header{}, fmt.Errorf("read .npy: %w", err)
	}
	return h, nil
}

func readHeader(r io.Reader) (Header, error) {
	var start [len(magic) + 2]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return Header{}, fmt.Errorf("header is cut: %w", unexpected(err))
	}
	if string(start[:6]) != magic[:6] {
		return Header{}, fmt.Errorf("not an .npy file: it begins with %q", start[:6])
	}
	if string(start[6:8]) != magic[6:] {
		return Header{}, fmt.Errorf("format version is %d.%d, only 1.0 is read", start[6], start[7])
	}
	text := make([]byte, binary.LittleEndian.Uint16(start[8:])) // 64 KiB at most
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, fmt.Errorf("header is cut: %w", unexpected(err))
	}
	m := headerPattern.FindSubmatch(text)
	if m == nil {
		return Header{}, fmt.Errorf("header is not understood: %.200q", text)
	}
	h := Header{DType: string(m[1]), Shape: []int{}}
	for _, s := range strings.Split(string(m[3]), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		d, err := strconv.Atoi(s)
		if err != nil {
			return Header{}, fmt.Errorf("shape (%s): %w", m[3], err)
		}
		h.Shape = append(h.Shape, d)
	}
	h.Fortran = string(m[2]) == "True" && len(h.Shape) > 1
	return h, nil
}

// Read reads one array, in C order, up to the end of r. The caller owns what it
// returns. A file of another type gives a *DTypeError, a cut one an error that
// wraps io.ErrUnexpectedEOF; bytes after the array are an error too. Memory
// grows with what r holds, never with what a header claims.
func Read[T elements.Number](r io.Reader) (shape []int, data []T, err error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, nil, err
	}
	if name, _ := dtype[T](); h.DType != name {
		return nil, nil, fmt.Errorf("read .npy: %w", &DTypeError{Found: h.DType, Want: strconv.Quote(name)})
	}
	data, err = readData[T](r, h.Shape)
	if err != nil {
		return nil, nil, fmt.Errorf("read .npy: %w", err)
	}
	return h.Shape, data, nil
}

// ReadFloat64 is Read for an array of float64 or of float32, whose elements it
// widens.
func ReadFloat64(r io.Reader) (shape []int, data []float64, err error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, nil, err
	}
	switch h.DType {
	case "<f8":
		data, err = readData[float64](r, h.Shape)
	case "<f4":
		var narrow []float32
		narrow, err = readData[float32](r, h.Shape)
		data = make([]float64, len(narrow))
		for i, v := range narrow {
			data[i] = float64(v)
		}
	default:
		err = &DTypeError{Found: h.DType, Want: `"<f8" or "<f4"`}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read .npy: %w", err)
	}
	return h.Shape, data, nil
}

func readData[T elements.Number](r io.Reader, shape []int) ([]T, error) {
	_, size := dtype[T]()
	n, err := elements.Count(shape, size)
	if err != nil {
		return nil, err
	}
	data, err := elements.Read[T](r, n)
	if err != nil {
		return nil, err
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return data, nil
	case nil:
		return nil, fmt.Errorf("more bytes follow than shape %v needs", shape)
	default:
		return nil, err
	}
}

// unexpected makes an end of file one that came too early.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
