package graphs

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// LayerNorm normalises each sample over all of its values,
//
//	y = γ⊙x̂ + β,  x̂ = (x − mean(x))/√(var(x) + ε)
//
// as torch.nn.LayerNorm over the sample's shape (Ba et al. 2016): the variance is
// the biased one, γ starts at 1 and β at 0. Without Affine there is neither.
type LayerNorm struct {
	Epsilon float64 // ε > 0
	Affine  bool
}

func (l LayerNorm) resolve(in Shape) (Shape, []Parameter, error) {
	if !(l.Epsilon > 0) || math.IsInf(l.Epsilon, 0) {
		return nil, nil, fmt.Errorf("a layer normalisation has an epsilon above 0, found %g", l.Epsilon)
	}
	if in.Size() == 1 {
		return nil, nil, fmt.Errorf("a layer normalisation of a single value is 0 whatever the value is")
	}
	if !l.Affine {
		return in, nil, nil
	}
	return in, []Parameter{{Name: "weight", Shape: in, Start: 1}, {Name: "bias", Shape: in}}, nil
}

// applyLayerNorm adds y (N, d) to the graph.
func applyLayerNorm[T Float](b *builder[T], layer placed, l LayerNorm, x *G.Node) (*G.Node, error) {
	d, rows := layer.in.Size(), b.rows
	var normal []T        // x̂ (N, d)
	var inverse []float64 // 1/√(var+ε) (N)
	operands, wrt := append([]*G.Node{x}, b.parameters(layer)...), []bool{!b.isLeaf(x)}
	for range layer.parameters {
		wrt = append(wrt, b.train)
	}
	o := &operation[T]{name: layer.name("layernorm"), wrt: wrt, extra: rows * (d + 1)}
	o.prepare = func() { normal, inverse = make([]T, rows*d), make([]float64, rows) }
	o.run = func(v [][]T) {
		b.engine.Tiles(rows, rowTile, func(lo, hi int) {
			for n := lo; n < hi; n++ {
				x, to, y := v[0][n*d:(n+1)*d], normal[n*d:(n+1)*d], o.values[n*d:(n+1)*d]
				inverse[n] = normalise(x, to, l.Epsilon)
				copy(y, to)
				if len(v) == 3 {
					for i := range y {
						y[i] = v[1][i]*to[i] + v[2][i]
					}
				}
			}
		})
	}
	o.pull = func(operands G.Nodes, output, grad *G.Node) (G.Nodes, error) {
		pulled := make(G.Nodes, len(operands))
		var err error
		if wrt[0] {
			p := &operation[T]{name: layer.name("layernorm/input")}
			stacks := b.stacks(grad)
			p.run = func(v [][]T) {
				b.engine.Tiles(rows*stacks, rowTile, func(lo, hi int) {
					for r := lo; r < hi; r++ {
						n, to := r/stacks, p.values[r*d:(r+1)*d]
						copy(to, v[0][r*d:(r+1)*d])
						if len(v) == 3 {
							for i, γ := range v[2] {
								to[i] *= γ
							}
						}
						pullNormalise(to, normal[n*d:(n+1)*d], inverse[n])
					}
				})
			}
			// The output is an operand so that the forward pass comes first.
			needs := []*G.Node{grad, output}
			if len(operands) == 3 {
				needs = append(needs, operands[1])
			}
			if pulled[0], err = apply(p, tensor.Shape{rows * stacks, d}, needs...); err != nil {
				return nil, err
			}
		}
		if len(operands) < 3 {
			return pulled, nil
		}
		sums, err := b.explicit(layer, output, grad, func(n int, δ, g []T) {
			for i, x := range normal[n*d : (n+1)*d] {
				g[i] = δ[i] * x
			}
			copy(g[d:], δ)
		})
		return append(pulled[:1], sums...), err
	}
	y, err := apply(o, tensor.Shape{rows, d}, operands...)
	if err == nil && len(operands) == 3 {
		b.explicitSite(layer, x, y, operands[1:])
	}
	return y, err
}

// normalise writes x̂ and returns 1/√(var+ε). Sums are float64.
func normalise[T Float](x, to []T, ε float64) float64 {
	var mean, variance float64
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		c := float64(v) - mean
		variance += c * c
	}
	inverse := 1 / math.Sqrt(variance/float64(len(x))+ε)
	for i, v := range x {
		to[i] = T((float64(v) - mean) * inverse)
	}
	return inverse
}

// pullNormalise turns a cotangent of x̂ into one of x,
// (δ − mean(δ) − x̂·mean(δ⊙x̂))/√(var+ε).
func pullNormalise[T Float](δ, normal []T, inverse float64) {
	var mean, along float64
	for i, v := range δ {
		mean += float64(v)
		along += float64(v) * float64(normal[i])
	}
	mean /= float64(len(δ))
	along /= float64(len(δ))
	for i, v := range δ {
		δ[i] = T((float64(v) - mean - float64(normal[i])*along) * inverse)
	}
}
