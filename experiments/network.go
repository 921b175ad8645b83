package experiments

import (
	"fmt"

	"pkm/graphs"
)

// Build returns the network of the configuration for samples of a shape and a
// number of outputs.
func (c Network) Build(sample []int, outputs int) (*graphs.Network, error) {
	var layers []graphs.Layer
	for _, width := range c.Hidden {
		layers = append(layers, graphs.Dense{Out: width, Bias: c.Bias}, graphs.Activation{Kind: graphs.ActivationKind(c.Activation)})
	}
	layers = append(layers, graphs.Dense{Out: outputs, Bias: c.Bias})
	n, err := graphs.New(graphs.Shape(sample), layers...)
	if err != nil {
		return nil, fmt.Errorf("build the network of the configuration: %w", err)
	}
	return n, nil
}
