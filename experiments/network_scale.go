package experiments

import (
	"math"

	"pkm/graphs"
)

// activation returns the layers of the short forms' activation: with another β than 1, softplus(βz)/β.
func (c Network) activation() []graphs.Layer {
	layer := graphs.Activation{Kind: graphs.ActivationKind(c.Activation)}
	if layer.Kind != graphs.Softplus || c.SoftplusBeta == 1 {
		return []graphs.Layer{layer}
	}
	return []graphs.Layer{graphs.Scale{Factor: c.SoftplusBeta}, layer, graphs.Scale{Factor: 1 / c.SoftplusBeta}}
}

// withScales returns the layers in the parameterisation of the neural tangent kernel, z = W·(a/√fan_in) + b: with a scaling
// before each of those with weights, whose fan-in the layout of the network without scalings knows.
func withScales(layers []graphs.Layer, layout graphs.Layout) []graphs.Layer {
	var fans []int
	for _, p := range layout {
		if p.Drawn {
			fans = append(fans, p.FanIn)
		}
	}
	var all []graphs.Layer
	for _, layer := range layers {
		switch layer.(type) {
		case graphs.Dense, graphs.Conv2D:
			all = append(all, graphs.Scale{Factor: 1 / math.Sqrt(float64(fans[0]))})
			fans = fans[1:]
		}
		all = append(all, layer)
	}
	return all
}
