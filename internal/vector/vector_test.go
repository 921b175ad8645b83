package vector

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// implementation is one that runs on this machine.
type implementation[T Float] struct {
	name    string
	kernels *kernels[T]
}

// implementations returns the portable implementation, and the assembly where
// there is one for this processor.
func implementations[T Float](t testing.TB) []implementation[T] {
	list := []implementation[T]{{"portable", portable[T]()}}
	var assembly any = assembly64()
	if _, ok := any(T(0)).(float32); ok {
		assembly = assembly32()
	}
	if k := assembly.(*kernels[T]); k != nil {
		return append(list, implementation[T]{"assembly", k})
	}
	t.Log("no assembly: this build or this processor has no AVX2 with FMA")
	return list
}

// unary is a function of one slice.
type unary[T Float] struct {
	name string
	of   func(k *kernels[T]) func(dst, z []T)
	call func(dst, z []T) // exported
	same bool             // bits do not depend on the implementation
}

func unaries[T Float]() []unary[T] {
	return []unary[T]{
		{"Exp", func(k *kernels[T]) func(dst, z []T) { return k.exp }, Exp[T], false},
		{"Tanh", func(k *kernels[T]) func(dst, z []T) { return k.tanh }, Tanh[T], false},
		{"Sigmoid", func(k *kernels[T]) func(dst, z []T) { return k.sigmoid }, Sigmoid[T], false},
		{"Softplus", func(k *kernels[T]) func(dst, z []T) { return k.softplus }, Softplus[T], false},
		{"SiLU", func(k *kernels[T]) func(dst, z []T) { return k.silu }, SiLU[T], false},
		{"SiLUSlope", func(k *kernels[T]) func(dst, z []T) { return k.siluSlope }, SiLUSlope[T], false},
		{"GELU", func(k *kernels[T]) func(dst, z []T) { return k.gelu }, GELU[T], false},
		{"GELUSlope", func(k *kernels[T]) func(dst, z []T) { return k.geluSlope }, GELUSlope[T], false},
		{"ReLU", func(k *kernels[T]) func(dst, z []T) { return k.relu }, ReLU[T], true},
		{"ReLUSlope", func(k *kernels[T]) func(dst, z []T) { return k.reluSlope }, ReLUSlope[T], true},
		{"TanhSlope", func(k *kernels[T]) func(dst, z []T) { return k.tanhSlope }, TanhSlope[T], true},
		{"SigmoidSlope", func(k *kernels[T]) func(dst, z []T) { return k.sigmoidSlope }, SigmoidSlope[T], true},
	}
}

// bits returns the bits of v, the same for all NaN: which of them an operation
// returns is not ours to say.
func bits[T Float](v T) uint64 {
	if v != v {
		v = T(math.NaN())
	}
	if v, ok := any(v).(float32); ok {
		return uint64(math.Float32bits(v))
	}
	return math.Float64bits(float64(v))
}

func fromBits[T Float](u uint64) T {
	if _, ok := any(T(0)).(float32); ok {
		return T(math.Float32frombits(uint32(u)))
	}
	return T(math.Float64frombits(u))
}

// firstDifference returns the first index at which the bits differ, or −1.
func firstDifference[T Float](a, b []T) int {
	for i := range a {
		if bits(a[i]) != bits(b[i]) {
			return i
		}
	}
	return -1
}

// special returns values at which something may change.
func special[T Float]() []T {
	tiny, huge, normal := fromBits[T](1), fromBits[T](0x7fefffffffffffff), fromBits[T](1<<52)
	if _, ok := any(T(0)).(float32); ok {
		huge, normal = fromBits[T](0x7f7fffff), fromBits[T](1<<23)
	}
	values := []T{T(math.NaN())}
	for _, v := range []T{0, tiny, 3 * tiny, normal, normal - tiny, 1e-30, 1e-8, 0.5, 1, 1.5, 20, 88, 104, 709, 745, 1e4, 1e30, huge, T(math.Inf(1))} {
		values = append(values, v, -v)
	}
	return values
}

// sample returns n values: special ones, ordinary ones and any bit patterns.
func sample[T Float](n int, seed uint64) []T {
	r, s := rand.New(rand.NewPCG(seed, 1)), special[T]()
	values := make([]T, n)
	for i := range values {
		switch r.IntN(4) {
		case 0:
			values[i] = s[r.IntN(len(s))]
		case 1:
			values[i] = fromBits[T](r.Uint64())
		default:
			values[i] = T(4 * r.NormFloat64())
		}
	}
	return values
}

// ordinary returns n values of a normal distribution.
func ordinary[T Float](n int, seed uint64) []T {
	r, values := rand.New(rand.NewPCG(seed, 2)), make([]T, n)
	for i := range values {
		values[i] = T(r.NormFloat64())
	}
	return values
}

// longest is beyond the block of every loop, with all rests.
const longest = 67

func TestUnaryDoesNotDependOnPlace(t *testing.T) {
	t.Run("float64", testUnaryPlace[float64])
	t.Run("float32", testUnaryPlace[float32])
}

func testUnaryPlace[T Float](t *testing.T) {
	for _, im := range implementations[T](t) {
		for _, f := range unaries[T]() {
			run := f.of(im.kernels)
			z := sample[T](longest+8, 3)
			want := make([]T, len(z)) // one by one
			for i := range z {
				run(want[i:i+1], z[i:i+1])
			}
			for n := range longest + 1 {
				for offset := range 8 {
					got := make([]T, len(z))
					for i := range got {
						got[i] = 42
					}
					run(got[offset:offset+n], z[offset:offset+n])
					for i, v := range got {
						w := want[i]
						if i < offset || i >= offset+n {
							w = 42 // beyond the slice nothing is written
						}
						if bits(v) != bits(w) {
							t.Fatalf("%s %s: element %d of %d at offset %d is %v, alone %v (z = %v)", im.name, f.name, i-offset, n, offset, v, w, z[i])
						}
					}
					alias := append([]T(nil), z...)
					run(alias[offset:offset+n], alias[offset:offset+n])
					if i := firstDifference(alias[offset:offset+n], want[offset:]); i >= 0 {
						t.Fatalf("%s %s in place: element %d of %d at offset %d is %v, want %v", im.name, f.name, i, n, offset, alias[offset+i], want[offset+i])
					}
				}
			}
		}
	}
}

func TestUnaryInTheSameBits(t *testing.T) {
	t.Run("float64", testUnarySame[float64])
	t.Run("float32", testUnarySame[float32])
}

func testUnarySame[T Float](t *testing.T) {
	list := implementations[T](t)
	z := append(special[T](), sample[T](20000, 5)...)
	for _, f := range unaries[T]() {
		if !f.same {
			continue
		}
		want, got := make([]T, len(z)), make([]T, len(z))
		f.of(list[0].kernels)(want, z)
		f.call(got, z)
		if i := firstDifference(got, want); i >= 0 {
			t.Errorf("%s(%v) = %v, portable %v", f.name, z[i], got[i], want[i])
		}
	}
}

// linear is a function of several slices and the result of a plain loop, rounded
// operation by operation.
type linear[T Float] struct {
	name  string
	run   func(k *kernels[T], dst []T, sum []float64, w float64, a, b []T, columns []float64)
	plain func(dst T, sum, w float64, a, b T, column float64) (T, float64)
}

func linears[T Float]() []linear[T] {
	return []linear[T]{
		{"Mul", func(k *kernels[T], dst []T, _ []float64, _ float64, a, b []T, _ []float64) { k.mul(dst, a, b) },
			func(_ T, sum, _ float64, a, b T, _ float64) (T, float64) { return a * b, sum }},
		{"Add", func(k *kernels[T], dst []T, _ []float64, _ float64, a, _ []T, _ []float64) { k.add(dst, a) },
			func(dst T, sum, _ float64, a, _ T, _ float64) (T, float64) { return dst + a, sum }},
		{"Scale", func(k *kernels[T], dst []T, _ []float64, w float64, a, _ []T, _ []float64) { k.scale(dst, T(w), a) },
			func(_ T, sum, w float64, a, _ T, _ float64) (T, float64) { return T(w) * a, sum }},
		{"AddScaled", func(k *kernels[T], dst []T, _ []float64, w float64, a, _ []T, _ []float64) { k.addScaled(dst, T(w), a) },
			func(dst T, sum, w float64, a, _ T, _ float64) (T, float64) { return dst + T(T(w)*a), sum }},
		{"MulTo", func(k *kernels[T], _ []T, sum []float64, w float64, a, b []T, _ []float64) { k.mulTo(sum, w, a, b) },
			func(dst T, _, w float64, a, b T, _ float64) (T, float64) {
				return dst, float64(w * float64(T(a*b)))
			}},
		{"MulAddTo", func(k *kernels[T], _ []T, sum []float64, w float64, a, b []T, _ []float64) { k.mulAddTo(sum, w, a, b) },
			func(dst T, sum, w float64, a, b T, _ float64) (T, float64) {
				return dst, sum + float64(w*float64(T(a*b)))
			}},
		{"MulAddColumnsTo", func(k *kernels[T], _ []T, sum []float64, w float64, a, b []T, columns []float64) {
			k.mulAddColumnsTo(sum, w, a, b, columns)
		},
			func(dst T, sum, w float64, a, b T, column float64) (T, float64) {
				return dst, sum + float64(float64(w*column)*float64(T(a*b)))
			}},
	}
}

func TestLinearEqualsPlainLoop(t *testing.T) {
	t.Run("float64", testLinear[float64])
	t.Run("float32", testLinear[float32])
}

func testLinear[T Float](t *testing.T) {
	const w = 0.7310585786300049
	values := map[string]func(n int, seed uint64) []T{"any": sample[T], "ordinary": ordinary[T]}
	for _, im := range implementations[T](t) {
		for _, f := range linears[T]() {
			for kind, values := range values {
				for n := range longest + 1 {
					for offset := range 5 {
						size := offset + n + 3
						dst, a, b := values(size, 1), values(size, 2), values(size, 3)
						sum, columns := ordinary[float64](size, 4), ordinary[float64](size, 5)
						wantDst, wantSum := append([]T(nil), dst...), append([]float64(nil), sum...)
						for i := offset; i < offset+n; i++ {
							wantDst[i], wantSum[i] = f.plain(dst[i], sum[i], w, a[i], b[i], columns[i])
						}
						// Each operand at an alignment of its own.
						shift := func(s []T, by int) []T { return append(make([]T, by), s[offset:offset+n]...)[by:] }
						f.run(im.kernels, dst[offset:offset+n], sum[offset:offset+n], w, shift(a, 1), shift(b, 2), columns[offset:offset+n])
						if i := firstDifference(dst, wantDst); i >= 0 {
							t.Fatalf("%s %s, %s values: element %d of %d at offset %d is %v, want %v", im.name, f.name, kind, i-offset, n, offset, dst[i], wantDst[i])
						}
						if i := firstDifference(sum, wantSum); i >= 0 {
							t.Fatalf("%s %s, %s values: sum %d of %d at offset %d is %v, want %v", im.name, f.name, kind, i-offset, n, offset, sum[i], wantSum[i])
						}
					}
				}
			}
		}
	}
}

func TestMulAddAllToEqualsEach(t *testing.T) {
	t.Run("float64", testMulAddAllTo[float64])
	t.Run("float32", testMulAddAllTo[float32])
}

func testMulAddAllTo[T Float](t *testing.T) {
	run := map[string]func(sums [][]float64, weights []float64, p, a []T){"exported": MulAddAllTo[T]}
	for _, im := range implementations[T](t) {
		run[im.name] = func(sums [][]float64, weights []float64, p, a []T) {
			if len(sums) > 0 {
				im.kernels.mulAddAllTo(sums, weights, p, a)
			}
		}
	}
	for name, run := range run {
		for count := range 5 {
			for n := range longest + 1 {
				p, a, weights := ordinary[T](n, 1), ordinary[T](n, 2), ordinary[float64](count, 3)
				got, want, inside := make([][]float64, count), make([][]float64, count), make([][]float64, count)
				for s := range count {
					got[s] = ordinary[float64](n+1, uint64(4+s))
					if s == 3 { // a sum that counts twice
						got[s] = got[1]
					}
					if inside[s], want[s] = got[s][:n], append([]float64(nil), got[s]...); s == 3 {
						want[s] = want[1]
					}
				}
				for s := range count {
					for i := range n {
						want[s][i] += float64(weights[s] * float64(T(p[i]*a[i])))
					}
				}
				run(inside, weights, p, a)
				for s := range count {
					if i := firstDifference(got[s], want[s]); i >= 0 {
						t.Fatalf("%s: sum %d of %d, element %d of %d is %v, want %v", name, s, count, i, n, got[s][i], want[s][i])
					}
				}
			}
		}
	}
}

func TestMulInPlace(t *testing.T) {
	for _, im := range implementations[float32](t) {
		a, b := ordinary[float32](longest, 1), ordinary[float32](longest, 2)
		want := make([]float32, longest)
		im.kernels.mul(want, a, b)
		im.kernels.mul(a, a, b)
		if i := firstDifference(a, want); i >= 0 {
			t.Errorf("%s: element %d is %v, want %v", im.name, i, a[i], want[i])
		}
	}
}

func TestFinite(t *testing.T) {
	t.Run("float64", testFinite[float64])
	t.Run("float32", testFinite[float32])
}

func testFinite[T Float](t *testing.T) {
	for _, im := range implementations[T](t) {
		for n := range longest + 1 {
			values := ordinary[T](n+2, uint64(n))
			for i, v := range special[T]() { // huge and tiny ones, zeros
				if !math.IsNaN(float64(v-v)) && n > 0 {
					values[1+i%n] = v
				}
			}
			values[0], values[n+1] = T(math.NaN()), T(math.Inf(1)) // outside
			inside := values[1 : n+1]
			if !im.kernels.finite(inside) {
				t.Fatalf("%s: %v is not finite", im.name, inside)
			}
			for i := range inside {
				for _, bad := range []T{T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1))} {
					old := inside[i]
					if inside[i] = bad; im.kernels.finite(inside) {
						t.Fatalf("%s: misses %v at %d of %d", im.name, bad, i, n)
					}
					inside[i] = old
				}
			}
		}
	}
}

func TestDot64InItsOrder(t *testing.T) {
	t.Run("float64", testDot[float64])
	t.Run("float32", testDot[float32])
}

func testDot[T Float](t *testing.T) {
	for _, im := range implementations[T](t) {
		for n := range 3*longest + 1 {
			a, b := ordinary[T](n+3, 1), ordinary[T](n+3, 2)
			x, y := a[1:n+1], b[2:n+2]
			var s [16]float64
			for i := range x {
				s[i%16] += float64(float64(x[i]) * float64(y[i]))
			}
			var eight [8]float64
			for j := range eight {
				eight[j] = s[j] + s[j+8]
			}
			want := ((eight[0] + eight[4]) + (eight[2] + eight[6])) + ((eight[1] + eight[5]) + (eight[3] + eight[7]))
			if got := im.kernels.dot(x, y); got != want {
				t.Errorf("%s: %d elements give %v, want %v", im.name, n, got, want)
			}
		}
	}
}

func TestLengthsAreChecked(t *testing.T) {
	three, two := make([]float32, 3), make([]float32, 2)
	sum := make([]float64, 3)
	calls := map[string]func(){
		"Mul":             func() { Mul(three, three, two) },
		"Add":             func() { Add(three, two) },
		"Scale":           func() { Scale(two, 1, three) },
		"AddScaled":       func() { AddScaled(three, 1, two) },
		"MulTo":           func() { MulTo(sum, 1, three, two) },
		"MulAddTo":        func() { MulAddTo(sum, 1, three, two) },
		"MulAddColumnsTo": func() { MulAddColumnsTo(sum, 1, three, three, sum[:2]) },
		"MulAddAllTo":     func() { MulAddAllTo([][]float64{sum, sum[:2]}, sum[:2], three, three) },
		"Dot64":           func() { Dot64(three, two) },
	}
	for _, f := range unaries[float32]() {
		calls[f.name] = func() { f.call(two, three) }
	}
	for name, call := range calls {
		func() {
			defer func() {
				if got, ok := recover().(string); !ok || !strings.HasPrefix(got, "vector: "+name+" ") {
					t.Errorf("%s: panics with %q", name, got)
				}
			}()
			call()
		}()
	}
}

func TestNothingIsAllocated(t *testing.T) {
	a, sum := make([]float32, 100), make([]float64, 100)
	Tanh(a, a) // chooses
	if n := testing.AllocsPerRun(10, func() {
		Tanh(a, a)
		Mul(a, a, a)
		MulAddTo(sum, 1, a, a)
		MulAddAllTo([][]float64{sum}, []float64{1}, a, a)
		Dot64(sum, sum)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
