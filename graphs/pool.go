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

// GlobalAvgPool takes the mean of each channel, (C, H, W) to (C), as
// torch.nn.AdaptiveAvgPool2d(1) and Flatten.
type GlobalAvgPool struct{}

// Flatten turns images (C, H, W) into vectors, in that order, as torch.nn.Flatten.
type Flatten struct{}

func (m MaxPool2D) resolve(in Shape) (Shape, []Parameter, error) { return pooled(in, m.Size) }
func (a AvgPool2D) resolve(in Shape) (Shape, []Parameter, error) { return pooled(in, a.Size) }

func (GlobalAvgPool) resolve(in Shape) (Shape, []Parameter, error) {
	if len(in) != 3 {
		return nil, nil, fmt.Errorf("pooling takes images of shape (channels, height, width)")
	}
	return Shape{in[0]}, nil, nil
}

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

// window is the geometry of a pooling: channels of H×W pixels are cut into windows
// of Height×Width, whose outputs are (rows, columns) in a channel.
type window struct {
	channels, in, width int // channels, pixels of one, pixels in a row
	rows, columns       int
	Height, Width       int
}

func newWindow(in Shape, height, width int) window {
	return window{channels: in[0], in: in[1] * in[2], width: in[2], rows: in[1] / height, columns: in[2] / width, Height: height, Width: width}
}

// applyMaxPool2D adds the pooled images to the graph. The pullback sends each
// cotangent to the pixel that was the largest.
func applyMaxPool2D[T Float](b *builder[T], layer placed, size int, x *G.Node) (*G.Node, error) {
	in, out, w := layer.in.Size(), layer.out.Size(), newWindow(layer.in, size, size)
	var largest []int32 // pixel of each output, within its image
	o := &operation[T]{name: layer.name("maxpool2d"), wrt: []bool{!b.isLeaf(x)}, extra: b.rows * out}
	o.prepare = func() { largest = make([]int32, b.rows*out) }
	o.run = func(v [][]T) {
		b.engine.Tiles(b.rows, sampleTile, func(lo, hi int) {
			for n := lo; n < hi; n++ {
				maxPool(w, v[0][n*in:(n+1)*in], o.values[n*out:(n+1)*out], largest[n*out:(n+1)*out])
			}
		})
	}
	o.pull = func(_ G.Nodes, output, grad *G.Node) (G.Nodes, error) {
		if !o.wrt[0] {
			return G.Nodes{nil}, nil
		}
		rows, stacks := grad.Shape()[0], b.stacks(grad)
		p := &operation[T]{name: layer.name("maxpool2d/input")}
		p.run = func(v [][]T) {
			b.engine.Tiles(rows, sampleTile, func(lo, hi int) {
				for r := lo; r < hi; r++ {
					image := p.values[r*in : (r+1)*in]
					clear(image)
					δ := v[0][r*out : (r+1)*out]
					for i, at := range largest[r/stacks*out:][:len(δ)] {
						image[at] = δ[i]
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

// maxPool writes the largest pixel of each window and where it is. Of equal ones the
// first counts; a NaN is the largest: it must not vanish.
func maxPool[T Float](w window, image, to []T, largest []int32) {
	if w.Height == 2 && w.Width == 2 {
		maxPool2(w, image, to, largest)
		return
	}
	i := 0
	for c := range w.channels {
		for r := range w.rows {
			from := c*w.in + r*w.Height*w.width
			for q := range w.columns {
				at := from + q*w.Width
				best, value := at, image[at]
				for y := range w.Height {
					row := image[at+y*w.width:][:w.Width]
					for x, v := range row {
						if v > value || v != v {
							best, value = at+y*w.width+x, v
						}
					}
				}
				to[i], largest[i] = value, int32(best)
				i++
			}
		}
	}
}

// maxPool2 is maxPool of the most common windows.
func maxPool2[T Float](w window, image, to []T, largest []int32) {
	for c := range w.channels {
		for r := range w.rows {
			from := c*w.in + 2*r*w.width
			upper, lower := image[from:][:2*w.columns], image[from+w.width:][:2*w.columns]
			at := (c*w.rows + r) * w.columns
			to, largest := to[at:][:w.columns], largest[at:][:w.columns]
			for q := range to {
				best, value := 2*q, upper[2*q]
				if v := upper[2*q+1]; v > value || v != v {
					best, value = 2*q+1, v
				}
				if v := lower[2*q]; v > value || v != v {
					best, value = 2*q+w.width, v
				}
				if v := lower[2*q+1]; v > value || v != v {
					best, value = 2*q+w.width+1, v
				}
				to[q], largest[q] = value, int32(from+best)
			}
		}
	}
}

// applyAvgPool2D adds the pooled images to the graph.
func applyAvgPool2D[T Float](b *builder[T], layer placed, height, width int, x *G.Node) (*G.Node, error) {
	in, out, w := layer.in.Size(), layer.out.Size(), newWindow(layer.in, height, width)
	o := &operation[T]{name: layer.name("avgpool2d"), wrt: []bool{!b.isLeaf(x)}}
	o.run = func(v [][]T) {
		b.engine.Tiles(b.rows, sampleTile, func(lo, hi int) {
			for n := lo; n < hi; n++ {
				averagePool(w, v[0][n*in:(n+1)*in], o.values[n*out:(n+1)*out])
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
					spread(w, v[0][r*out:(r+1)*out], p.values[r*in:(r+1)*in])
				}
			})
		}
		pulled, err := apply(p, tensor.Shape{rows, in}, grad)
		return G.Nodes{pulled}, err
	}
	return apply(o, tensor.Shape{b.rows, out}, x)
}

// averagePool writes the mean of each window.
func averagePool[T Float](w window, image, to []T) {
	share, i := 1/T(w.Height*w.Width), 0
	for c := range w.channels {
		for r := range w.rows {
			for q := range w.columns {
				at := c*w.in + r*w.Height*w.width + q*w.Width
				var sum T
				for y := range w.Height {
					for _, v := range image[at+y*w.width:][:w.Width] {
						sum += v
					}
				}
				to[i] = share * sum
				i++
			}
		}
	}
}

// spread writes the pullback of averagePool: each cotangent in equal shares to the
// pixels of its window, 0 to those left over at the edges.
func spread[T Float](w window, δ, image []T) {
	clear(image)
	share, i := 1/T(w.Height*w.Width), 0
	for c := range w.channels {
		for r := range w.rows {
			for q := range w.columns {
				at, each := c*w.in+r*w.Height*w.width+q*w.Width, share*δ[i]
				for y := range w.Height {
					row := image[at+y*w.width:][:w.Width]
					for x := range row {
						row[x] = each
					}
				}
				i++
			}
		}
	}
}
