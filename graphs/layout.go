package graphs

import "fmt"

// Parameter is one tensor of weights: Shape in row-major order, stored in the
// flat weight vector from Offset on.
type Parameter struct {
	Name   string // as in a PyTorch nn.Sequential state_dict: "0.weight", "0.bias"
	Shape  []int  // dense: weight (d_out, d_in), bias (d_out)
	Offset int    // position of its first element in w ∈ ℝ^P

	// Drawn: the initial values are drawn by the scheme, from FanIn, the number of
	// inputs that meet in one output of the layer, and FanOut, the number of outputs
	// that one input reaches. Otherwise they are Start.
	Drawn         bool
	FanIn, FanOut int
	Start         float64
}

// Size returns the number of elements of the parameter.
func (p Parameter) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Layout places named tensors in one flat vector w ∈ ℝ^P, in order and without
// gaps.
type Layout []Parameter

// Size returns P, the length of the flat vector.
func (l Layout) Size() int {
	if len(l) == 0 {
		return 0
	}
	last := l[len(l)-1]
	return last.Offset + last.Size()
}

// Find returns the parameter of that name.
func (l Layout) Find(name string) (Parameter, error) {
	for _, p := range l {
		if p.Name == name {
			return p, nil
		}
	}
	return Parameter{}, fmt.Errorf("graphs: no parameter is named %q; there are %d, from %q on", name, len(l), l.first())
}

func (l Layout) first() string {
	if len(l) == 0 {
		return ""
	}
	return l[0].Name
}

// View returns the elements of p in w, without copying: writing to the view
// writes to w.
func View[T Float](w []T, p Parameter) []T {
	return w[p.Offset : p.Offset+p.Size() : p.Offset+p.Size()]
}
