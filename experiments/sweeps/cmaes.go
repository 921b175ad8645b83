package sweeps

import (
	"fmt"
	"math"

	"github.com/c-bata/goptuna/cmaes"
	"gonum.org/v1/gonum/mat"
)

// population is the usual size of a generation for d parameters (Hansen, arXiv 1604.00772).
func population(d int) int { return 4 + int(3*math.Log(float64(d))) }

// cmaES draws points by the covariance matrix adaptation evolution strategy on the coordinates
// of the numeric parameters, from the middle with deviation 1/6. Other parameters, which
// have no order, are drawn uniformly. A parameter whose condition does not hold has a
// coordinate all the same, without effect.
//
// Every draw replays the generations before that of the trial, so that the points depend on
// the results alone, also after a resume: O(t d²) and d³ a generation.
type cmaES struct {
	space      Space
	seed       int64
	population int
}

func (c *cmaES) sees(t int) int { return t / c.population * c.population }

func (c *cmaES) draw(t int, trials []Finished) ([]float64, error) {
	u := uniform(stream(c.seed, t), len(c.space))
	numeric := c.space.numeric()
	x, err := c.ask(t, trials[:c.sees(t)], numeric)
	if err != nil {
		return nil, fmt.Errorf("draw trial %d by cmaes: %w", t, err)
	}
	for j, i := range numeric {
		u[i] = max(0, min(1-1e-12, x[j]))
	}
	return u, nil
}

// ask returns the coordinates of the numeric parameters. Where the strategy has converged it
// begins anew from a point drawn at random.
func (c *cmaES) ask(t int, trials []Finished, numeric []int) (x []float64, err error) {
	mean := make([]float64, len(numeric))
	for j := range mean {
		mean[j] = 0.5
	}
	var o *cmaes.Optimizer
	for first := 0; ; first += c.population {
		if o == nil {
			if o, err = c.optimizer(mean, first); err != nil {
				return nil, err
			}
		}
		for range min(c.population, t-first+1) {
			if x, err = o.Ask(); err != nil {
				return nil, err
			}
		}
		if first+c.population > t {
			return x, nil
		}
		if err := o.Tell(c.solutions(trials[first:first+c.population], numeric)); err != nil {
			return nil, err
		}
		if o.ShouldStop() {
			o, mean = nil, uniform(stream(c.seed, -2-first), len(numeric))
		}
	}
}

// optimizer returns one that begins with trial first.
func (c *cmaES) optimizer(mean []float64, first int) (*cmaes.Optimizer, error) {
	bounds := mat.NewDense(len(mean), 2, nil)
	for j := range mean {
		bounds.Set(j, 1, 1)
	}
	return cmaes.NewOptimizer(append([]float64(nil), mean...), 1.0/6, cmaes.OptimizerOptionBounds(bounds), cmaes.OptimizerOptionPopulationSize(c.population),
		cmaes.OptimizerOptionSeed(int64(stream(c.seed, -1-first).Uint64()>>1)))
}

// solutions returns a generation with its ranks for values: the strategy uses nothing else
// of them, and a trial without a metric has a rank too.
func (c *cmaES) solutions(generation []Finished, numeric []int) []*cmaes.Solution {
	var out []*cmaes.Solution
	for i, f := range generation {
		rank := 0
		for j, other := range generation {
			if before(other, f) || !before(f, other) && j < i {
				rank++
			}
		}
		x := make([]float64, len(numeric))
		for j, i := range numeric {
			x[j] = f.Point[i]
		}
		out = append(out, &cmaes.Solution{Params: x, Value: float64(rank)})
	}
	return out
}
