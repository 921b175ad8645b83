package vector

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// accuracy is the largest error allowed, in units in the last place of the
// reference's magnitude. Beside a bound stands the sum it comes from: ½ for each
// rounded operation, as far as it reaches the result, and what e^r − 1 errs by.
type accuracy struct {
	name     string
	lo, hi   float64 // the grid; beyond, results do not change or are 0 or ∞
	double   float64
	single   float64
	portable float64 // in float64; float32 is float64 rounded, ½ + 1e-6
}

func accuracies() []accuracy {
	return []accuracy{
		{"Exp", -760, 720, 1, 1, 1},           // 1+q: ½; q: 1 times |q| ≤ 0.42
		{"Tanh", -25, 25, 3, 3, 3},            // E: 1½, less the larger it is; E+2, quotient: ½ each
		{"Sigmoid", -760, 50, 3, 3, 3},        // e: 1; 1+e, 1/(1+e), product: ½ each
		{"Softplus", -760, 50, 4, 4, 4},       // e: 1; u: 1; R, u³R, sum: 1; sum with z: ½
		{"SiLU", -770, 50, 4, 4, 4},           // e: 1; product, 1+e, quotient: ½ each; sum: ½
		{"SiLUSlope", -770, 50, 5, 5, 6},      // e: 1; r: 1; times e: ½, or 1½ in Go; 1−y·r: 1; product: ½; 1−s: ½
		{"GELU", -41, 12, 5, 5, 7},            // P: 1; w, m, y·m: ½ each; e: 1; times e: ½; sum: ½. In Go 1½ for w, and t
		{"GELUSlope", -41, 12, 5, 5, 7},       // as GELU
		{"TanhSlope", -1, 1, 2, 2, 2},         // 1−h, product: ½ each, 1+h: 1 where the result is below 1
		{"SigmoidSlope", 0, 1, 1.5, 1.5, 1.5}, // 1−h: 1 where it is near ½, product: ½
	}
}

// arguments returns a grid on [lo, hi], powers of two down to the subnormal
// numbers, and random values of all sizes within.
func arguments[T Float](lo, hi float64, n int) []T {
	var z []T
	for i := range n + 1 {
		z = append(z, T(lo+(hi-lo)*float64(i)/float64(n)))
	}
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for range 2 * n {
		z = append(z, T(1.5*r.NormFloat64()), T(8*r.NormFloat64()))
	}
	for e := -1074; e < 11; e++ {
		for _, m := range []float64{1, 1 + 0.9*r.Float64()} {
			z = append(z, T(math.Ldexp(m, e)), T(-math.Ldexp(m, e)))
		}
	}
	inside := z[:0]
	for _, v := range z {
		if float64(v) >= lo && float64(v) <= hi {
			inside = append(inside, v)
		}
	}
	return inside
}

// unitAt returns the unit in the last place of a magnitude.
func unitAt[T Float](magnitude *big.Float) float64 {
	bits, least := 53, -1074
	if _, ok := any(T(0)).(float32); ok {
		bits, least = 24, -149
	}
	if magnitude.Sign() == 0 {
		return math.Ldexp(1, least)
	}
	return math.Ldexp(1, max(magnitude.MantExp(nil)-bits, least))
}

func TestAccuracy(t *testing.T) {
	t.Run("float64", testAccuracy[float64])
	t.Run("float32", testAccuracy[float32])
}

func testAccuracy[T Float](t *testing.T) {
	n := 1500
	if testing.Short() {
		n = 200
	}
	functions := make(map[string]unary[T])
	for _, f := range unaries[T]() {
		functions[f.name] = f
	}
	list, largest := implementations[T](t), 0.0
	switch any(T(0)).(type) {
	case float32:
		largest = math.MaxFloat32
	case float64:
		largest = math.MaxFloat64
	}
	for _, a := range accuracies() {
		t.Run(a.name, func(t *testing.T) {
			ref, z := references()[a.name], arguments[T](a.lo, a.hi, n)
			worst, where, got := make([]float64, len(list)), make([]T, len(list)), make([][]T, len(list))
			for k, im := range list {
				got[k] = make([]T, len(z))
				functions[a.name].of(im.kernels)(got[k], z)
			}
			for i, z := range z {
				value, magnitude := ref(float64(z))
				unit := unitAt[T](magnitude)
				for k := range list {
					v := float64(got[k][i])
					if rounded, _ := value.Float64(); math.Abs(rounded) > largest*(1-0x1p-26) && math.IsInf(v, 0) == (math.Abs(rounded) > largest) {
						continue // ∞ where the format ends
					}
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%s: %v gives %v, want %v", list[k].name, z, v, value)
					}
					d := number(value.Prec(), v)
					e, _ := d.Sub(d, value).Float64()
					if e = math.Abs(e / unit); e > worst[k] {
						worst[k], where[k] = e, z
					}
				}
			}
			for k, im := range list {
				bound := a.double
				switch _, single := any(T(0)).(float32); {
				case single && im.name == "portable" && !functions[a.name].same:
					if bound = 0.5 + 1e-6; strings.HasSuffix(a.name, "Slope") {
						bound *= 2 // the result may be larger than its terms
					}
				case single:
					bound = a.single
				case im.name == "portable":
					bound = a.portable
				}
				t.Logf("%s: at most %.3f ulp, at %v", im.name, worst[k], where[k])
				if !(worst[k] <= bound) {
					t.Errorf("%s: %.3f ulp at %v, at most %v allowed", im.name, worst[k], where[k], bound)
				}
			}
		})
	}
}

// The portable functions of float32 are rounded from float64, which the test above
// shows for a sample. Here all sizes of argument have their turn.
func TestSingleNearPortable(t *testing.T) {
	list := implementations[float32](t)
	if len(list) < 2 {
		t.Skip("there is no assembly to compare")
	}
	stride := uint64(4099) // odd: all endings
	if testing.Short() {
		stride = 1<<20 + 7
	}
	var z []float32
	for u := uint64(0); u < 1<<32; u += stride {
		z = append(z, math.Float32frombits(uint32(u)))
	}
	want, got := make([]float32, len(z)), make([]float32, len(z))
	bounds := make(map[string]accuracy)
	for _, a := range accuracies() {
		bounds[a.name] = a
	}
	for _, f := range unaries[float32]() {
		f.of(list[0].kernels)(want, z)
		f.of(list[1].kernels)(got, z)
		for i, z := range z {
			g, w := float64(got[i]), float64(want[i])
			if g == w || g != g && w != w {
				continue
			}
			magnitude := w
			if strings.HasSuffix(f.name, "Slope") { // the terms that cancel
				magnitude = max(math.Abs(w), min(1, math.Abs(float64(z)))*math.Exp(-math.Abs(float64(z))))
			}
			if e := math.Abs(g-w) / unitAt[float32](big.NewFloat(magnitude)); !(e <= bounds[f.name].single+1) {
				t.Errorf("%s(%v) = %v, portable %v: %v ulp", f.name, z, g, w, e)
				break
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Run("float64", testLimits[float64])
	t.Run("float32", testLimits[float32])
}

func testLimits[T Float](t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	huge, tiny := special[T]()[0], fromBits[T](1)
	for _, v := range special[T]() {
		if v > huge && v-v == 0 || huge != huge {
			huge = v
		}
	}
	for _, im := range implementations[T](t) {
		functions := make(map[string]func(dst, z []T))
		for _, f := range unaries[T]() {
			functions[f.name] = f.of(im.kernels)
		}
		for _, row := range []struct {
			name            string
			minus, plus     float64 // at ∓∞ and ∓ the largest number
			atZero, atMinus float64 // at 0 and −0
			atTiny          float64 // at the smallest subnormal number
		}{
			{"Exp", 0, inf, 1, 1, 1},
			{"Tanh", -1, 1, 0, math.Copysign(0, -1), float64(tiny)},
			{"Sigmoid", 0, 1, 0.5, 0.5, 0.5},
			{"Softplus", 0, inf, float64(T(math.Ln2)), float64(T(math.Ln2)), float64(T(math.Ln2))},
			{"SiLU", 0, inf, 0, 0, 0},
			{"SiLUSlope", 0, 1, 0.5, 0.5, 0.5},
			{"GELU", 0, inf, 0, 0, 0},
			{"GELUSlope", 0, 1, 0.5, 0.5, 0.5},
			{"ReLU", 0, inf, 0, 0, float64(tiny)},
			{"ReLUSlope", 0, 1, 0, 0, 1},
		} {
			for _, c := range []struct{ z, want float64 }{
				{-inf, row.minus}, {inf, row.plus}, {nan, nan}, {0, row.atZero}, {math.Copysign(0, -1), row.atMinus},
				{float64(-huge), row.minus}, {float64(huge), min(row.plus, float64(huge))}, {float64(tiny), row.atTiny},
			} {
				if row.name == "Exp" && c.z == float64(huge) {
					c.want = inf
				}
				z, got := []T{T(c.z)}, make([]T, 1)
				functions[row.name](got, z)
				same := float64(got[0]) == c.want || c.want != c.want && got[0] != got[0]
				if c.z == float64(tiny) && c.want == 0 { // half of it, rounded either way
					same = got[0] == 0 || got[0] == tiny
				}
				if row.name == "Tanh" {
					same = bits(got[0]) == bits(T(c.want))
				}
				if !same {
					t.Errorf("%s: %s(%v) = %v, want %v", im.name, row.name, c.z, got[0], c.want)
				}
			}
		}
	}
}
