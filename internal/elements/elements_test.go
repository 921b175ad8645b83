package elements

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"
)

func TestCount(t *testing.T) {
	tests := []struct {
		name  string
		shape []int
		want  int
		ok    bool
	}{
		{"scalar", nil, 1, true},
		{"matrix", []int{3, 4}, 12, true},
		{"empty", []int{3, 0, 2}, 0, true},
		{"negative", []int{3, -1}, 0, false},
		{"two negatives", []int{-3, -1}, 0, false},
		{"elements overflow", []int{math.MaxInt, 2}, 0, false},
		{"bytes overflow", []int{math.MaxInt / 4}, 0, false},
		{"wraps to zero", []int{1 << 32, 1 << 32}, 0, false},
		{"too many dimensions", make([]int, MaxDims+1), 0, false},
	}
	for _, tt := range tests {
		got, err := Count(tt.shape, 8)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: Count(%v) = %d, %v; want %d, ok %v", tt.name, tt.shape, got, err, tt.want, tt.ok)
		}
	}
}

func TestRoundTripAcrossChunks(t *testing.T) {
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 5*chunk + 3} {
		data := make([]float64, n)
		for i := range data {
			data[i] = float64(i) * math.Pi
		}
		var b bytes.Buffer
		if err := Write(&b, data); err != nil {
			t.Fatal(err)
		}
		if b.Len() != 8*n {
			t.Errorf("%d elements in %d bytes", n, b.Len())
		}
		got, err := Read[float64](&b, n)
		if err != nil || !slices.Equal(got, data) {
			t.Errorf("n = %d: %d elements, %v", n, len(got), err)
		}
	}
}

// A count of 2^55 elements must not be believed before the bytes are there.
func TestReadDoesNotTrustTheCount(t *testing.T) {
	_, err := Read[float64](bytes.NewReader(make([]byte, 20)), 1<<55)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
}

func BenchmarkWrite2M(b *testing.B) {
	data := make([]float64, 2_000_000)
	for b.Loop() {
		if err := Write(io.Discard, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead2M(b *testing.B) {
	raw := make([]byte, 16_000_000)
	for b.Loop() {
		if _, err := Read[float64](bytes.NewReader(raw), 2_000_000); err != nil {
			b.Fatal(err)
		}
	}
}
