package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// golden reads a file that scripts/fixtures/safetensors.py made with the
// reference implementation.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mixed is what mixed.safetensors holds, in the file's order.
func mixed() []Tensor {
	weight := make([]float32, 6)
	for i := range weight {
		weight[i] = float32(i) / 7
	}
	return []Tensor{
		{"2.scale", []int{}, []float64{2.5}},
		{"2.weight", []int{1, 2}, []float64{0, 1. / 3}},
		{"empty", []int{0, 4}, []float64{}},
		{"0.bias", []int{2}, []float32{0.5, -0.5}},
		{"0.weight", []int{2, 3}, weight},
	}
}

func TestGolden(t *testing.T) {
	note := map[string]string{"note": `a <b> & "c"`}
	tests := []struct {
		name     string
		tensors  []Tensor
		metadata map[string]string
	}{
		{"mixed.safetensors", mixed(), note},
		{"plain.safetensors", []Tensor{{"w", []int{3}, []float64{0, 1, 2}}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := golden(t, tt.name)
			got, metadata, err := Read(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.tensors) || !reflect.DeepEqual(metadata, tt.metadata) {
				t.Errorf("read %v, %v", got, metadata)
			}
			// The order in which tensors are given must not matter.
			for range 2 {
				var b bytes.Buffer
				if err := Write(&b, tt.tensors, tt.metadata); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(b.Bytes(), file) {
					t.Errorf("wrote\n%q, the reference wrote\n%q", b.Bytes(), file)
				}
				slices.Reverse(tt.tensors)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	one := []float64{1}
	tests := []struct {
		name    string
		tensors []Tensor
		want    string
	}{
		{"duplicate", []Tensor{{"a", []int{1}, one}, {"a", []int{1}, []float32{1}}}, "used twice"},
		{"reserved", []Tensor{{metadataKey, []int{1}, one}}, "reserved"},
		{"shape", []Tensor{{"a", []int{2}, one}}, "needs 2 elements, found 1"},
		{"negative", []Tensor{{"a", []int{-1}, one}}, "negative"},
		{"type", []Tensor{{"a", []int{1}, []int64{1}}}, "[]int64"},
		{"no data", []Tensor{{Name: "a"}}, "<nil>"},
		{"encoding", []Tensor{{"\xff", []int{1}, one}}, "UTF-8"},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		err := Write(&b, tt.tensors, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || b.Len() > 0 {
			t.Errorf("%s: error %v, %d bytes written; want %q", tt.name, err, b.Len(), tt.want)
		}
	}
}

// file makes a safetensors file with any header.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestReadRefuses(t *testing.T) {
	whole := golden(t, "mixed.safetensors")
	huge := binary.LittleEndian.AppendUint64(nil, 1<<62)
	tests := []struct {
		name string
		file []byte
		want string
		is   error
	}{
		{"empty", nil, "header is cut", io.ErrUnexpectedEOF},
		{"cut length", whole[:7], "header is cut", io.ErrUnexpectedEOF},
		{"cut header", whole[:100], "cut after 92 of", io.ErrUnexpectedEOF},
		{"cut data", whole[:len(whole)-1], `tensor "0.weight": found 23 bytes`, io.ErrUnexpectedEOF},
		{"longer", append(bytes.Clone(whole), 0), "more bytes follow", nil},
		{"huge header", huge, "not a safetensors file", nil},
		{"not JSON", file(`{"a"`, 0), "header: unexpected end", nil},
		{"space before brace", file(` {}`, 0), "brace", nil},
		{"int64", golden(t, "refused_i64.safetensors"), "type I64", nil},
		{"gap", file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}}`, 16), "do not follow byte 0", nil},
		{"overlap", file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8), "do not follow byte 8", nil},
		{"backwards", file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,-8]}}`, 8), "do not follow", nil},
		{"begin", file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[4,8]}}`, 8), "do not follow", nil},
		{"shape and offsets", file(`{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,8]}}`, 8), "16 bytes of shape [2]", nil},
		{"overflow", file(`{"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "more elements", nil},
		{"believed", file(`{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}`, 8), "found 8 bytes", io.ErrUnexpectedEOF},
		{"no shape", file(`{"a":{"dtype":"F64","data_offsets":[0,8]}}`, 8), "no shape", nil},
		{"no offsets", file(`{"a":{"dtype":"F64","shape":[0]}}`, 0), "do not follow", nil},
		{"unknown field", file(`{"a":{"dtype":"F64","shape":[0],"data_offsets":[0,0],"x":1}}`, 0), `unknown field "x"`, nil},
		{"metadata", file(`{"__metadata__":{"a":1}}`, 0), metadataKey, nil},
	}
	for _, tt := range tests {
		_, _, err := Read(bytes.NewReader(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: error %v does not wrap %v", tt.name, err, tt.is)
		}
	}
}

// FuzzRead: whatever the bytes, no panic, and what is read is no more than the
// file holds, and writes and reads back the same.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"mixed.safetensors", "plain.safetensors", "refused_i64.safetensors"} {
		f.Add(golden(f, name))
	}
	f.Add(file(`{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}`, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, metadata, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		total := 0
		for _, tensor := range tensors {
			_, n, err := describe(tensor)
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
		if total > len(b) {
			t.Fatalf("%d bytes of tensors from a file of %d", total, len(b))
		}
		var first, second bytes.Buffer
		if err := Write(&first, tensors, metadata); err != nil {
			t.Fatal(err)
		}
		again, metadata, err := Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(&second, again, metadata); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("writing twice differs: %v", err)
		}
	})
}
