package experiments

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// layerList records what is impossible in network.layers whatever the data are.
func (v *validator) layerList(network *Network) {
	const path = "network.layers"
	if network.Kind != "layers" {
		return
	}
	if v.meant[path] {
		v.faulty[path] = true // given under a misspelt key, which is recorded
	}
	v.layers(network.Layers, path, 0)
	if len(network.Layers) == 0 {
		return
	}
	if last := len(network.Layers) - 1; network.Layers[last].Kind != "dense" {
		v.fail(itemPath(path, last)+".kind", ConfigError{Found: word(network.Layers[last].Kind), Fault: "while it is the last layer", Allowed: "dense, whose units are the network's outputs"})
	}
}

// layers records an empty list, and dense layers without units inside of it;
// depth is the number of residual blocks around it.
func (v *validator) layers(layers []Layer, path string, depth int) {
	if len(layers) == 0 {
		v.fail(path, ConfigError{Found: "no layer", Allowed: "a list of at least one layer, such as [{kind: dense, units: 32}, {kind: tanh}]"})
	}
	for i, l := range layers {
		at := itemPath(path, i)
		if last := depth == 0 && i == len(layers)-1; l.Kind == "dense" && l.Units == 0 && !last && !v.meant[at+".units"] {
			e := ConfigError{Found: "0", Allowed: "a whole number, at least 1; only the last layer may leave it out, for the number of outputs of the data"}
			if _, given := v.origins[at+".units"]; !given {
				e.Found, e.Fault = "", "missing"
			}
			v.fail(at+".units", e)
		}
		if l.Kind == "residual" && depth < maxNesting {
			v.layers(l.Layers, at+".layers", depth+1)
			if len(l.Shortcut) > 0 {
				v.layers(l.Shortcut, at+".shortcut", depth+1)
			}
		}
	}
}

// network records a network that cannot be built for data with that number of
// outputs.
func (v *validator) network(network *Network, data *Dataset, outputs int) {
	for path := range v.faulty {
		if path == "network" || strings.HasPrefix(path, "network.") {
			return
		}
	}
	blocks := len(network.Convs)
	last := len(network.Layers) - 1
	switch {
	case network.Kind == "mlp" && blocks > 0:
		v.fail("network.convs", ConfigError{Found: "a list with blocks", Fault: "while network.kind is mlp", Allowed: "convs only with network.kind: cnn"})
		return
	case network.Kind == "cnn" && blocks == 0:
		v.fail("network.convs", ConfigError{Found: "an empty list", Fault: "while network.kind is cnn", Allowed: "at least one block, such as [{filters: 8, kernel: 5}]"})
		return
	case network.Kind == "layers" && network.Layers[last].Units != 0 && network.Layers[last].Units != outputs:
		v.fail(itemPath("network.layers", last)+".units", ConfigError{Found: strconv.Itoa(network.Layers[last].Units), Fault: "while it is the last layer",
			Allowed: fmt.Sprintf("%d, the number of outputs of the data, or leave it out", outputs)})
		return
	}
	if s := network.Init.Scheme; network.Kind != "layers" && network.Parameterization == "ntk" && s != "standard-normal" && s != "zeros" {
		v.fail("network.init.scheme", ConfigError{Found: word(s), Fault: "while network.parameterization is ntk, which divides by √fan_in already", Allowed: "standard-normal, weights of deviation gain; or zeros"})
	}
	_, err := network.Build(data, outputs)
	var layer *LayerError
	switch {
	case errors.As(err, &layer):
		v.fail(layer.Path, ConfigError{Fault: "impossible for " + data.Source + ": " + layer.Err.Error(), Err: err})
	case err != nil:
		path := "network.convs"
		if network.Kind == "layers" {
			path = "network.layers"
		}
		cause := err
		for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
			cause = next // without what the program was doing
		}
		v.fail(path, ConfigError{Fault: "impossible for " + data.Source + ": " + cause.Error(), Err: err})
	}
}
