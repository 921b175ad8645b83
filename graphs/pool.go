package graphs

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// MaxPool2D takes the largest value of each Size×Size window, as
// torch.nn.MaxPool2d(Size): windows do not overlap and what is left over at the
// right and lower edges is dropped. Of equal values the first counts.
type MaxPool2D struct{ Size int }

// AvgPool2D takes the mean of each Size×Size window, as torch.nn.AvgPool2d(Size).
type AvgPool2D struct{ Size int }

// Flatten turns images (C, H, W) into vectors, in that order, as torch.nn.Flatten.
type Flatten struct{}

func (m MaxPool2D) resolve(in Shape) (Shape, []Parameter, error) { return pooled(in, m.Size) }
func (a AvgPool2D) resolve(in Shape) (Shape, []Parameter, error) { return pooled(in, a.Size) }

func (Flatten) resolve(in Shape) (Shape, []Parameter, error) { return Shape{in.Size()}, nil, nil }

func pooled(in Shape, size int) (Shape, []Parameter, error) {
	if len(in) != 3 {
		return nil, nil, fmt.Errorf("pooling takes images of shape (channels, height, width)")
	}
	if size < 1 || size > in[1] || size > in[2] {
		return nil, nil, fmt.Errorf("windows of %d×%d do not fit into %d×%d pixels", size, size, in[1], in[2])
	}
	return Shape{in[0], in[1] / size, in[2] / size}, nil, nil
}

// windows calls f for every window of an image with the index of its output and
// the index of its first pixel.
func windows(in, out Shape, size int, f func(to, from int)) {
	for c := range out[0] {
		for r := range out[1] {
			for q := range out[2] {
				f((c*out[1]+r)*out[2]+q, (c*in[1]+r*size)*in[2]+q*size)
			}
		}
	}
}

// applyMaxPool2D adds the pooled images to the graph. The pullback sends each
// cotangent to the pixel that was the largest.
func applyMaxPool2D[T Float](b *builder[T], layer placed, size int, x *G.Node) (*G.Node, error) {
	in, out, width := layer.in.Size(), layer.out.Size(), layer.in[2]
	largest := make([]int32, b.rows*out) // pixel of each output, within its image
	o := &operation[T]{name: layer.name("maxpool2d"), wrt: []bool{b.leaves[x] == nil}}
	o.run = func(v [][]T) {
		b.engine.Tiles(b.rows, sampleTile, func(lo, hi int) {
			for n := lo; n < hi; n++ {
				image := v[0][n*in : (n+1)*in]
				windows(layer.in, layer.out, size, func(to, from int) {
					best := from
					for i := range size {
						for j := range size {
							// A NaN is the largest: it must not vanish.
							if at := from + i*width + j; image[at] > image[best] || image[at] != image[at] {
								best = at
							}
						}
					}
					o.values[n*out+to], largest[n*out+to] = image[best], int32(best)
				})
			}
		})
	}
	o.pull = func(_ G.Nodes, output, grad *G.Node) (G.Nodes, error) {
		if !o.wrt[0] {
			return G.Nodes{nil}, nil
		}
		rows := grad.Shape()[0]
		p := &operation[T]{name: layer.name("maxpool2d/input")}
		p.run = func(v [][]T) {
			b.engine.Tiles(rows, sampleTile, func(lo, hi int) {
				for r := lo; r < hi; r++ {
					image := p.values[r*in : (r+1)*in]
					clear(image)
					for i, at := range largest[r%b.rows*out:][:out] {
						image[at] = v[0][r*out+i]
					}
				}
			})
		}
		// The output is an operand so that the forward pass, which finds the
		// largest pixels, comes first.
		pulled, err := apply(p, tensor.Shape{rows, in}, grad, output)
		return G.Nodes{pulled}, err
	}
	return apply(o, tensor.Shape{b.rows, out}, x)
}

// applyAvgPool2D adds the pooled images to the graph.
func applyAvgPool2D[T Float](b *builder[T], layer placed, size int, x *G.Node) (*G.Node, error) {
	in, out, width := layer.in.Size(), layer.out.Size(), layer.in[2]
	share := 1 / T(size*size)
	o := &operation[T]{name: layer.name("avgpool2d"), wrt: []bool{b.leaves[x] == nil}}
	o.run = func(v [][]T) {
		b.engine.Tiles(b.rows, sampleTile, func(lo, hi int) {
			for n := lo; n < hi; n++ {
				image := v[0][n*in : (n+1)*in]
				windows(layer.in, layer.out, size, func(to, from int) {
					var sum T
					for i := range size {
						for _, p := range image[from+i*width:][:size] {
							sum += p
						}
					}
					o.values[n*out+to] = share * sum
				})
			}
		})
	}
	o.pull = func(_ G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		if !o.wrt[0] {
			return G.Nodes{nil}, nil
		}
		rows := grad.Shape()[0]
		p := &operation[T]{name: layer.name("avgpool2d/input")}
		p.run = func(v [][]T) {
			b.engine.Tiles(rows, sampleTile, func(lo, hi int) {
				for r := lo; r < hi; r++ {
					image := p.values[r*in : (r+1)*in]
					clear(image)
					windows(layer.in, layer.out, size, func(to, from int) {
						δ := share * v[0][r*out+to]
						for i := range size {
							row := image[from+i*width:][:size]
							for j := range row {
								row[j] = δ
							}
						}
					})
				}
			})
		}
		pulled, err := apply(p, tensor.Shape{rows, in}, grad)
		return G.Nodes{pulled}, err
	}
	return apply(o, tensor.Shape{b.rows, out}, x)
}
