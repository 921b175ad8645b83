package sweeps

import (
	"math"

	gosobol "github.com/c-bata/goptuna/sobol"
)

// maxSobol bounds the parameters of a Sobol sequence.
const maxSobol = 1000

// sobol draws the points of a Sobol sequence (the direction numbers of Joe and Kuo, 2008),
// shifted digitally: the bits of each coordinate are flipped as the seed says, which
// keeps every elementary interval as evenly filled as it was. The first point of the
// unshifted sequence, zero, is left out.
type sobol struct {
	engine *gosobol.Engine
	shift  []uint32
	drawn  [][]float64
}

func newSobol(seed int64, d int) *sobol {
	s := &sobol{engine: gosobol.NewEngine(uint32(d))}
	r := stream(seed, -1)
	for range d {
		s.shift = append(s.shift, r.Uint32())
	}
	return s
}

func (*sobol) sees(int) int { return 0 }

func (s *sobol) draw(t int, _ []Finished) ([]float64, error) {
	for len(s.drawn) <= t {
		s.drawn = append(s.drawn, s.engine.Draw())
	}
	u := make([]float64, len(s.shift))
	for i, x := range s.drawn[t] {
		bits := uint32(math.Ldexp(x, 32)) ^ s.shift[i]
		u[i] = (float64(bits) + 0.5) / (1 << 32)
	}
	return u, nil
}
