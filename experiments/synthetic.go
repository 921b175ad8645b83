package experiments

import (
	"math"
	"math/rand/v2"
)

// law is the distribution of a synthetic data set. With turns t, noise ε of standard
// deviation σ in each coordinate or number, and u uniform in [0, 1):
//
//	two-moons  class 0: (cos πu, sin πu) + ε;  class 1: (1 − cos πu, ½ − sin πu) + ε
//	spirals    class k of K: u(cos 2π(u + k/K), sin 2π(u + k/K)) + ε
//	sinusoid   x = 2u − 1,  y = sin 2πx + ε
//	linear     x ~ N(0, I_d),  y = w·x + ε,  w ~ N(0, I_d/d), drawn with the seed
//
// (two-moons is scikit-learn's make_moons with u drawn at random.) Classes take turns, so
// they are balanced. The same seed gives the same bits on every platform: there are no
// library functions in it, and no products that a processor may fuse with a sum; normal
// numbers are sums of twelve uniform ones less six.
type law struct {
	name     string
	sigma    float64
	classes  int
	features int
}

// dataset returns the dataset of the law.
func (l *law) dataset() *Dataset {
	d := &Dataset{Source: l.name, law: l, Shape: []int{l.features}, Classes: l.classes}
	if l.classes == 0 {
		d.Outputs = 1
	}
	return d
}

// draw draws n samples, of the chosen classes or of all, with the stream of the seed; w is
// that of the seed.
func (l *law) draw(seed, stream uint64, n int, classes []int) *Samples {
	random, common := rand.New(rand.NewPCG(seed, stream)), rand.New(rand.NewPCG(seed, 0x6c6177))
	weights := make([]float64, l.features)
	for j := range weights {
		weights[j] = normal(common) / math.Sqrt(float64(l.features)) // a root is rounded alike everywhere
	}
	s := &Samples{Inputs: make([]float64, 0, n*l.features)}
	for i := range n {
		s.Indices = append(s.Indices, int64(i))
		u, label := random.Float64(), 0
		if l.classes > 0 {
			count := l.classes
			if len(classes) > 0 {
				count = len(classes)
			}
			label = i % count
			s.Labels = append(s.Labels, label)
			if len(classes) > 0 {
				label = classes[label]
			}
		}
		switch l.name {
		case "two-moons":
			x, y := sine(u/2+0.25), sine(u/2)
			if label == 1 {
				x, y = 1-x, 0.5-y
			}
			s.Inputs = append(s.Inputs, x+l.noise(random), y+l.noise(random))
		case "spirals":
			t := u + float64(label)/float64(l.classes)
			x, y := float64(u*sine(t+0.25)), float64(u*sine(t))
			s.Inputs = append(s.Inputs, x+l.noise(random), y+l.noise(random))
		case "sinusoid":
			x := 2*u - 1
			s.Inputs = append(s.Inputs, x)
			s.Targets = append(s.Targets, sine(x)+l.noise(random))
		case "linear":
			var y float64
			for _, w := range weights {
				x := normal(random)
				s.Inputs = append(s.Inputs, x)
				y += float64(w * x)
			}
			s.Targets = append(s.Targets, y+l.noise(random))
		}
	}
	return s
}

// noise returns σ times a normal number. The conversion keeps it from being fused with a sum.
func (l *law) noise(random *rand.Rand) float64 { return float64(l.sigma * normal(random)) }

// normal returns the sum of twelve uniform numbers less six, of mean 0 and variance 1.
func normal(random *rand.Rand) float64 {
	sum := -6.0
	for range 12 {
		sum += random.Float64()
	}
	return sum
}

// sine returns sin 2πt to 1e-15, with the same bits everywhere, by its Taylor series.
func sine(t float64) float64 {
	t -= math.Round(t) // in [−½, ½], exactly
	if t > 0.25 {
		t = 0.5 - t
	} else if t < -0.25 {
		t = -0.5 - t
	}
	x := float64(2 * math.Pi * t)
	square, sum := float64(x*x), 0.0
	for k := 25.0; k > 1; k -= 2 { // sum = 1 − x²/(2·3)·(1 − x²/(4·5)·(…
		sum = float64(square / (k * (k - 1)) * (1 - sum))
	}
	return float64(x * (1 - sum))
}
