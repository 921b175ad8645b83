package pathkernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pkm/internal/compute"
)

// gonum returns an engine that works everywhere; it has one core without a test to
// close it.
func gonum(t testing.TB) compute.Engine {
	e, err := compute.Open("gonum")
	if err != nil {
		panic(err)
	}
	if t == nil {
		e.Close()
	} else {
		t.Cleanup(e.Close)
	}
	return e
}

// network is a made-up one: what counts is the shape of its factors.
type network struct {
	widths     []int
	bias       bool
	fixedInput bool // the first layer's inputs are data
	unit       bool // the last layer's cotangents are unit vectors, given as many seeds as outputs
	shared     bool // the layer before has cotangents shared⊙scale
	explicit   bool // the second layer's gradients are formed
	positions  int  // of every layer but the last; 0 and 1: dense
}

// unfold makes U (d, T) of an image of d+T−1 values: overlapping windows, as those of
// a convolution in one dimension.
func unfold(d, positions int) func(image, u []float64) {
	return func(image, u []float64) {
		for i := range d {
			copy(u[i*positions:(i+1)*positions], image[i:])
		}
	}
}

func (n network) parameters() int {
	p := 0
	for l := range len(n.widths) - 1 {
		p += n.widths[l+1] * n.widths[l]
		if n.bias {
			p += n.widths[l+1]
		}
	}
	return p
}

// factors draws the factors of rows samples and k seeds. The parts that a
// network declares fixed come from fixed, the others from free.
func (n network) factors(fixed, free uint64, rows, k int) []Factor[float64] {
	constant, random := rand.New(rand.NewPCG(fixed, 0)), rand.New(rand.NewPCG(free, 1))
	draw := func(r *rand.Rand, size int) []float64 {
		v := make([]float64, size)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	var out []Factor[float64]
	offset, last := 0, len(n.widths)-2
	for l := range last + 1 {
		in, width := n.widths[l], n.widths[l+1]
		f := Factor[float64]{Layer: fmt.Sprint(l), Rows: rows, Stacks: k, InWidth: in, OutWidth: width, Weight: offset, Bias: -1,
			Positions: 1, Input: draw(random, rows*in), Cotangent: draw(random, k*rows*width)}
		offset += in * width
		if n.positions > 1 && l < last {
			f.Positions, f.Unfold = n.positions, unfold(in, n.positions)
			f.Input, f.Cotangent = draw(random, rows*(in+n.positions-1)), draw(random, k*rows*width*n.positions)
		}
		if n.explicit && l == 1 {
			f.Positions, f.InWidth, f.OutWidth, f.Input, f.Unfold = 1, 0, in*width, nil, nil
			f.Cotangent = draw(random, k*rows*in*width)
			if n.bias {
				offset += width
			}
			out = append(out, f)
			continue
		}
		if n.bias {
			f.Bias = offset
			offset += width
		}
		if l == 0 && n.fixedInput {
			f.FixedInput, f.Input = true, draw(constant, len(f.Input))
		}
		if l == last && n.unit && k == width {
			f.Unit, f.Cotangent = true, make([]float64, k*rows*width)
			for r := range k * rows {
				f.Cotangent[r*width+r%k] = 1
			}
		}
		if l == last-1 && n.shared {
			f.Shared, f.Scale = draw(random, k*width), draw(random, rows*width)
			for i := range f.Cotangent {
				f.Cotangent[i] = f.Shared[i%(k*width)] * f.Scale[i/(k*width)*width+i%width]
			}
		}
		out = append(out, f)
	}
	return out
}

// explicit is the plain twin of everything in this package. It is tested by
// the products that are worked out by hand, and by graphs' finite differences.
func explicit(factors []Factor[float64], p int) []float64 { return Explicit(factors, p) }

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func maxDifference(a, b []float64) float64 {
	var d, scale float64
	for i := range a {
		d, scale = max(d, math.Abs(a[i]-b[i])), max(scale, math.Abs(b[i]))
	}
	return d / scale
}

type contractionCase struct {
	name                   string
	net                    network
	queries, train, k, k2  int
	weights                [][]float64 // of each integral on the nodes
	width, offset, columns int
}

func contractionCases() []contractionCase {
	plain := network{widths: []int{3, 5, 4, 2}, bias: true}
	all := network{widths: []int{3, 5, 4, 2}, bias: true, fixedInput: true, unit: true, shared: true}
	return []contractionCase{
		{name: "one node", net: plain, queries: 3, train: 4, k: 2, k2: 1, weights: [][]float64{{1}}},
		{name: "three nodes", net: plain, queries: 3, train: 4, k: 2, k2: 1, weights: [][]float64{{0.3, 0.5, 0.2}}},
		{name: "structure, three nodes", net: all, queries: 3, train: 4, k: 2, k2: 1, weights: [][]float64{{0.3, 0.5, 0.2}}},
		{name: "structure, one of three nodes", net: all, queries: 3, train: 4, k: 2, k2: 1, weights: [][]float64{{0, 0.5, 0}}},
		{name: "structure, several integrals", net: all, queries: 3, train: 4, k: 2, k2: 2,
			weights: [][]float64{{0.3, 0.5, 0.2}, {1, 0, 0}, {0.3, 0.5, 0.2}, {0, 0, 0}, {0, 0, 2}}},
		{name: "no bias", net: network{widths: []int{3, 5, 2}, fixedInput: true, unit: true}, queries: 2, train: 3, k: 2, k2: 2, weights: [][]float64{{0.25, 0.5}}},
		{name: "one hidden layer: fixed inputs and shared cotangents", net: network{widths: []int{3, 5, 2}, bias: true, fixedInput: true, unit: true, shared: true}, queries: 2, train: 3, k: 2, k2: 2,
			weights: [][]float64{{0.25, 0.5}, {0, 1}}},
		{name: "linear model", net: network{widths: []int{3, 2}, bias: true, fixedInput: true, unit: true}, queries: 2, train: 3, k: 2, k2: 2, weights: [][]float64{{0.25, 0.5}, {0.1, 0}, {0.25, 0.5}}},
		{name: "ones", net: network{widths: []int{1, 1}}, queries: 1, train: 1, k: 1, k2: 1, weights: [][]float64{{1}}},
		{name: "hundred outputs", net: network{widths: []int{3, 4, 100}, bias: true, shared: true}, queries: 2, train: 3, k: 100, k2: 100, weights: [][]float64{{1}}},
		{name: "formed gradients", net: network{widths: []int{3, 5, 4, 2}, bias: true, explicit: true, fixedInput: true, unit: true}, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.3, 0.5, 0.2}, {0, 1, 0}, {0.3, 0.5, 0.2}}},
		{name: "shared weights, formed", net: network{widths: []int{3, 2, 2}, bias: true, positions: 40, fixedInput: true}, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.3, 0.5, 0.2}, {0, 1, 0}}},
		{name: "shared weights, paired", net: network{widths: []int{30, 20, 2}, bias: true, positions: 2}, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.3, 0.5, 0.2}, {0, 1, 0}}},
		{name: "shared weights, paired, no bias, one seed", net: network{widths: []int{30, 20, 8, 2}, positions: 2}, queries: 3, train: 7, k: 2, k2: 1, weights: [][]float64{{0, 0.5, 0.2}}},
		{name: "shared weights, paired, column weights", net: network{widths: []int{30, 20, 2}, bias: true, positions: 2}, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.5, 0.5}, {1, 2}}, columns: 1, width: 6, offset: 1},
		{name: "shared weights, formed, column weights", net: network{widths: []int{3, 2, 2}, positions: 40}, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.5, 0.5}, {1, 2}}, columns: 1, width: 6, offset: 1},
		{name: "shared weights in chunks", net: network{widths: []int{3, 2, 2}, bias: true, positions: 40}, queries: 2, train: 11, k: 1, k2: 1, weights: [][]float64{{1}}},
		{name: "shared weights, pairs in tiles", net: network{widths: []int{30, 20, 1}, bias: true, positions: 2}, queries: 2, train: 11, k: 1, k2: 1, weights: [][]float64{{1}}},
		{name: "several tiles each way", net: all, queries: rowBytes/8 + 1, train: columnTile + 3, k: 2, k2: 2, weights: [][]float64{{0.5, 0.5}}},
		{name: "block of a wider sum", net: all, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.5, 0.5}}, width: 9, offset: 3},
		{name: "column weights", net: all, queries: 3, train: 4, k: 2, k2: 2, weights: [][]float64{{0.5, 0.5}, {1, 2}}, columns: 1},
	}
}

// Both sums are of a few hundred products: 1e-12 is rounding.
func TestContractionEqualsExplicitJacobians(t *testing.T) {
	for _, test := range contractionCases() {
		t.Run(test.name, func(t *testing.T) {
			p, width := test.net.parameters(), max(test.width, test.train)
			var nodes [][]Factor[float64]
			for j := range test.weights[0] {
				nodes = append(nodes, test.net.factors(1, uint64(10+j), test.queries, test.k))
			}
			train := test.net.factors(2, 20, test.train, test.k2)
			var columns []float64
			if test.columns > 0 {
				for i := range test.k2 * test.train {
					columns = append(columns, float64(i%5)-1.5)
				}
			}
			outer := make([][]Sum, len(test.weights))
			want := make([][]float64, len(test.weights))
			for n, w := range test.weights {
				outer[n] = []Sum{{Values: make([]float64, test.queries*test.k*test.k2*width), Width: width, Offset: test.offset, Scale: -0.5, Columns: columns}}
				want[n] = make([]float64, len(outer[n][0].Values))
				for j := range nodes {
					q, g := explicit(nodes[j], p), explicit(train, p)
					for m := range test.queries {
						for k := range test.k {
							for k2 := range test.k2 {
								for i := range test.train {
									scale := -0.5 * w[j]
									if columns != nil {
										scale *= columns[i*test.k2+k2]
									}
									want[n][((m*test.k+k)*width+test.offset+i)*test.k2+k2] += scale *
										dot(q[(m*test.k+k)*p:][:p], g[(i*test.k2+k2)*p:][:p])
								}
							}
						}
					}
				}
			}
			c := NewContraction[float64](gonum(t))
			if test.train == 11 { // some samples at a time
				c.formedElements, c.pairElements = 25, 12
			}
			for range 2 { // the second time with kept Grams
				for n := range outer {
					clear(outer[n][0].Values)
				}
				c.Prepare(nodes, train, test.weights)
				c.Outer(train, outer)
				for n := range outer {
					if scale := maxDifference(want[n], want[n]); math.IsNaN(scale) { // all weights 0
						if slices.Max(outer[n][0].Values) != 0 || slices.Min(outer[n][0].Values) != 0 {
							t.Fatalf("integral %d without weights is not 0", n)
						}
						continue
					}
					if d := maxDifference(outer[n][0].Values, want[n]); d > 1e-12 {
						t.Fatalf("integral %d: relative difference %.2g", n, d)
					}
				}
			}
			if test.k != test.k2 || columns != nil {
				return
			}
			for n, w := range test.weights {
				trace := []Sum{{Values: make([]float64, test.queries*width), Width: width, Offset: test.offset, Scale: -0.5}}
				c.Prepare(nodes, train, [][]float64{w})
				c.Trace(train, [][]Sum{trace})
				diagonal := []Sum{{Values: make([]float64, test.queries*test.k*width), Width: width, Offset: test.offset, Scale: -0.5}}
				c.Diagonal(train, [][]Sum{diagonal})
				sum, each := make([]float64, len(trace[0].Values)), make([]float64, len(diagonal[0].Values))
				for m := range test.queries {
					for k := range test.k {
						for i := range test.train {
							v := want[n][((m*test.k+k)*width+test.offset+i)*test.k2+k]
							sum[m*width+test.offset+i] += v
							each[(m*test.k+k)*width+test.offset+i] = v
						}
					}
				}
				if slices.Max(sum) == slices.Min(sum) && slices.Equal(sum, trace[0].Values) {
					continue
				}
				if d := maxDifference(trace[0].Values, sum); d > 1e-12 {
					t.Fatalf("trace %d: relative difference %.2g", n, d)
				}
				if d := maxDifference(diagonal[0].Values, each); d > 1e-12 {
					t.Fatalf("diagonal %d: relative difference %.2g", n, d)
				}
			}
		})
	}
}

func TestContractionBitsDoNotDependOnCores(t *testing.T) {
	net := network{widths: []int{30, 40, 20, 3}, bias: true, fixedInput: true, shared: true}
	nodes := [][]Factor[float64]{net.factors(1, 2, 70, 3), net.factors(1, 3, 70, 3)}
	train := net.factors(4, 5, 1500, 3)
	run := func() []float64 {
		sum := make([]float64, 70*3*3*1500+70*1500)
		c := NewContraction[float64](gonum(t))
		c.Prepare(nodes, train, [][]float64{{0.3, 0.7}})
		c.Outer(train, [][]Sum{{{Values: sum[70*1500:], Width: 1500, Scale: 1}}})
		c.Trace(train, [][]Sum{{{Values: sum[:70*1500], Width: 1500, Scale: 1}}})
		return sum
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := run()
	for _, cores := range []int{2, 4} {
		runtime.GOMAXPROCS(cores)
		if !slices.Equal(run(), want) {
			t.Fatalf("GOMAXPROCS=%d gives other bits than 1", cores)
		}
	}
}

func TestApplyEqualsExplicitJacobian(t *testing.T) {
	for _, net := range []network{
		{widths: []int{3, 5, 4, 2}, bias: true}, {widths: []int{3, 5, 4, 2}, bias: true, explicit: true}, {widths: []int{3, 5, 4, 2}, bias: true, positions: 3}, {widths: []int{3, 5, 2}},
	} {
		applyEqualsExplicit(t, net)
	}
}

func applyEqualsExplicit(t *testing.T, net network) {
	t.Helper()
	factors, p := net.factors(1, 2, 6, 2), net.parameters()
	random := rand.New(rand.NewPCG(3, 3))
	v := make([]float64, p)
	for i := range v {
		v[i] = random.NormFloat64()
	}
	got, j := Apply(gonum(t), factors, v), explicit(factors, p)
	for n := range 6 {
		for k := range 2 {
			if want := dot(j[(n*2+k)*p:][:p], v); math.Abs(got[n*2+k]-want) > 1e-12*math.Abs(want)+1e-12 {
				t.Fatalf("sample %d, output %d: %g, want %g", n, k, got[n*2+k], want)
			}
		}
	}
}
