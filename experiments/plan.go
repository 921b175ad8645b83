package experiments

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"pkm/graphs"
	"pkm/pathkernel"
	"pkm/training"
)

// Demand is a part of a run's memory and what would make it smaller.
type Demand struct {
	What   string
	Bytes  float64 // float64: a sum of absurd sizes must not wrap around
	Lessen string
}

// Plan is what a run will cost, known before it starts.
type Plan struct {
	Parameters int // P
	Steps      int // S
	Demands    []Demand
	// Training and Tracking are the FLOPs of matrix products in a step: those of training, and
	// about those of the machines beside it.
	Training, Tracking float64
	// Disk is what the arrays of the run directory and its checkpoints take, in bytes.
	Disk float64
	// Block is how many queries are evaluated at once, Blocks in how many turns: so many that the
	// memory is no more than allowed.
	Block, Blocks int
	// Time is what a calibration measured, nil without one.
	Time *Estimate
}

// Memory returns the sum of the demands. Beside it a process takes some 50 MB for itself.
func (p *Plan) Memory() (bytes float64) {
	for _, d := range p.Demands {
		bytes += d.Bytes
	}
	return bytes
}

// Plan returns what a run of the configuration costs. It computes nothing of it and
// takes next to no memory. With the plan comes a *MemoryError where the run does not fit.
func (c *Config) Plan() (*Plan, error) {
	data, err := c.load()
	if err != nil {
		return nil, err
	}
	p, err := c.plan(data)
	if err != nil {
		return nil, err
	}
	return p, c.fits(data, p, availableMemory())
}

// plan returns the plan with the largest block of queries that fits into the memory of the
// configuration, or that of single queries where none does.
func (c *Config) plan(data *Dataset) (*Plan, error) {
	network, err := c.Network.Build(data, training.Outputs(c.Loss.Kind, data.outputs(c.Data.Classes)))
	if err != nil {
		return nil, err
	}
	limit, _ := ParseSize(c.Memory)
	of := func(blocks int) (plan *Plan, err error) {
		block := (c.Data.Query + blocks - 1) / blocks
		if c.Precision == "float32" {
			plan, err = planIn[float32](c, network, block)
		} else {
			plan, err = planIn[float64](c, network, block)
		}
		if err == nil {
			plan.add("the data set", float64(data.Bytes()), "the data set, to the rows that are needed")
		}
		return plan, err
	}
	// Memory falls with the number of blocks.
	low, high := 1, c.Data.Query
	for low < high {
		middle := low + (high-low)/2
		p, err := of(middle)
		if err != nil {
			return nil, err
		}
		if p.Memory() <= limit {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return of(low)
}

func planIn[T graphs.Float](c *Config, n *graphs.Network, block int) (*Plan, error) {
	m, q, k, s, p := float64(c.Data.Query), float64(block), float64(n.Outputs()), float64(c.Data.Train), float64(n.Parameters())
	size := 8.0
	if c.Precision == "float32" {
		size = 4
	}
	nodes, err := c.nodes()
	if err != nil {
		return nil, err
	}
	batch := c.Data.Train
	if c.Training.BatchSize > 0 {
		batch = c.Training.BatchSize
	}
	gradient, err := graphs.GradientBytes[T](n, batch)
	if err != nil {
		return nil, err
	}
	query, err := graphs.JacobianBytes[T](n, block)
	if err != nil {
		return nil, err
	}
	machines, kernel := float64(len(c.Machines)), pathkernel.Kernel(c.PathKernel)
	widths, hidden := "network.hidden or network.convs", "network.hidden"
	if c.Network.Kind == "layers" {
		widths, hidden = "the units and filters of network.layers", "the sizes in network.layers"
	}
	plan := &Plan{Parameters: n.Parameters(), Steps: c.Training.Steps, Block: block, Blocks: (c.Data.Query + block - 1) / block}
	plan.add("data", 2*8*(s+m)*float64(n.Input().Size()), "data.train or data.query")
	// Every evaluator holds the weights at its own point.
	plan.add("weights and their updates", size*p*float64(8+nodes), widths)
	plan.add("values and gradients of the training samples in the network", float64(gradient)-2*size*p, "data.train, training.batch_size or "+hidden)
	if machines > 0 {
		plan.add("Jacobians of the query samples", float64(nodes)*(float64(query)-size*p), "data.query or the number of nodes of the machines")
		plan.add("contributions", 8*machines*m*k*s, "data.query, data.train or the number of machines")
		plan.add("shares of contributions", 8*machines*m*k*s*c.shares(n), "decompose.windows, data.query or data.train")
		plan.add("products of inputs and averages over nodes", size*contraction(n, nodes, machines, m, q, k, s), "data.query, data.train or the number of nodes of the machines")
	}
	if err := planRefinement[T](c, n, plan, block); err != nil {
		return nil, err
	}
	if machines > 0 && !c.Training.Optimizer.plain() {
		each := c.Training.tensors() * size * p
		plan.add("accounts of past steps on the side of the queries", machines*q*k*p*size, "the number of machines or network.hidden")
		if slices.ContainsFunc(c.Machines, func(m Machine) bool { return m.Rule == adaptiveRule }) {
			plan.add("averages over the meshes of adaptive machines", q*k*p*size, "network.hidden, or use another rule")
		}
		plan.add("steps of a replayed segment", float64(c.spacing(each, p*(2*size+3*8)))*p*(2*size+3*8), "training.steps or training.checkpoints.every")
	}
	if machines > 0 && kernel != pathkernel.NoKernel {
		block, err := blockSize[T](n, c.Data.Train)
		if err != nil {
			return nil, err
		}
		train, err := graphs.JacobianBytes[T](n, block)
		if err != nil {
			return nil, err
		}
		plan.add("Jacobians of training samples", float64(train)-size*p, hidden)
	}
	if err := planBaselines[T](c, n, plan, batch, block); err != nil {
		return nil, err
	}
	switch kernel {
	case pathkernel.TraceKernel:
		plan.add("path kernels", 8*machines*m*s, "data.query, data.train or the number of machines")
	case pathkernel.FullKernel:
		// Kernel and numerators, and the coefficients as they are written.
		plan.add("path kernels of all pairs of outputs", 3*8*machines*m*k*k*s, "data.query or data.train, or choose path_kernel: trace")
	}
	plan.products(c, n, nodes, batch)
	each := c.Training.tensors() * size * p
	plan.Disk = each*float64(c.Training.Steps/c.spacing(each, p*(2*size+3*8))+3) + 2*size*p + 8*machines*m*k*s + 8*(s+m)*float64(n.Input().Size())
	plan.Disk += 8 * machines * m * k * s * c.shares(n)
	switch kernel {
	case pathkernel.TraceKernel:
		plan.Disk += 8 * machines * m * s
	case pathkernel.FullKernel:
		plan.Disk += 2 * 8 * machines * m * k * k * s
	}
	return plan, nil
}

// contraction returns the elements that products of the queries' factors with those of
// training samples take beside their results: for dense layers Grams of the inputs and
// averages of cotangents, for convolutions the queries' formed gradients.
func contraction(n *graphs.Network, nodes int, machines, m, q, k, s float64) (elements float64) {
	for i, l := range n.Products() {
		switch {
		case l.Positions > 1:
			elements += (float64(nodes) + machines) * q * k * float64(l.Weights)
		case i == 0:
			elements += machines*q*k*float64(l.Out) + m*s
		default:
			elements += float64(nodes) * q * s
		}
	}
	elements += 4 * 256 * 256 // scratch of tiles
	if slices.ContainsFunc(n.Products(), func(l graphs.Products) bool { return l.Positions > 1 }) {
		elements += 2 << 20 // of formed training gradients
	}
	return elements
}

func (p *Plan) add(what string, bytes float64, lessen string) {
	p.Demands = append(p.Demands, Demand{what, bytes, lessen})
}

// nodes returns the number of points of a step at which the machines evaluate the query.
func (c *Config) nodes() (int, error) {
	var all []float64
	for _, m := range c.Machines {
		machine, err := m.build(pathkernel.NoKernel, 1, 1, 1, 1)
		if err != nil {
			return 0, err
		}
		all = append(all, machine.Measure.Nodes()...)
	}
	slices.Sort(all)
	return len(slices.Compact(all)), nil
}

// products counts the FLOPs of matrix products in a step, layer by layer.
func (p *Plan) products(c *Config, n *graphs.Network, nodes, batch int) {
	m, k, b := float64(c.Data.Query), float64(n.Outputs()), float64(batch)
	if len(c.Machines) > 0 && !c.Training.Optimizer.plain() { // Ψ·g for every machine
		p.Tracking += 2 * float64(len(c.Machines)) * m * k * float64(n.Parameters()) * (b + float64(nodes)/float64(len(c.Machines)))
	}
	for i, l := range n.Products() {
		forward := 2 * float64(l.Weights) * float64(l.Positions)
		backward := forward
		if i == 0 {
			backward = 0 // data need no cotangent
		}
		p.Training += b * (2*forward + backward)
		if len(c.Machines) == 0 {
			continue
		}
		p.Tracking += float64(nodes+1) * m * forward
		p.Tracking += float64(nodes) * m * k * backward
		if !c.Training.Optimizer.plain() {
			// Twice: for the certificates in training, and for the account.
			p.Tracking += float64(nodes) * m * (forward + k*backward)
			continue
		}
		// Contributions: products of cotangents, and of inputs, for each node.
		pair := 2 * float64(l.Out)
		if l.Positions > 1 {
			pair = 2 * float64(l.Weights)
		}
		p.Tracking += float64(nodes) * m * b * (k*pair + 2*float64(l.In))
		if l.Positions > 1 { // gradients are formed first
			p.Tracking += forward * (float64(nodes)*m*k + b)
		}
		if pathkernel.Kernel(c.PathKernel) == pathkernel.NoKernel {
			continue
		}
		if l.Positions > 1 {
			p.Tracking += forward * b * k
		}
		p.Tracking += b * (forward + k*backward)
		if pathkernel.Kernel(c.PathKernel) == pathkernel.FullKernel {
			pair *= k
		}
		p.Tracking += float64(nodes) * m * b * k * pair
	}
}

// Print writes the plan as a table.
func (p *Plan) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what string, value float64, unit string) { fmt.Fprintf(t, "%s\t%.4g %s\n", what, value, unit) }
	line("weights", float64(p.Parameters), "")
	line("steps", float64(p.Steps), "")
	line("products of a step: training", p.Training/1e9, "GFLOP")
	line("products of a step: machines, about", p.Tracking/1e9, "GFLOP")
	for _, d := range p.Demands {
		line("memory: "+d.What, d.Bytes/1e6, "MB")
	}
	line("memory: all", p.Memory()/1e6, "MB")
	if p.Blocks > 1 {
		line("queries at once, to keep to it", float64(p.Block), "")
	}
	line("disk", p.Disk/1e6, "MB")
	if p.Time != nil {
		fmt.Fprintf(t, "time of a step, about\t%s\n", duration(p.Time.Step))
		fmt.Fprintf(t, "time, about\t%s\n", duration(p.Time.Total))
	}
	return t.Flush()
}
