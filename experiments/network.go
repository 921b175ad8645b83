package experiments

import (
	"fmt"

	"pkm/graphs"
)

// Build returns the network of the configuration for a dataset and a number of
// outputs: the list network.layers, or what the short forms stand for. A cnn sees images: for each of its blocks a convolution, an activation
// and, if it has one, a pooling; then a flattening and the dense layers of an mlp.
func (c Network) Build(data *Dataset, outputs int) (*graphs.Network, error) {
	if c.Kind == "layers" {
		return c.buildLayers(data.Shape, outputs)
	}
	activation := c.activation()
	var layers []graphs.Layer
	for _, b := range c.Convs {
		layers = append(layers, graphs.Conv2D{Filters: b.Filters, Kernel: b.Kernel, Stride: b.Stride, Padding: b.Padding, Bias: c.Bias})
		layers = append(layers, activation...)
		switch b.Pool {
		case "max":
			layers = append(layers, graphs.MaxPool2D{Size: b.PoolSize})
		case "average":
			layers = append(layers, graphs.AvgPool2D{Size: b.PoolSize})
		}
	}
	sample := graphs.Shape{graphs.Shape(data.Shape).Size()}
	if c.Kind == "cnn" {
		sample = data.Shape
		layers = append(layers, graphs.Flatten{})
	}
	for _, width := range c.Hidden {
		layers = append(layers, graphs.Dense{Out: width, Bias: c.Bias})
		layers = append(layers, activation...)
	}
	layers = append(layers, graphs.Dense{Out: outputs, Bias: c.Bias})
	n, err := graphs.New(sample, layers...)
	if err == nil && c.Parameterization == "ntk" {
		n, err = graphs.New(sample, withScales(layers, n.Layout())...)
	}
	if err != nil {
		return nil, fmt.Errorf("build the network of the configuration: %w", err)
	}
	return n, nil
}
