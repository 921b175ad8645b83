package graphs

import "gorgonia.org/tensor"

// Float is the precision of a network: everything in an evaluation is of one
// type, chosen once.
type Float interface{ float32 | float64 }

// dtypeOf returns Gorgonia's name of T.
func dtypeOf[T Float]() tensor.Dtype {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}
