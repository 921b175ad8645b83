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
	hidden := "no hidden layer"
	if len(widths) > 0 {
		hidden = fmt.Sprintf("hidden %s %s", strings.Join(widths, "-"), c.Network.Activation)
	}
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
