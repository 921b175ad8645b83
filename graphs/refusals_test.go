package graphs

import (
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	b := engine(t)
	for _, test := range []struct {
		name, want string
		do         func() error
	}{
		{"no layers", "nothing to train", func() error { _, err := New(Shape{3}); return err }},
		{"no inputs", "shape []", func() error { _, err := New(Shape{}, Dense{Out: 1}); return err }},
		{"nil layer", "layer 1 is nil", func() error { _, err := New(Shape{3}, Dense{Out: 1}, nil); return err }},
		{"width 0", "found 0", func() error { _, err := New(Shape{3}, Dense{}); return err }},
		{"vector into convolution", "takes images", func() error { _, err := New(Shape{3}, Conv2D{Filters: 1, Kernel: 1, Stride: 1}); return err }},
		{"kernel too large", "does not fit", func() error { _, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 5, Stride: 1}); return err }},
		{"stride 0", "stride of at least 1", func() error { _, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 1}); return err }},
		{"padding beyond the kernel", "smaller", func() error {
			_, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 2, Stride: 1, Padding: 2})
			return err
		}},
		{"shortcut of another shape", "block gives shape [3] and the shortcut [2]", func() error {
			_, err := New(Shape{2}, Residual{Layers: []Layer{Dense{Out: 3}}})
			return err
		}},
		{"empty residual", "at least 1 layer", func() error { _, err := New(Shape{2}, Residual{}); return err }},
		{"fault within a residual", "layer 1.block.0", func() error {
			_, err := New(Shape{2}, Dense{Out: 2}, Residual{Layers: []Layer{Dense{}}})
			return err
		}},
		{"epsilon", "epsilon above 0", func() error { _, err := New(Shape{2}, LayerNorm{}); return err }},
		{"normalising one value", "single value", func() error { _, err := New(Shape{1}, LayerNorm{Epsilon: 1}); return err }},
		{"custom without function", "no Function", func() error { _, err := New(Shape{1}, Custom{Name: "f"}); return err }},
		{"custom with a parameter twice", "two parameters named \"a\"", func() error {
			_, err := New(Shape{1}, Custom{Name: "f", Function: polynomial{}, Parameters: []Parameter{{Name: "a", Shape: []int{1}}, {Name: "a", Shape: []int{1}}}})
			return err
		}},
		{"a pointer", "passed by value", func() error { _, err := New(Shape{2}, &Dense{Out: 2}); return err }},
		{"a nil pointer", "passed by value", func() error { _, err := New(Shape{2}, (*Dense)(nil)); return err }},
		{"global pooling of vectors", "takes images", func() error { _, err := New(Shape{3}, GlobalAvgPool{}); return err }},
		{"plain method of a custom layer", "no operations", func() error {
			n, err := New(Shape{1}, Custom{Name: "f", Function: polynomial{}}, Dense{Out: 1})
			if err != nil {
				t.Fatal(err)
			}
			j, err := NewJacobianFactors[float64](Plain, n, b, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.SetInputs([]float64{1}); err != nil {
				t.Fatal(err)
			}
			return j.Run([]float64{1})
		}},
		{"window too large", "do not fit", func() error { _, err := New(Shape{1, 3, 3}, MaxPool2D{4}); return err }},
		{"image for an output", "output is a vector", func() error { _, err := New(Shape{1, 3, 3}, Conv2D{Filters: 1, Kernel: 1, Stride: 1}); return err }},
		{"image into dense", "flatten", func() error { _, err := New(Shape{1, 8, 8}, Dense{Out: 1}); return err }},
		{"activation", "tanh, relu", func() error { _, err := New(Shape{3}, Dense{Out: 1}, Activation{"tan"}); return err }},
		{"no rows", "at least 1", func() error { _, err := NewForward[float64](mlp(t, Tanh, true, 2, 1), b, 0); return err }},
		{"inputs", "found 3", func() error {
			f, err := NewForward[float64](mlp(t, Tanh, true, 2, 1), b, 1)
			if err != nil {
				return err
			}
			return f.SetInputs(make([]float64, 3))
		}},
		{"weights", "found 2", func() error {
			f, err := NewForward[float64](mlp(t, Tanh, true, 2, 1), b, 1)
			if err != nil {
				return err
			}
			return f.Run(make([]float64, 2))
		}},
	} {
		if err := test.do(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v does not say %q", test.name, err, test.want)
		}
	}
}
