package graphs

import (
	"math"
	"runtime"
	"testing"
)

// What is not kept shares memory: a convolutional network's Jacobian holds the
// cotangents of its weights' layers and few of the others.
func TestTemporariesShareMemory(t *testing.T) {
	n, err := New(Shape{1, 12, 12}, Conv2D{Filters: 4, Kernel: 3, Stride: 1, Padding: 1}, Activation{Tanh}, AvgPool2D{2},
		Conv2D{Filters: 4, Kernel: 3, Stride: 1, Padding: 1}, Activation{Tanh}, AvgPool2D{2}, Flatten{}, Dense{Out: 10})
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewJacobian[float64](n, engine(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	// Cotangents of two convolutions, seeds; of the temporaries, at most two of the
	// widest at a time; forward values and slopes.
	widths := 2*4*144 + 4*36 + 2*4*36 + 4*9 + 36 + 10 // of the outputs of all layers
	kept := 3*10*(4*144+4*36+10) + 2*3*10*4*144 + 3*(2*widths+144) + 2*n.Parameters()
	if got := j.Bytes() / 8; got > kept {
		t.Errorf("%d elements, at most %d are needed", got, kept)
	}
}

type halfSquare32 struct{}

func (halfSquare32) Evaluate(_, _ []float32, _ int, _ []float64, _ []float32) {}

// The estimate is what the evaluator takes: exactly as counted, and within a quarter
// of what is allocated for it.
func TestJacobianBytes(t *testing.T) {
	conv, err := New(Shape{1, 28, 28}, Conv2D{Filters: 8, Kernel: 5, Stride: 1, Bias: true}, Activation{Tanh}, MaxPool2D{2},
		Residual{Layers: []Layer{Conv2D{Filters: 8, Kernel: 3, Stride: 1, Padding: 1}, LayerNorm{1e-5, true}, Activation{Tanh}}}, Flatten{}, Dense{Out: 10})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]*Network{"dense": mlp(t, Tanh, true, 784, 256, 256, 10), "convolutional": conv} {
		const rows = 40
		want, err := JacobianBytes[float32](n, rows)
		if err != nil {
			t.Fatal(err)
		}
		x, w := make([]float32, rows*784), make([]float32, n.Parameters())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		j, err := NewJacobian[float32](n, engine(t), rows)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.SetInputs(x); err != nil {
			t.Fatal(err)
		}
		if err := j.Run(w); err != nil {
			t.Fatal(err)
		}
		j.Factors()
		runtime.ReadMemStats(&after)
		g, err := NewGradient(n, engine(t), rows, halfSquare32{})
		if err != nil {
			t.Fatal(err)
		}
		if want, err := GradientBytes[float32](n, rows); err != nil || g.Bytes() != want {
			t.Errorf("%s: the gradient takes %d bytes, %d were estimated: %v", name, g.Bytes(), want, err)
		}
		if got := j.Bytes(); got != want {
			t.Errorf("%s: %d bytes, %d were estimated", name, got, want)
		}
		if testing.Short() {
			continue // the race detector allocates too
		}
		if got := float64(after.TotalAlloc - before.TotalAlloc); math.Abs(got-float64(want)) > 0.25*got {
			t.Errorf("%s: %g bytes were allocated, %d were estimated", name, got, want)
		}
	}
}
