package experiments

import (
	"fmt"
	"strconv"
	"strings"
)

// Describe says in one line what the configuration trains on what.
func (c *Config) Describe() string {
	names := make([]string, len(c.Machines))
	for i, m := range c.Machines {
		names[i] = fmt.Sprintf("%s (%s/%s)", m.Name, m.Family, m.Rule)
	}
	machines := "no machine"
	if len(names) > 0 {
		machines = "machines " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, %d training and %d query samples; %s, %s, %s; %s, %s; %s",
		c.Data.Source, c.Data.Train, c.Data.Query, c.Network.Kind, c.Network.describe(), c.Precision,
		c.Loss.Kind, c.Training.Describe(), machines) + c.devNote()
}

// describe says in a few words what the network is made of.
func (c Network) describe() string {
	if c.Kind == "layers" {
		return describeLayers(c.Layers)
	}
	widths := make([]string, len(c.Hidden))
	for i, w := range c.Hidden {
		widths[i] = strconv.Itoa(w)
	}
	var parts []string
	for _, b := range c.Convs {
		part := fmt.Sprintf("%d filters of %d×%d", b.Filters, b.Kernel, b.Kernel)
		if b.Pool != "none" {
			part += fmt.Sprintf(", %s pooling %d×%d", b.Pool, b.PoolSize, b.PoolSize)
		}
		parts = append(parts, part)
	}
	if len(widths) > 0 {
		parts = append(parts, "hidden "+strings.Join(widths, "-"))
	}
	if len(parts) == 0 {
		parts = append(parts, "no hidden layer")
	}
	parts = append(parts, c.Activation)
	if c.Activation == "softplus" && c.SoftplusBeta != 1 {
		parts[len(parts)-1] += fmt.Sprintf(" of β = %g", c.SoftplusBeta)
	}
	if c.Parameterization == "ntk" {
		parts = append(parts, "ntk parameterization")
	}
	return strings.Join(parts, ", ")
}

// describeLayers names the layers of a list, of a long one the first and the
// last.
func describeLayers(layers []Layer) string {
	const most = 9
	var parts []string
	for _, l := range layers {
		parts = append(parts, l.describe())
	}
	if n := len(parts); n > most {
		parts = append(parts[:most-2], fmt.Sprintf("%d more", n-most+1), parts[n-1])
	}
	return strings.Join(parts, " → ")
}

// describe names the layer with the number that says most of it.
func (l Layer) describe() string {
	switch {
	case l.Kind == "dense" && l.Units > 0:
		return fmt.Sprintf("dense %d", l.Units)
	case l.Kind == "conv2d":
		return fmt.Sprintf("conv2d %d of %d×%d", l.Filters, l.Kernel, l.Kernel)
	case l.Kind == "max-pool", l.Kind == "average-pool":
		return fmt.Sprintf("%s %d×%d", l.Kind, l.Size, l.Size)
	case l.Kind == "scale":
		return fmt.Sprintf("scale %g", l.Factor)
	case l.Kind == "residual":
		return fmt.Sprintf("residual of %d", len(l.Layers))
	}
	return l.Kind
}

// Describe says in a few words how the weights move.
func (t *Training) Describe() string {
	o := &t.Optimizer
	if o.Kind == "flow" {
		return fmt.Sprintf("gradient flow to time %g in at most %d steps", o.Time, t.Steps)
	}
	parts := []string{fmt.Sprintf("learning rate %g, %d steps", o.LearningRate, t.Steps)}
	if o.Kind != "sgd" {
		parts = append([]string{o.Kind}, parts...)
	}
	if t.Schedule.Kind != "constant" {
		parts = append(parts, t.Schedule.Kind+" schedule")
	}
	if t.BatchSize > 0 {
		parts = append(parts, fmt.Sprintf("batches of %d", t.BatchSize))
	}
	for _, x := range []struct {
		name  string
		value float64
		used  bool
	}{{"momentum", o.Momentum, o.Kind == "sgd" || o.Kind == "rmsprop"}, {"weight decay", o.WeightDecay, true}, {"clipped at", t.ClipNorm, true}} {
		if x.used && x.value != 0 {
			parts = append(parts, fmt.Sprintf("%s %g", x.name, x.value))
		}
	}
	return strings.Join(parts, ", ")
}
