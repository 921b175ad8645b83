package sweeps

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// study is trials of a known function.
type study struct {
	distributions []Prior
	texts         [][]string // by parameter
	y             []float64
}

// sample draws n trials; u are independent and uniform, at makes the values and the metric of them.
func sample(n int, distributions []Prior, at func(u []float64, r *rand.Rand) ([]string, float64)) study {
	s := study{distributions, make([][]string, len(distributions)), nil}
	random := rand.New(rand.NewPCG(7, 8))
	for range n {
		u := make([]float64, len(distributions))
		for j := range u {
			u[j] = random.Float64()
		}
		values, y := at(u, random)
		for j, v := range values {
			s.texts[j] = append(s.texts[j], v)
		}
		s.y = append(s.y, y)
	}
	return s
}

func (s study) importance(t *testing.T) Importance {
	t.Helper()
	var factors []factor
	for j, texts := range s.texts {
		factors = append(factors, newFactor(newColumn(fmt.Sprint("p", j), s.distributions[j], texts)))
	}
	i, ok := importance(factors, s.y)
	if !ok {
		t.Fatal("no importance")
	}
	return i
}

func text(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// The indices are known: by hand of sums, from T. Ishigami, T. Homma (1990) of theirs. What is
// left is that the trees are steps, and fitted to few trials; the tolerance is that.
func TestImportanceOfKnownFunctions(t *testing.T) {
	unit := Prior{Name: "uniform", Min: 0, Max: 1}
	circle := Prior{Name: "uniform", Min: -math.Pi, Max: math.Pi}
	letters := Prior{Name: "categorical", Values: []string{"a", "b", "c", "d"}}
	value := map[string]float64{"a": 0, "b": 3, "c": 1, "d": 0} // variance 1.5
	letter := func(u float64) string { return letters.Values[int(4*u)] }
	for _, c := range []struct {
		name         string
		study        study
		shares       []float64
		interactions float64
		tolerance    float64
	}{
		{"a sum: slopes 4, 2, 1, 0", sample(1000, []Prior{unit, unit, unit, unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			return []string{text(u[0]), text(u[1]), text(u[2]), text(u[3])}, 4*u[0] + 2*u[1] + u[2]
		}), []float64{16. / 21, 4. / 21, 1. / 21, 0}, 0, 0.03},
		{"Ishigami", sample(3000, []Prior{circle, circle, circle}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			x := []float64{math.Pi * (2*u[0] - 1), math.Pi * (2*u[1] - 1), math.Pi * (2*u[2] - 1)}
			return []string{text(x[0]), text(x[1]), text(x[2])}, math.Sin(x[0]) + 7*math.Pow(math.Sin(x[1]), 2) + 0.1*math.Pow(x[2], 4)*math.Sin(x[0])
		}), []float64{0.3139, 0.4424, 0}, 0.2437, 0.04},
		{"a product of centred numbers: nothing but interaction", sample(2000, []Prior{unit, unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			return []string{text(u[0]), text(u[1])}, (u[0] - 0.5) * (u[1] - 0.5)
		}), []float64{0, 0}, 1, 0.03},
		{"a category and a number", sample(1000, []Prior{letters, unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			return []string{letter(u[0]), text(u[1])}, value[letter(u[0])] + math.Sqrt(12)*u[1]
		}), []float64{1.5 / 2.5, 1 / 2.5}, 0, 0.03},
		{"logarithmic: the metric is linear in the logarithm", sample(1000, []Prior{{Name: "log_uniform", Min: 1e-4, Max: 1}, unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			return []string{text(math.Pow(10, 4*u[0]-4)), text(u[1])}, u[0] + u[1]
		}), []float64{0.5, 0.5}, 0, 0.03},
		// Of p1 = √12·u, which is there in one half of the trials only, the variance over both is E over b of
		// Var(E[y | p1]) = Var(p1/2) = 1/4; of p0, 5 in that half and 0 else: (5 + √12/2)²/4.
		{"a condition", sample(3000, []Prior{{Name: "categorical", Values: []string{"off", "on"}}, {Name: "uniform", Max: math.Sqrt(12)}, unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			x := math.Sqrt(12) * u[1]
			if u[0] < 0.5 {
				return []string{"off", "", text(u[2])}, 0
			}
			return []string{"on", text(x), text(u[2])}, 5 + x
		}), func() []float64 {
			a := math.Pow(5+math.Sqrt(12)/2, 2) / 4
			return []float64{a / (a + 0.5), 0.25 / (a + 0.5), 0}
		}(), 0.25 / (math.Pow(5+math.Sqrt(12)/2, 2)/4 + 0.5), 0.02},
		// Trials that crowd where u is small: indices are those of the space all the same.
		{"a sampler with a preference", sample(3000, []Prior{unit, unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			x, z := u[0]*u[0], u[1]
			return []string{text(x), text(z)}, 2*x + z
		}), []float64{0.8, 0.2}, 0, 0.03},
		{"whole numbers and a grid", sample(500, []Prior{{Name: "int_uniform", Min: 1, Max: 4}, {Name: "categorical", Values: []string{"10", "20", "80"}}}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			k, v := math.Floor(4*u[0]), math.Floor(3*u[1])
			return []string{text(k + 1), []string{"10", "20", "80"}[int(v)]}, k + 2*v // variances 5/4, 4·2/3
		}), []float64{1.25 / (1.25 + 8./3), 8. / 3 / (1.25 + 8./3)}, 0, 0.02},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.study.importance(t)
			t.Logf("%.4f, interactions %.4f, R² %.3f", got.Shares, got.Interactions, got.Explained)
			for j, want := range c.shares {
				if math.Abs(got.Shares[j]-want) > c.tolerance {
					t.Errorf("parameter %d: %.4f, want %.4f", j, got.Shares[j], want)
				}
			}
			if math.Abs(got.Interactions-c.interactions) > c.tolerance {
				t.Errorf("interactions: %.4f, want %.4f", got.Interactions, c.interactions)
			}
			if got.Explained < 0.9 {
				t.Errorf("R² %.3f of a function without noise", got.Explained)
			}
		})
	}
}

// Noise is not explained, and hardly disturbs what is.
func TestImportanceWithNoise(t *testing.T) {
	unit := Prior{Name: "uniform", Min: 0, Max: 1}
	s := sample(2000, []Prior{unit, unit, unit}, func(u []float64, r *rand.Rand) ([]string, float64) {
		return []string{text(u[0]), text(u[1]), text(u[2])}, math.Sqrt(12)*(2*u[0]+u[1]) + 2*r.NormFloat64() // variances 4, 1, noise 4
	})
	got := s.importance(t)
	t.Logf("%.4f, interactions %.4f, R² %.3f", got.Shares, got.Interactions, got.Explained)
	if math.Abs(got.Explained-5./9) > 0.12 || got.Shares[0] < 3*got.Shares[1] || got.Shares[1] < 5*got.Shares[2] {
		t.Errorf("shares %.4f, R² %.3f", got.Shares, got.Explained)
	}
	slices.Reverse(s.texts)
	if again := s.importance(t); math.Abs(again.Shares[2]-got.Shares[0]) > 0.02 {
		t.Errorf("in another order of the parameters: %.4f", again.Shares)
	}
	if again := s.importance(t); fmt.Sprint(again) != fmt.Sprint(s.importance(t)) {
		t.Error("the same trials give other figures")
	}
}

func TestImportanceOfNothing(t *testing.T) {
	unit := Prior{Name: "uniform", Min: 0, Max: 1}
	for n, y := range map[int]float64{100: 0, 5: 1} { // constant; too few
		s := sample(n, []Prior{unit}, func(u []float64, _ *rand.Rand) ([]string, float64) {
			return []string{text(u[0])}, 3 + y*u[0]
		})
		if i, ok := importance([]factor{newFactor(newColumn("p", unit, s.texts[0]))}, s.y); ok {
			t.Errorf("%d trials: %v", n, i)
		}
	}
}
