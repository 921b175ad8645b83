package experiments

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// withoutFashion reports whether a shipped configuration cannot be loaded only because
// Fashion-MNIST is not installed.
func withoutFashion(t *testing.T, file string, err error) bool {
	t.Helper()
	text, _ := os.ReadFile(file)
	missing := strings.Contains(string(text), "source: fashion-mnist") && errors.Is(err, fs.ErrNotExist)
	if missing {
		t.Logf("%s is passed over: %v", file, err)
	}
	return missing
}

// With a held-out part no row is drawn from the wrong side, whatever the seed.
func TestSplitKeepsHeldOutRowsApart(t *testing.T) {
	d := &Dataset{Shape: []int{1}, HeldOut: 6, Classes: 2}
	for i := range 10 {
		d.Pixels, d.Labels = append(d.Pixels, byte(i)), append(d.Labels, i%2)
	}
	var first []int64
	for seed := range uint64(20) {
		train, query, classes, err := d.Split(seed, 5, 3, nil)
		if err != nil || classes != 2 {
			t.Fatal(classes, err)
		}
		if slices.Max(train.Indices) >= 6 || slices.Min(query.Indices) < 6 {
			t.Errorf("seed %d: trained on %v, queried %v", seed, train.Indices, query.Indices)
		}
		for k, i := range query.Indices {
			if query.Inputs[k] != float64(i)/255 || query.Labels[k] != int(i)%2 {
				t.Errorf("row %d is %g of class %d", i, query.Inputs[k], query.Labels[k])
			}
		}
		if seed == 0 {
			first = train.Indices
		} else if seed == 1 && slices.Equal(first, train.Indices) {
			t.Error("two seeds draw the same rows")
		}
	}
	var size *SizeError
	if _, _, _, err := d.Split(1, 6, 5, nil); !errors.As(err, &size) || size.Available != 6 || size.HeldOut != 4 {
		t.Errorf("error %v", err)
	}
	if _, _, _, err := d.Split(1, 4, 2, []int{1}); !errors.As(err, &size) || size.Available != 3 {
		t.Errorf("of three odd rows four: error %v", err)
	}
}

// The rows that existing configurations draw do not change.
func TestDigitsRowsStay(t *testing.T) {
	d, err := LoadDigits()
	if err != nil {
		t.Fatal(err)
	}
	train, query, _, err := d.Split(1, 1000, 50, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := [][]int64{train.Indices[:4], query.Indices[:4]}; !slices.Equal(got[0], []int64{441, 1663, 1296, 333}) || !slices.Equal(got[1], []int64{1321, 475, 920, 1088}) {
		t.Errorf("%v", got)
	}
}

// A missing data set can be told from other faults of a configuration.
func TestMissingData(t *testing.T) {
	_, err := Load("configs/fashion-mnist-mlp.yaml", []string{"data.path=testdata/none"}, nil)
	if !withoutFashion(t, "configs/fashion-mnist-mlp.yaml", err) {
		t.Errorf("error %v", err)
	}
}
