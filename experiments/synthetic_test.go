package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"testing"
)

func TestSine(t *testing.T) {
	for i := -1000; i <= 1000; i++ {
		at := float64(i) / 333
		if got, want := sine(at), math.Sin(2*math.Pi*at); math.Abs(got-want) > 3e-15 { // the argument of math.Sin is off by up to 2e-15
			t.Errorf("sin 2π·%g = %g, want %g", at, got, want)
		}
	}
	if math.Abs(sine(0.25)-1) > 3e-16 || sine(0) != 0 {
		t.Errorf("sin π/2 = %g, sin 0 = %g", sine(0.25), sine(0))
	}
}

// drawn returns samples of a synthetic source.
func drawn(t *testing.T, seed uint64, train, query int, text string, overrides ...string) (*Samples, *Samples) {
	t.Helper()
	c := parse(t, "name: x\nloss: {kind: squared-error}\n"+text, overrides, nil)
	d, err := c.Data.Load()
	must(t, err)
	a, b, _, err := d.Split(seed, train, query, c.Data.Classes)
	must(t, err)
	return a, b
}

// Without noise every sample lies where the formula says.
func TestSyntheticFormulas(t *testing.T) {
	moons, _ := drawn(t, 1, 200, 1, "data: {source: two-moons, sigma: 0}")
	for i, l := range moons.Labels {
		x, y := moons.Inputs[2*i], moons.Inputs[2*i+1]
		if l == 1 {
			x, y = 1-x, 0.5-y
		}
		if math.Abs(math.Hypot(x, y)-1) > 1e-14 || y < 0 || l != i%2 {
			t.Errorf("moon %d: (%g, %g)", l, x, y)
		}
	}
	spirals, _ := drawn(t, 1, 200, 1, "data: {source: spirals, sigma: 0, arms: 3}")
	for i, l := range spirals.Labels {
		x, y := spirals.Inputs[2*i], spirals.Inputs[2*i+1]
		r := math.Hypot(x, y)
		if turns := math.Atan2(y, x)/2/math.Pi - r - float64(l)/3; math.Abs(turns-math.Round(turns)) > 1e-12 || r >= 1 {
			t.Errorf("spiral %d: (%g, %g)", l, x, y)
		}
	}
	wave, _ := drawn(t, 1, 200, 1, "data: {source: sinusoid, sigma: 0}")
	for i, x := range wave.Inputs {
		if math.Abs(wave.Targets[i]-math.Sin(2*math.Pi*x)) > 1e-14 || math.Abs(x) > 1 {
			t.Errorf("sinusoid: (%g, %g)", x, wave.Targets[i])
		}
	}
	// Two samples give w, and all others must follow it, queries too.
	line, held := drawn(t, 1, 200, 200, "data: {source: linear, sigma: 0}")
	a, b, c, d := line.Inputs[0], line.Inputs[1], line.Inputs[2], line.Inputs[3]
	u, v := (line.Targets[0]*d-b*line.Targets[1])/(a*d-b*c), (a*line.Targets[1]-line.Targets[0]*c)/(a*d-b*c)
	for _, s := range []*Samples{line, held} {
		for i, y := range s.Targets {
			if math.Abs(s.Inputs[2*i]*u+s.Inputs[2*i+1]*v-y) > 1e-11 {
				t.Errorf("linear: sample %d is off by %g", i, s.Inputs[2*i]*u+s.Inputs[2*i+1]*v-y)
			}
		}
	}
}

// The noise has mean 0 and variance σ²: with 20,000 numbers, to four standard errors.
func TestSyntheticNoise(t *testing.T) {
	clean, _ := drawn(t, 3, 20000, 1, "data: {source: sinusoid, sigma: 0}")
	noisy, _ := drawn(t, 3, 20000, 1, "data: {source: sinusoid, sigma: 0.5}")
	var sum, squares float64
	n := float64(len(noisy.Targets))
	for i, x := range noisy.Inputs {
		e := (noisy.Targets[i] - math.Sin(2*math.Pi*x)) / 0.5
		sum, squares = sum+e, squares+e*e
	}
	if math.Abs(sum/n) > 4/math.Sqrt(n) || math.Abs(squares/n-1) > 4*math.Sqrt(2/n) {
		t.Errorf("mean %g, variance %g", sum/n, squares/n)
	}
	if !slices.Equal(clean.Inputs, noisy.Inputs) {
		t.Error("the noise changes the inputs")
	}
}

// More queries do not change the training samples, nor the other way round; another seed does.
func TestSyntheticSamplesAreIndependent(t *testing.T) {
	for _, source := range []string{"two-moons", "spirals", "sinusoid", "linear"} {
		text := "data: {source: " + source + "}"
		a, b := drawn(t, 1, 10, 10, text)
		c, d := drawn(t, 1, 20, 30, text)
		if !slices.Equal(a.Inputs, c.Inputs[:len(a.Inputs)]) || !slices.Equal(b.Inputs, d.Inputs[:len(b.Inputs)]) {
			t.Errorf("%s: samples change with their number", source)
		}
		if e, _ := drawn(t, 2, 10, 10, text); slices.Equal(a.Inputs, e.Inputs) {
			t.Errorf("%s: another seed, the same samples", source)
		}
		if slices.Equal(a.Inputs, b.Inputs) || b.Indices[0] != 10 {
			t.Errorf("%s: queries are training samples", source)
		}
	}
}

// The bits, so that a platform on which they differ is noticed.
func TestSyntheticBits(t *testing.T) {
	for source, want := range map[string]string{
		"two-moons": "35eb8072fe74f412", "spirals": "bf1f5276af8a076f", "sinusoid": "6745b8c9725118f8", "linear": "4c375d107341803e",
	} {
		s, _ := drawn(t, 7, 1000, 1, "data: {source: "+source+"}")
		var b bytes.Buffer
		must(t, binary.Write(&b, binary.LittleEndian, append(s.Inputs, s.Targets...)))
		sum := sha256.Sum256(b.Bytes())
		if got := hex.EncodeToString(sum[:8]); got != want {
			t.Errorf("%s: %q", source, got)
		}
	}
}

// Runs of a synthetic regression and a classification of three arms, of which two are chosen.
func TestSyntheticRuns(t *testing.T) {
	r := mustExecute(t, small, "data.source=sinusoid", "loss.kind=squared-error", "training.optimizer.learning_rate=0.05")
	if f, _ := r.Summary.Machines.Get("exact"); f.RelativeError > 1e-9 {
		t.Errorf("%+v", f)
	}
	mustVerify(t, r.Path)
	r = mustExecute(t, small, "data.source=spirals", "data.arms=3", "data.classes=[2,0]", "loss.kind=logistic")
	if r.Summary.Outputs != 1 {
		t.Errorf("%d outputs", r.Summary.Outputs)
	}
	m, err := ReadManifest(r.Path)
	must(t, err)
	if !slices.Equal(m.Data.Classes, []string{"2", "0"}) {
		t.Errorf("%+v", m.Data)
	}
	mustVerify(t, r.Path)
}
