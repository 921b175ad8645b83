package graphs

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// operation is a Gorgonia operation on row-major matrices whose forward function
// and pullback are ours. It owns its result: the memory is given to it when the
// graph is compiled, written by every run and valid until the next one. So a run
// allocates nothing.
//
// An operation belongs to one node of one graph; its name makes the node unique,
// because Gorgonia merges nodes of equal hash.
type operation[T Float] struct {
	name     string
	operands []int // dimensions of each operand
	shape    tensor.Shape
	values   []T // the result; nil until the graph is compiled, and for results nobody reads

	// run writes values from the operands.
	run func(operands [][]T)
	// prepare, if not nil, allocates what run needs beside its operands, of about
	// extra elements.
	prepare func()
	extra   int
	// wrt says which operands have a pullback.
	wrt []bool
	// pull returns, for each operand, the node of its cotangent, or nil where wrt
	// is false. The cotangent grad may be a stack (see the package comment).
	pull func(operands G.Nodes, output, grad *G.Node) (G.Nodes, error)
}

var (
	_ G.Op   = (*operation[float64])(nil)
	_ G.SDOp = (*operation[float64])(nil)
)

// apply adds an operation with a result of the given shape to the graph.
func apply[T Float](o *operation[T], shape tensor.Shape, operands ...*G.Node) (*G.Node, error) {
	o.shape = shape
	if o.wrt == nil {
		o.wrt = make([]bool, len(operands))
	}
	for _, n := range operands {
		o.operands = append(o.operands, n.Dims())
	}
	node, err := G.ApplyOp(o, operands...)
	if err != nil {
		return nil, fmt.Errorf("graphs: add operation %s: %w", o.name, err)
	}
	if node.Op() != G.Op(o) {
		return nil, fmt.Errorf("graphs: operation %s was merged with another of the same name", o.name)
	}
	return node, nil
}

// Arity implements gorgonia.Op.
func (o *operation[T]) Arity() int { return len(o.operands) }

// Type implements gorgonia.Op.
func (o *operation[T]) Type() hm.Type {
	types := make([]hm.Type, 0, len(o.operands)+1)
	for _, dims := range append(append([]int(nil), o.operands...), o.shape.Dims()) {
		types = append(types, G.TensorType{Dims: dims, Of: dtypeOf[T]()})
	}
	return hm.NewFnType(types...)
}

// InferShape implements gorgonia.Op.
func (o *operation[T]) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.shape.Clone(), nil }

// Do implements gorgonia.Op, for Gorgonia's own machines. An Evaluator calls run.
func (o *operation[T]) Do(operands ...G.Value) (G.Value, error) {
	if len(operands) != len(o.operands) {
		return nil, fmt.Errorf("graphs: operation %s takes %d operands, found %d", o.name, len(o.operands), len(operands))
	}
	values := make([][]T, len(operands))
	for i, v := range operands {
		d, ok := v.(*tensor.Dense)
		if !ok {
			return nil, fmt.Errorf("graphs: operand %d of operation %s is a %T, not a dense tensor", i, o.name, v)
		}
		values[i] = denseValues[T](d)
	}
	if o.values == nil {
		o.allocate(make([]T, o.shape.TotalSize()))
	}
	o.run(values)
	return tensor.New(tensor.WithShape(o.shape...), tensor.WithBacking(o.values)), nil
}

// allocate gives the operation memory for its result.
func (o *operation[T]) allocate(values []T) {
	o.values = values
	if o.prepare != nil {
		o.prepare()
	}
}

// denseValues returns the elements of d without copying.
func denseValues[T Float](d *tensor.Dense) []T {
	var values any
	if dtypeOf[T]() == tensor.Float32 {
		values = d.Float32s()
	} else {
		values = d.Float64s()
	}
	return values.([]T)
}

// ReturnsPtr implements gorgonia.Op.
func (o *operation[T]) ReturnsPtr() bool { return true }

// CallsExtern implements gorgonia.Op.
func (o *operation[T]) CallsExtern() bool { return false }

// OverwritesInput implements gorgonia.Op.
func (o *operation[T]) OverwritesInput() int { return -1 }

// WriteHash implements gorgonia.Op.
func (o *operation[T]) WriteHash(h hash.Hash) { fmt.Fprint(h, o.name) }

// Hashcode implements gorgonia.Op.
func (o *operation[T]) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// String implements gorgonia.Op.
func (o *operation[T]) String() string { return o.name }

// DiffWRT implements gorgonia.SDOp.
func (o *operation[T]) DiffWRT(int) []bool { return o.wrt }

// SymDiff implements gorgonia.SDOp.
func (o *operation[T]) SymDiff(operands G.Nodes, output, grad *G.Node) (G.Nodes, error) {
	if o.pull == nil {
		return nil, fmt.Errorf("graphs: operation %s has no pullback", o.name)
	}
	return o.pull(operands, output, grad)
}
