// Package elements turns the elements of an array into little-endian bytes and
// back: what the .npy and the safetensors formats have in common.
package elements

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Number is a type of element.
type Number interface{ float32 | float64 | int64 }

// MaxDims is the largest number of dimensions that is read or written, which
// is NumPy's own limit.
const MaxDims = 64

// chunk is how many elements are converted at a time. It bounds the memory
// beside the data, and what a false count in a damaged header can allocate.
const chunk = 1 << 13

// Count returns the product of shape, the number of elements: 1 for the empty
// shape of a scalar. It is an error if a dimension is negative, if there are
// more than MaxDims of them, or if the product times size, the bytes of one
// element, overflows an int.
func Count(shape []int, size int) (int, error) {
	if len(shape) > MaxDims {
		return 0, fmt.Errorf("shape has %d dimensions, at most %d are possible", len(shape), MaxDims)
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt/size/d {
			return 0, fmt.Errorf("shape %v has more elements than can be addressed", shape)
		}
		n *= d
	}
	return n, nil
}

// Write writes data to w.
func Write[T Number](w io.Writer, data []T) error {
	buf := make([]byte, 0, chunk*8)
	for len(data) > 0 {
		k := min(chunk, len(data))
		var err error
		if buf, err = binary.Append(buf[:0], binary.LittleEndian, data[:k]); err != nil {
			return err
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		data = data[k:]
	}
	return nil
}

// Read reads n elements from r into a new slice, which the caller owns. Memory
// grows with what r holds, not with n. If r ends early, the error wraps
// io.ErrUnexpectedEOF.
func Read[T Number](r io.Reader, n int) ([]T, error) {
	size := binary.Size(T(0))
	data := make([]T, 0, min(n, chunk))
	buf := make([]byte, min(n, chunk)*size)
	for len(data) < n {
		k := min(chunk, n-len(data))
		got, err := io.ReadFull(r, buf[:k*size])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("found %d bytes of data where the shape needs %d: %w",
				len(data)*size+got, n*size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, err
		}
		if len(data)+k > cap(data) {
			data = append(make([]T, 0, min(n, 2*cap(data)+k)), data...)
		}
		data = data[:len(data)+k]
		if _, err := binary.Decode(buf[:k*size], binary.LittleEndian, data[len(data)-k:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}
