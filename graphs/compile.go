package graphs

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
)

// call is one operation of a compiled graph, with the memory of its operands.
type call[T Float] struct {
	name     string
	run      func(operands [][]T)
	operands [][]T
}

// compile orders the operations that lead to the nodes that are kept, gives them
// memory, and forgets the rest: a product that its reader forms itself is never
// formed twice. A value that is not kept gives its memory on after its last
// reader.
func (e *Evaluator[T]) compile(b *builder[T]) error {
	if err := b.distinct(); err != nil {
		return err
	}
	sorted, err := G.Sort(b.graph) // consumers first
	if err != nil {
		return fmt.Errorf("graphs: order the operations of a network of %d layers: %w", len(e.network.layers), err)
	}
	slices.Reverse(sorted)
	operands := make(map[*G.Node]G.Nodes)
	for _, n := range sorted {
		for children := b.graph.From(n.ID()); children.Next(); {
			operands[n] = append(operands[n], children.Node().(*G.Node))
		}
	}
	live := make(map[*G.Node]bool)
	for _, n := range b.kept {
		live[n] = true
	}
	for _, n := range slices.Backward(sorted) {
		for _, child := range operands[n] {
			live[child] = live[child] || live[n]
		}
	}
	last := make(map[*G.Node]int) // the last reader of each node
	for i, n := range sorted {
		if live[n] {
			for _, child := range operands[n] {
				last[child] = i
			}
		}
	}
	for _, n := range b.kept {
		last[n] = len(sorted)
	}
	memory := &pool[T]{dry: b.dry}
	held := make(map[*G.Node]buffer[T])
	for i, n := range sorted {
		if b.isLeaf(n) || !live[n] {
			continue
		}
		o, ok := n.Op().(*operation[T])
		if !ok {
			if o, err = b.foreign(n, operands[n]); err != nil {
				return err
			}
		}
		held[n] = memory.take(n.Shape().TotalSize())
		e.size += o.extra
		if !b.dry {
			o.allocate(held[n].values)
			c := call[T]{name: o.name, run: o.run}
			for _, child := range operands[n] {
				c.operands = append(c.operands, b.values(child))
			}
			e.calls = append(e.calls, c)
		}
		for _, child := range operands[n] {
			if !b.isLeaf(child) && last[child] == i {
				memory.give(held[child])
				last[child] = -1 // an operation may read a node twice
			}
		}
	}
	e.size += 2*e.network.Parameters() + b.data + memory.size
	if !b.train {
		e.size -= e.network.Parameters() // no gradient
	}
	return nil
}

// foreign returns our twin of an operation that Gorgonia added to the graph: the
// sum of the cotangents of a value with two readers.
func (b *builder[T]) foreign(n *G.Node, operands G.Nodes) (*operation[T], error) {
	if len(operands) != 2 || !strings.HasPrefix(n.Op().String(), "+") || !operands[0].Shape().Eq(n.Shape()) || !operands[1].Shape().Eq(n.Shape()) {
		return nil, fmt.Errorf("graphs: operation %v is not one of this package", n.Op())
	}
	o := &operation[T]{name: "cotangents/sum"}
	o.run = func(v [][]T) { addInto(b, o.values, v) }
	b.sums[n] = o
	return o, nil
}

// pool hands out memory again that was given back.
type pool[T Float] struct {
	free []buffer[T]
	size int  // elements in all
	dry  bool // count, and allocate nothing
}

// buffer is memory of a number of elements. values holds those that are used.
type buffer[T Float] struct {
	size   int
	values []T
}

// take returns memory for n elements: the smallest that is free and fits without
// wasting more than half, or new memory.
func (p *pool[T]) take(n int) buffer[T] {
	best := -1
	for i, f := range p.free {
		if f.size >= n && f.size < 2*n+1 && (best < 0 || f.size < p.free[best].size) {
			best = i
		}
	}
	if best < 0 {
		p.size += n
		b := buffer[T]{size: n}
		if !p.dry {
			b.values = aligned[T](n)
		}
		return b
	}
	b := p.free[best]
	p.free = slices.Delete(p.free, best, best+1)
	if !p.dry {
		b.values = b.values[:n]
	}
	return b
}

func (p *pool[T]) give(b buffer[T]) {
	b.values = b.values[:cap(b.values)]
	p.free = append(p.free, b)
}

// aligned returns a new slice whose memory begins at a multiple of 16 bytes, which Go gives
// to all but the smallest: some BLAS sum in another order elsewhere.
func aligned[T Float](n int) []T { return make([]T, n, max(n, 8)) }
