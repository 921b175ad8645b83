package graphs

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Scheme names how initial weights are drawn. With fan_in and fan_out of the
// layer and a gain g, weights are independent with mean 0 and
//
//	glorot-normal   standard deviation g·√(2/(fan_in+fan_out))    Glorot & Bengio 2010
//	glorot-uniform  uniform on ±g·√(6/(fan_in+fan_out))
//	he-normal       standard deviation g·√(2/fan_in)              He et al. 2015
//	he-uniform      uniform on ±g·√(6/fan_in)
//	normal          standard deviation g/√fan_in
//	standard-normal standard deviation g, for the parameterisation of the neural tangent kernel (see [Scale])
//	zeros           0
//
// Biases are 0 and the gains of normalisations 1 in every scheme.
type Scheme string

// The initialisation schemes.
const (
	GlorotNormal   Scheme = "glorot-normal"
	GlorotUniform  Scheme = "glorot-uniform"
	HeNormal       Scheme = "he-normal"
	HeUniform      Scheme = "he-uniform"
	Normal         Scheme = "normal"
	StandardNormal Scheme = "standard-normal"
	Zeros          Scheme = "zeros"
)

// Schemes returns all initialisation schemes.
func Schemes() []Scheme {
	return []Scheme{GlorotNormal, GlorotUniform, HeNormal, HeUniform, Normal, StandardNormal, Zeros}
}

// Initialise draws w_0 (P) for a network. The same seed gives the same weights on
// every machine; float32 weights are the float64 ones, rounded.
func Initialise[T Float](n *Network, scheme Scheme, gain float64, seed uint64) ([]T, error) {
	if !slices.Contains(Schemes(), scheme) {
		names := make([]string, 0, len(Schemes()))
		for _, s := range Schemes() {
			names = append(names, string(s))
		}
		return nil, fmt.Errorf("graphs: no initialisation is named %q; there are %s", scheme, strings.Join(names, ", "))
	}
	// The second word of the generator's seed keeps this stream apart from
	// others of the same seed.
	const stream = 0x696e6974 // "init"
	random := rand.New(rand.NewPCG(seed, stream))
	w := make([]T, n.Parameters())
	for _, p := range n.layout {
		view := View(w, p)
		if !p.Drawn {
			for i := range view {
				view[i] = T(p.Start)
			}
			continue
		}
		for i := range view {
			view[i] = T(gain * draw(random, scheme, float64(p.FanIn), float64(p.FanOut)))
		}
	}
	return w, nil
}

func draw(random *rand.Rand, scheme Scheme, in, out float64) float64 {
	switch scheme {
	case GlorotNormal:
		return random.NormFloat64() * math.Sqrt(2/(in+out))
	case GlorotUniform:
		return (2*random.Float64() - 1) * math.Sqrt(6/(in+out))
	case HeNormal:
		return random.NormFloat64() * math.Sqrt(2/in)
	case HeUniform:
		return (2*random.Float64() - 1) * math.Sqrt(6/in)
	case Normal:
		return random.NormFloat64() / math.Sqrt(in)
	case StandardNormal:
		return random.NormFloat64()
	default:
		return 0
	}
}
