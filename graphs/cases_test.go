package graphs

import (
	"fmt"
	"testing"
)

// polynomial is y = a⊙x² + b, or x² without weights.
type polynomial struct{}

func (polynomial) Forward(w, x, y []float64) {
	for i, v := range x {
		y[i] = v * v
		if len(w) > 0 {
			y[i] = w[i]*v*v + w[len(x)+i]
		}
	}
}

func (polynomial) Pullback(w, x, δy, δx, δw []float64) {
	for i, v := range x {
		a := 1.0
		if len(w) > 0 {
			a = w[i]
		}
		if δx != nil {
			δx[i] = 2 * a * v * δy[i]
		}
		if δw != nil && len(w) > 0 {
			δw[i], δw[len(x)+i] = v*v*δy[i], δy[i]
		}
	}
}

type networkCase struct {
	name string
	net  *Network
	rows int
}

func networkCases(t *testing.T) []networkCase {
	var cases []networkCase
	for _, kind := range ActivationKinds() {
		for _, bias := range []bool{true, false} {
			cases = append(cases, networkCase{fmt.Sprintf("%s/bias=%v", kind, bias), mlp(t, kind, bias, 5, 7, 6, 3), 4})
		}
	}
	activated, err := New(Shape{4}, Dense{Out: 5, Bias: true}, Activation{Tanh}, Dense{Out: 2, Bias: true}, Activation{Sigmoid})
	if err != nil {
		t.Fatal(err)
	}
	double, err := New(Shape{4}, Activation{Tanh}, Dense{Out: 5}, Dense{Out: 3, Bias: true}, Activation{SiLU}, Activation{Tanh}, Dense{Out: 2})
	if err != nil {
		t.Fatal(err)
	}
	images := func(in Shape, layers ...Layer) *Network {
		n, err := New(in, layers...)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	tanh, dense := Activation{Tanh}, Dense{Out: 3, Bias: true}
	cases = append(cases,
		networkCase{"convolution", images(Shape{2, 5, 6}, Conv2D{Filters: 3, Kernel: 3, Stride: 1, Bias: true}, tanh, Flatten{}, dense), 5},
		networkCase{"convolution, no bias, stride and padding", images(Shape{2, 5, 6}, Conv2D{Filters: 3, Kernel: 3, Stride: 2, Padding: 2}, tanh, Flatten{}, dense), 3},
		networkCase{"two convolutions, max pooling", images(Shape{1, 8, 9}, Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, tanh, MaxPool2D{2},
			Conv2D{Filters: 3, Kernel: 2, Stride: 1, Bias: true}, Activation{ReLU}, Flatten{}, dense), 3},
		networkCase{"average pooling, stride 3", images(Shape{1, 9, 8}, Conv2D{Filters: 2, Kernel: 2, Stride: 1, Bias: true}, tanh, AvgPool2D{3},
			Conv2D{Filters: 3, Kernel: 1, Stride: 3, Bias: true}, Activation{GELU}, Flatten{}, dense), 2},
		networkCase{"kernel as large as the image", images(Shape{3, 4, 4}, Conv2D{Filters: 5, Kernel: 4, Stride: 1, Bias: true}, Flatten{}, tanh, dense), 1},
		networkCase{"convolution as the output", images(Shape{1, 4, 4}, Conv2D{Filters: 1, Kernel: 3, Stride: 1, Bias: true}, Flatten{}), 2},
		networkCase{"global average pooling", images(Shape{2, 5, 4}, Conv2D{Filters: 4, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, tanh, GlobalAvgPool{}, dense), 3},
		networkCase{"layer normalisation of vectors", images(Shape{5}, LayerNorm{1e-5, true}, Dense{Out: 6, Bias: true}, LayerNorm{1e-3, true}, tanh, LayerNorm{1e-5, false}, dense), 3},
		networkCase{"layer normalisation of images", images(Shape{2, 4, 3}, Conv2D{Filters: 3, Kernel: 2, Stride: 1, Bias: true}, LayerNorm{1e-5, true}, tanh, Flatten{}, dense), 2},
		networkCase{"layer normalisation as the output", images(Shape{4}, Dense{Out: 3}, LayerNorm{1e-5, true}), 2},
		networkCase{"custom layers", images(Shape{4}, Custom{Name: "square", Function: polynomial{}}, Dense{Out: 5, Bias: true},
			Custom{Name: "polynomial", Parameters: []Parameter{{Name: "a", Shape: []int{5}, Start: 1}, {Name: "b", Shape: []int{5}}}, Function: polynomial{}}, dense), 3},
		networkCase{"residual on the data", images(Shape{4}, Residual{Layers: []Layer{tanh, Dense{Out: 4, Bias: true}}}, dense), 3},
		networkCase{"residual after dense, ending in an activation", images(Shape{4}, Dense{Out: 5, Bias: true}, Residual{Layers: []Layer{Dense{Out: 5}, tanh}}, Dense{Out: 6}, Residual{Layers: []Layer{tanh}}, dense), 3},
		networkCase{"residual as the output", images(Shape{4}, Dense{Out: 3, Bias: true}, Residual{Layers: []Layer{tanh, Dense{Out: 3, Bias: true}}}), 3},
		networkCase{"a value added to itself", images(Shape{1, 2, 2}, Conv2D{Filters: 3, Kernel: 2, Stride: 1}, Residual{Layers: []Layer{Activation{Identity}, Residual{Layers: []Layer{Flatten{}}, Shortcut: []Layer{Flatten{}}}}, Shortcut: []Layer{Flatten{}}}, dense), 2},
		networkCase{"padding beyond the output, one pixel", images(Shape{2, 1, 1}, Conv2D{Filters: 3, Kernel: 5, Stride: 1, Padding: 2, Bias: true}, tanh, Flatten{}, dense), 2},
		networkCase{"padding beyond the output, stride", images(Shape{1, 3, 3}, Conv2D{Filters: 2, Kernel: 9, Stride: 2, Padding: 4}, tanh, Flatten{}, dense), 2},
		networkCase{"average pooling with pixels left over", images(Shape{1, 7, 8}, Conv2D{Filters: 2, Kernel: 2, Stride: 1}, tanh, AvgPool2D{4}, Flatten{}, dense), 3},
		networkCase{"nested residuals", images(Shape{4}, Dense{Out: 5, Bias: true}, Residual{Layers: []Layer{tanh, Residual{Layers: []Layer{Dense{Out: 5}, Activation{SiLU}}}, Dense{Out: 5, Bias: true}}}, dense), 3},
		networkCase{"residual network", images(Shape{1, 6, 6}, Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, tanh,
			Residual{Layers: []Layer{Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1}, LayerNorm{1e-5, true}, tanh, Conv2D{Filters: 2, Kernel: 3, Stride: 1, Padding: 1, Bias: true}}}, Activation{ReLU},
			Residual{Layers: []Layer{Conv2D{Filters: 3, Kernel: 3, Stride: 2, Padding: 1, Bias: true}}, Shortcut: []Layer{Conv2D{Filters: 3, Kernel: 1, Stride: 2}}}, tanh, GlobalAvgPool{}, dense), 3},
		networkCase{"scaled data, softplus of β = 10", images(Shape{4}, Scale{0.5}, Dense{Out: 5}, Scale{10}, Activation{Softplus}, Scale{0.1}, Scale{-0.4}, Dense{Out: 1}), 3},
		networkCase{"scaled images", images(Shape{2, 4, 3}, Scale{0.3}, Conv2D{Filters: 3, Kernel: 2, Stride: 1, Bias: true}, Scale{2}, tanh, Flatten{}, Scale{0.7}, dense), 2},
		networkCase{"pooled data, several tiles", images(Shape{1, 6, 6}, MaxPool2D{2}, Conv2D{Filters: 2, Kernel: 2, Stride: 1, Bias: true}, AvgPool2D{2}, Flatten{}, dense), 2*sampleTile + 1},
	)
	return append(cases,
		networkCase{"one sample", mlp(t, Tanh, true, 5, 7, 3), 1},
		networkCase{"one output", mlp(t, Tanh, true, 5, 7, 1), 4},
		networkCase{"one position", images(Shape{3, 2, 2}, Conv2D{Filters: 4, Kernel: 2, Stride: 1, Bias: true}, tanh, Conv2D{Filters: 3, Kernel: 1, Stride: 1}, Flatten{}), 2},
		networkCase{"one of everything", mlp(t, Tanh, true, 1, 1, 1), 1},
		networkCase{"linear", mlp(t, Tanh, true, 5, 3), 4},
		networkCase{"hundred outputs", mlp(t, GELU, true, 3, 4, 100), 2},
		networkCase{"odd rows, several tiles", mlp(t, Tanh, true, 3, 2, 2), 2*rowTile + 3},
		networkCase{"activated output", activated, 3},
		networkCase{"activations in a row and on the data", double, 3},
	)
}
