package sweeps

import "math/rand/v2"

// sampler draws the points of trials.
type sampler interface {
	// sees returns how many of the first trials have to be finished before trial t is
	// drawn: their results are all that its point may depend on.
	sees(t int) int
	// draw returns the point of trial t, given the finished trials, of which it looks at
	// the first sees(t). The slice is the caller's.
	draw(t int, trials []Finished) ([]float64, error)
}

// Finished is what a sampler knows of a trial.
type Finished struct {
	Point  []float64 // the coordinates that were drawn
	Values []string  // by parameter, "" where it had no effect
	Loss   float64   // the metric, so that less is better
	// Rank is 0 where Loss is the metric, 1 of a trial that was ended early, where it is the
	// training loss after Steps, and 2 of one that failed or diverged, which has none.
	Rank  int
	Steps int
}

// newSampler returns the sampler of the sweep's method.
func (s *Sweep) newSampler() (sampler, error) {
	switch s.Method {
	case "grid":
		points, _ := s.Space.points(maxGrid)
		return grid{points}, nil
	case "sobol":
		return newSobol(s.Seed, len(s.Space)), nil
	case "tpe":
		return &tpe{space: s.Space, seed: s.Seed, startup: s.StartupTrials, concurrency: s.Concurrency}, nil
	case "cmaes":
		return &cmaES{space: s.Space, seed: s.Seed, population: s.Population}, nil
	}
	return random{s.Seed, len(s.Space)}, nil
}

// stream returns the random numbers of trial t: those of a trial do not depend on how many
// others were drawn.
func stream(seed int64, t int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), uint64(t)))
}

// random draws points uniformly.
type random struct {
	seed int64
	d    int
}

func (random) sees(int) int { return 0 }

func (r random) draw(t int, _ []Finished) ([]float64, error) {
	return uniform(stream(r.seed, t), r.d), nil
}

func uniform(r *rand.Rand, d int) []float64 {
	u := make([]float64, d)
	for i := range u {
		u[i] = r.Float64()
	}
	return u
}

// grid takes the points in order.
type grid struct{ points [][]float64 }

func (grid) sees(int) int { return 0 }

func (g grid) draw(t int, _ []Finished) ([]float64, error) {
	return append([]float64(nil), g.points[t]...), nil
}

// before reports whether a trial went better than another: those with a metric by it; of those
// ended early those that came further, then by their loss there; those without anything last.
func before(a, b Finished) bool {
	switch {
	case a.Rank != b.Rank:
		return a.Rank < b.Rank
	case a.Rank == 1 && a.Steps != b.Steps:
		return a.Steps > b.Steps
	}
	return a.Rank < 2 && a.Loss < b.Loss
}
