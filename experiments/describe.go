package experiments

import (
	"fmt"
	"strconv"
	"strings"
)

// Describe says in one line what the configuration trains on what.
func (c *Config) Describe() string {
	widths := make([]string, len(c.Network.Hidden))
	for i, w := range c.Network.Hidden {
		widths[i] = strconv.Itoa(w)
	}
	var parts []string
	for _, b := range c.Network.Convs {
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
	hidden := strings.Join(parts, ", ") + ", " + c.Network.Activation
	names := make([]string, len(c.Machines))
	for i, m := range c.Machines {
		names[i] = fmt.Sprintf("%s (%s/%s)", m.Name, m.Family, m.Rule)
	}
	machines := "no machine"
	if len(names) > 0 {
		machines = "machines " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, %d training and %d query samples; %s, %s, %s; %s, learning rate %g, %d steps; %s",
		c.Data.Source, c.Data.Train, c.Data.Query, c.Network.Kind, hidden, c.Precision,
		c.Loss.Kind, c.Training.Optimizer.LearningRate, c.Training.Steps, machines)
}
