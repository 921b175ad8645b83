// Package safetensors reads and writes named float32 and float64 tensors in the
// safetensors format: the length of a JSON header as a little-endian uint64,
// the header, then the tensors' elements without a gap. The same tensors always
// give the same bytes, those that the reference implementation writes: eight-byte
// elements before four-byte ones, then by name.
//
// It is written here because the Go libraries of this format that were looked
// at, nlpodyssey/safetensors (which has no tagged version) and
// maruel/safetensors, were not available from the module proxy.
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"pkm/internal/elements"
)

const (
	metadataKey = "__metadata__"
	// maxHeader is the largest header that the reference implementation reads.
	maxHeader = 100_000_000
)

// Tensor is a named array in C order.
type Tensor struct {
	Name  string
	Shape []int // empty for a scalar
	Data  any   // []float32 or []float64, as many elements as the product of Shape
}

// A DTypeError reports a tensor of elements that are neither float32 nor float64.
type DTypeError struct{ Tensor, Found string }

func (e *DTypeError) Error() string {
	return fmt.Sprintf("tensor %q has elements of type %s, want F32 or F64", e.Tensor, e.Found)
}

// info is what the header says of a tensor; offsets count from the header's end.
type info struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// size returns the bytes of an element of a type, and whether the type is read.
func size(dtype string) (int, bool) {
	switch dtype {
	case "F32":
		return 4, true
	case "F64":
		return 8, true
	}
	return 0, false
}

// describe returns a tensor's header, its offsets unset, and its size in bytes.
func describe(t Tensor) (info, int, error) {
	h := info{Shape: append([]int{}, t.Shape...)} // never nil: a scalar's shape is [], not null
	var found int
	switch d := t.Data.(type) {
	case []float32:
		h.DType, found = "F32", len(d)
	case []float64:
		h.DType, found = "F64", len(d)
	default:
		return info{}, 0, &DTypeError{Tensor: t.Name, Found: fmt.Sprintf("%T", t.Data)}
	}
	width, _ := size(h.DType)
	n, err := elements.Count(t.Shape, width)
	if err != nil {
		return info{}, 0, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if n != found {
		return info{}, 0, fmt.Errorf("tensor %q: shape %v needs %d elements, found %d", t.Name, t.Shape, n, found)
	}
	return h, n * width, nil
}

// Write writes tensors, in any order and with distinct names, and metadata,
// which may be nil. It checks everything before it writes the first byte.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	if err := write(w, tensors, metadata); err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	return nil
}

func write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	wide := func(t Tensor) int {
		if _, ok := t.Data.([]float64); ok {
			return 0
		}
		return 1
	}
	slices.SortFunc(sorted, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(wide(a), wide(b)), cmp.Compare(a.Name, b.Name))
	})

	header := []byte("{")
	entry := func(key string, value any) error {
		if !utf8.ValidString(key) {
			return fmt.Errorf("name %q is not valid UTF-8", key)
		}
		if len(header) > 1 {
			header = append(header, ',')
		}
		var err error
		if header, err = appendJSON(header, key); err != nil {
			return err
		}
		header, err = appendJSON(append(header, ':'), value)
		return err
	}
	if len(metadata) > 0 {
		if err := entry(metadataKey, metadata); err != nil {
			return err
		}
	}
	seen := map[string]bool{metadataKey: true}
	offset := 0
	for _, t := range sorted {
		if seen[t.Name] {
			return fmt.Errorf("tensor name %q is reserved or used twice", t.Name)
		}
		seen[t.Name] = true
		h, n, err := describe(t)
		if err != nil {
			return err
		}
		h.Offsets = [2]int{offset, offset + n}
		offset += n
		if err := entry(t.Name, h); err != nil {
			return err
		}
	}
	header = append(header, '}')
	for len(header)%8 != 0 { // the elements start at a multiple of eight bytes
		header = append(header, ' ')
	}
	if len(header) > maxHeader {
		return fmt.Errorf("header of %d tensors has %d bytes, at most %d are possible", len(tensors), len(header), maxHeader)
	}

	length := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if _, err := w.Write(append(length, header...)); err != nil {
		return err
	}
	for _, t := range sorted {
		var err error
		switch d := t.Data.(type) {
		case []float32:
			err = elements.Write(w, d)
		case []float64:
			err = elements.Write(w, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// appendJSON appends v as JSON, with <, > and & as they are.
func appendJSON(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}
