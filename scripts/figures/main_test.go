package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPrecisionAt(t *testing.T) {
	got := precisionAt([]float64{0.1, 3, -1, 2}, []bool{false, true, true, false})
	if want := []float64{1, 0.5, 1.0 / 3, 0.5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestByClass(t *testing.T) {
	if got, want := byClass([]int{1, 0, 1, 0}), []int{1, 3, 0, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A wrong command line and a run that is not there are refused.
func TestRefusals(t *testing.T) {
	for want, args := range map[string][]string{
		"usage":              {"picture"},
		"query: found \"x\"": {"coefficients", "run", "x", "a.png"},
		"no such file":       {"wrong-labels", filepath.Join(t.TempDir(), "none"), "a.png"},
	} {
		var out bytes.Buffer
		if err := run(args, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
