package datasets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"pkm/internal/elements"
	"pkm/internal/npy"
)

// dtype is NumPy's name of a type: byte order, kind and size.
var dtype = regexp.MustCompile(`^([<>|=])([biufSU])([0-9]{1,9})$`)

// readNPY reads an array of booleans, whole numbers, floating-point numbers or texts in
// NumPy's format, in either order of bytes and of elements.
func readNPY(r *bufio.Reader) (*array, error) {
	h, err := npy.ReadAnyHeader(r)
	if err != nil {
		return nil, errors.Unwrap(err) // without what was being read
	}
	m := dtype.FindStringSubmatch(h.DType)
	size := 0
	if m != nil {
		size, _ = strconv.Atoi(m[3])
		if m[2] == "U" {
			size *= 4
		}
	}
	decode := decoder(m, size)
	if decode == nil {
		return nil, &Error{Where: "header", Fault: fmt.Sprintf("found elements of type %q, booleans, integers, floats or fixed-width strings are due: save x.astype('float64'), or names.astype('U')", h.DType)}
	}
	n, err := elements.Count(h.Shape, size)
	if err != nil {
		return nil, &Error{Where: "header", Fault: err.Error(), Err: err}
	}
	data, err := readBytes(r, n*size)
	if err != nil {
		return nil, err
	}
	if err := atEnd(r); err != nil {
		return nil, err
	}
	a := &array{shape: h.Shape}
	if h.DType == "|u1" && !h.Fortran {
		a.bytes = data
		return a, nil
	}
	for i := range n {
		at := i
		if h.Fortran {
			at = fortran(i, h.Shape)
		}
		decode(a, data[at*size:(at+1)*size])
	}
	return a, nil
}

// fortran returns where the element that is number i in C order is in Fortran order.
func fortran(i int, shape []int) int {
	at, stride := 0, 1
	for _, d := range shape {
		stride *= d
	}
	for k := len(shape) - 1; k >= 0; k-- {
		stride /= shape[k]
		at += i % shape[k] * stride
		i /= shape[k]
	}
	return at
}

// decoder returns what appends an element of a type to an array; nil for other types.
func decoder(m []string, size int) func(a *array, b []byte) {
	if m == nil {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if m[1] == ">" {
		order = binary.BigEndian
	}
	unsigned := func(b []byte) uint64 {
		switch len(b) {
		case 1:
			return uint64(b[0])
		case 2:
			return uint64(order.Uint16(b))
		case 4:
			return uint64(order.Uint32(b))
		}
		return order.Uint64(b)
	}
	integer := size == 1 || size == 2 || size == 4 || size == 8
	switch {
	case m[2] == "b" && size == 1, m[2] == "u" && size == 1:
		return func(a *array, b []byte) { a.bytes = append(a.bytes, b[0]) }
	case m[2] == "u" && integer:
		return func(a *array, b []byte) { a.floats = append(a.floats, float64(unsigned(b))) }
	case m[2] == "i" && integer:
		shift := 64 - 8*size
		return func(a *array, b []byte) { a.whole = append(a.whole, int64(unsigned(b)<<shift)>>shift) }
	case m[2] == "f" && size == 4:
		return func(a *array, b []byte) { a.floats = append(a.floats, float64(math.Float32frombits(order.Uint32(b)))) }
	case m[2] == "f" && size == 8:
		return func(a *array, b []byte) { a.floats = append(a.floats, math.Float64frombits(order.Uint64(b))) }
	case m[2] == "f" && size == 2:
		return func(a *array, b []byte) { a.floats = append(a.floats, half(order.Uint16(b))) }
	case m[2] == "S" && size > 0:
		return func(a *array, b []byte) { a.texts = append(a.texts, strings.TrimRight(string(b), "\x00")) }
	case m[2] == "U" && size > 0:
		return func(a *array, b []byte) {
			var text []byte
			for ; len(b) >= 4; b = b[4:] {
				if r := order.Uint32(b); r != 0 {
					text = utf8.AppendRune(text, rune(min(r, utf8.MaxRune+1)))
				}
			}
			a.texts = append(a.texts, string(text))
		}
	}
	return nil
}

// half returns the number that sixteen bits of IEEE 754 are.
func half(b uint16) float64 {
	sign := 1.0
	if b>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(b>>10&31), float64(b&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// NPY reads the inputs of a file and the targets of the file Target.
func (f *Reader) NPY(o Options) (*Table, error) {
	return f.pair(o, "targets", readNPY)
}
