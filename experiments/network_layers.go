package experiments

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"pkm/graphs"
)

// LayerError reports the layer of network.layers that the network cannot have
// there.
type LayerError struct {
	Path string // full key, such as network.layers[3].layers[0]
	Err  error
}

// Error implements error.
func (e *LayerError) Error() string {
	return fmt.Sprintf("build the network of the configuration: %s: %v", e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *LayerError) Unwrap() error { return e.Err }

// buildLayers returns the network of the list network.layers.
func (c Network) buildLayers(sample graphs.Shape, outputs int) (*graphs.Network, error) {
	list := slices.Clone(c.Layers)
	if last := len(list) - 1; last >= 0 && list[last].Kind == "dense" && list[last].Units == 0 {
		list[last].Units = outputs
	}
	n, err := graphs.New(sample, graphLayers(list)...)
	if err != nil {
		if at := firstImpossible(sample, nil, list, "network.layers"); at != nil {
			return nil, at
		}
		return nil, fmt.Errorf("build the network of the configuration: %w", err)
	}
	if n.Outputs() != outputs {
		return nil, fmt.Errorf("build the network of the configuration: its last layer gives %d outputs, the data have %d", n.Outputs(), outputs)
	}
	return n, nil
}

// graphLayers returns the layers of a list.
func graphLayers(list []Layer) []graphs.Layer {
	layers := make([]graphs.Layer, len(list))
	for i, l := range list {
		layers[i] = l.graph()
	}
	return layers
}

// graph returns the layer; nil for an unknown kind, which graphs.New refuses.
func (l Layer) graph() graphs.Layer {
	switch l.Kind {
	case "dense":
		return graphs.Dense{Out: l.Units, Bias: l.Bias}
	case "conv2d":
		return graphs.Conv2D{Filters: l.Filters, Kernel: l.Kernel, Stride: l.Stride, Padding: l.Padding, Bias: l.Bias}
	case "max-pool":
		return graphs.MaxPool2D{Size: l.Size}
	case "average-pool":
		return graphs.AvgPool2D{Size: l.Size}
	case "flatten":
		return graphs.Flatten{}
	}
	if kind := graphs.ActivationKind(l.Kind); slices.Contains(graphs.ActivationKinds(), kind) {
		return graphs.Activation{Kind: kind}
	}
	return nil
}

// firstImpossible returns the first layer of the list at path that cannot
// follow the layers before it; nil when all can. The two branches of a residual
// block see what the block sees, so their layers are tried in place of the
// block. O(n log n) for n layers.
func firstImpossible(sample graphs.Shape, before []graphs.Layer, list []Layer, path string) *LayerError {
	layers := append(slices.Clip(before), graphLayers(list)...)
	// fault returns what keeps a network from beginning with the layers up to i.
	// With this end it is a vector and has weights, as every network has.
	fault := func(i int) error {
		end := []graphs.Layer{graphs.Flatten{}, graphs.Dense{Out: 1}}
		_, err := graphs.New(sample, append(slices.Clip(layers[:len(before)+i+1]), end...)...)
		return err
	}
	i := sort.Search(len(list), func(i int) bool { return fault(i) != nil })
	if i == len(list) {
		return nil
	}
	l, at := list[i], itemPath(path, i)
	if l.graph() == nil {
		return &LayerError{Path: at, Err: fmt.Errorf("no layer is built of kind %q", l.Kind)}
	}
	seen := layers[:len(before)+i]
	if inside := firstImpossible(sample, seen, l.Layers, at+".layers"); inside != nil {
		return inside
	}
	if inside := firstImpossible(sample, seen, l.Shortcut, at+".shortcut"); inside != nil {
		return inside
	}
	err := fault(i)
	if cause := errors.Unwrap(err); cause != nil {
		err = cause // without the position among the layers tried
	}
	return &LayerError{Path: at, Err: err}
}
