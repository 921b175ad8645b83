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
	const path = "network.layers"
	list := slices.Clone(c.Layers)
	if last := len(list) - 1; last >= 0 && list[last].Kind == "dense" && list[last].Units == 0 {
		list[last].Units = outputs
	}
	layers, err := graphLayers(list, path)
	if err != nil {
		return nil, err
	}
	n, err := graphs.New(sample, layers...)
	if err != nil {
		if at := firstImpossible(sample, nil, layers, path); at != nil {
			return nil, at
		}
		return nil, fmt.Errorf("build the network of the configuration: %w", err)
	}
	if n.Outputs() != outputs {
		return nil, fmt.Errorf("build the network of the configuration: its last layer gives %d outputs, the data have %d", n.Outputs(), outputs)
	}
	return n, nil
}

// graphLayers returns the layers of the list at path. An unknown kind is a
// *LayerError.
func graphLayers(list []Layer, path string) ([]graphs.Layer, error) {
	layers := make([]graphs.Layer, len(list))
	for i, l := range list {
		var err error
		if layers[i], err = l.graph(itemPath(path, i)); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

// graph returns the layer, which stands at path.
func (l Layer) graph(path string) (graphs.Layer, error) {
	switch l.Kind {
	case "dense":
		return graphs.Dense{Out: l.Units, Bias: l.Bias}, nil
	case "conv2d":
		return graphs.Conv2D{Filters: l.Filters, Kernel: l.Kernel, Stride: l.Stride, Padding: l.Padding, Bias: l.Bias}, nil
	case "max-pool":
		return graphs.MaxPool2D{Size: l.Size}, nil
	case "average-pool":
		return graphs.AvgPool2D{Size: l.Size}, nil
	case "global-average-pool":
		return graphs.GlobalAvgPool{}, nil
	case "layer-norm":
		return graphs.LayerNorm{Epsilon: l.Epsilon, Affine: l.Affine}, nil
	case "scale":
		return graphs.Scale{Factor: l.Factor}, nil
	case "residual":
		block, err := graphLayers(l.Layers, path+".layers")
		if err != nil {
			return nil, err
		}
		shortcut, err := graphLayers(l.Shortcut, path+".shortcut")
		return graphs.Residual{Layers: block, Shortcut: shortcut}, err
	case "flatten":
		return graphs.Flatten{}, nil
	}
	if kind := graphs.ActivationKind(l.Kind); slices.Contains(graphs.ActivationKinds(), kind) {
		return graphs.Activation{Kind: kind}, nil
	}
	return nil, &LayerError{Path: path, Err: fmt.Errorf("no layer is of kind %q", l.Kind)}
}

// firstImpossible returns the first layer of the list at path that cannot
// follow the layers before it; nil when all can. The two branches of a residual
// block see what the block sees, so their layers are tried in place of the
// block. O(n log n) for n layers.
func firstImpossible(sample graphs.Shape, before, list []graphs.Layer, path string) *LayerError {
	layers := append(slices.Clip(before), list...)
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
	at, seen := itemPath(path, i), layers[:len(before)+i]
	if block, ok := list[i].(graphs.Residual); ok {
		if inside := firstImpossible(sample, seen, block.Layers, at+".layers"); inside != nil {
			return inside
		}
		if inside := firstImpossible(sample, seen, block.Shortcut, at+".shortcut"); inside != nil {
			return inside
		}
	}
	err := fault(i)
	if cause := errors.Unwrap(err); cause != nil {
		err = cause // without the position among the layers tried
	}
	return &LayerError{Path: at, Err: err}
}
