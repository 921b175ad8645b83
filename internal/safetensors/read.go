package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"pkm/internal/elements"
)

// Read reads all tensors, in the order of their elements in the file, and the
// metadata, nil if there is none, up to the end of r. The caller owns what it
// returns. As the format demands, the tensors must fill the file without gap or
// overlap. A tensor of another type gives a *DTypeError, a cut file an error
// that wraps io.ErrUnexpectedEOF. Memory grows with what r holds, never with
// what a header claims.
func Read(r io.Reader) (tensors []Tensor, metadata map[string]string, err error) {
	tensors, metadata, err = read(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read safetensors: %w", err)
	}
	return tensors, metadata, nil
}

func read(r io.Reader) ([]Tensor, map[string]string, error) {
	header, err := readHeader(r)
	if err != nil {
		return nil, nil, err
	}
	names, infos, metadata, err := parse(header)
	if err != nil {
		return nil, nil, err
	}

	tensors := make([]Tensor, 0, len(names))
	offset := 0
	for _, name := range names {
		h := infos[name]
		width, ok := size(h.DType)
		if !ok {
			return nil, nil, &DTypeError{Tensor: name, Found: h.DType}
		}
		n, err := elements.Count(h.Shape, width)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		// Written so that no sum can overflow: offset and n*width are in range.
		if h.Offsets[0] != offset || h.Offsets[1] < offset || h.Offsets[1]-offset != n*width {
			return nil, nil, fmt.Errorf("tensor %q: data offsets %v do not follow byte %d with the %d bytes of shape %v",
				name, h.Offsets, offset, n*width, h.Shape)
		}
		offset = h.Offsets[1]
		t := Tensor{Name: name, Shape: h.Shape}
		if h.DType == "F32" {
			t.Data, err = elements.Read[float32](r, n)
		} else {
			t.Data, err = elements.Read[float64](r, n)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		tensors = append(tensors, t)
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return tensors, metadata, nil
	case nil:
		return nil, nil, fmt.Errorf("more bytes follow the %d of all tensors", offset)
	default:
		return nil, nil, err
	}
}

// readHeader reads the header's JSON.
func readHeader(r io.Reader) ([]byte, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("header is cut: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, fmt.Errorf("not a safetensors file: its header would have %d bytes, at most %d are possible", n, maxHeader)
	}
	header, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, err
	}
	if len(header) < int(n) {
		return nil, fmt.Errorf("header is cut after %d of %d bytes: %w", len(header), n, io.ErrUnexpectedEOF)
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, fmt.Errorf("header does not begin with a brace: %.20q", header)
	}
	return header, nil
}

// parse returns what the header says of each tensor, and their names by offset.
func parse(header []byte) (names []string, infos map[string]info, metadata map[string]string, err error) {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, nil, nil, fmt.Errorf("header: %w", err)
	}
	if raw, ok := entries[metadataKey]; ok {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return nil, nil, nil, fmt.Errorf("header: %s: %w", metadataKey, err)
		}
		delete(entries, metadataKey)
	}
	infos = make(map[string]info, len(entries))
	for name, raw := range entries {
		h := info{Offsets: [2]int{-1, -1}} // offsets that are left out are not zero
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&h); err != nil {
			return nil, nil, nil, fmt.Errorf("header: tensor %q: %w", name, err)
		}
		if h.Shape == nil {
			return nil, nil, nil, fmt.Errorf("header: tensor %q has no shape", name)
		}
		infos[name] = h
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := infos[a].Offsets, infos[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	return names, infos, metadata, nil
}
