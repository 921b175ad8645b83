package datasets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// columns says which columns of a table are inputs and which are targets.
type columns struct {
	names   []string // or nil
	count   int
	inputs  []int
	targets []int
}

// chooseColumns finds the columns that the options name, by their names, separated by
// commas, or by their numbers from 0, from the end if negative. The target is by default the
// last column, the inputs are all others.
func chooseColumns(names []string, count int, o Options) (*columns, error) {
	c := &columns{names: names, count: count}
	if o.Features > 0 {
		return c, c.ofSamples(o)
	}
	target := o.Target
	if target == "" && len(names) > 0 {
		target = o.Named
	}
	if target == "" {
		target = "-1"
	}
	var err error
	if c.targets, err = c.find("data.target", target); err != nil {
		return nil, err
	}
	if len(c.targets) > 1 && !o.Regression {
		return nil, keyError("data.target", "data.target names %d columns, a class is in one; several are for data.task: regression", len(c.targets))
	}
	if o.Inputs != "" {
		if c.inputs, err = c.find("data.inputs", o.Inputs); err != nil {
			return nil, err
		}
		for _, i := range c.inputs {
			if slices.Contains(c.targets, i) {
				return nil, keyError("data.inputs", "%s is among data.inputs and is the target: it may be one of both", c.name(i))
			}
		}
		return c, nil
	}
	if len(o.Names) > 0 && len(c.names) > 0 {
		return c, c.byName(o.Names, "data to train on")
	}
	for i := range count {
		if !slices.Contains(c.targets, i) {
			c.inputs = append(c.inputs, i)
		}
	}
	if len(c.inputs) == 0 {
		return nil, fmt.Errorf("found %d columns, at least one of inputs and one of targets are due", count)
	}
	return c, nil
}

// byName takes the columns of these names for inputs, in this order. Columns of other names are a fault, for
// they would be taken for what they are not, as are names without a column.
func (c *columns) byName(names []string, of string) error {
	c.inputs = nil
	for _, name := range names {
		i := slices.Index(c.names, name)
		if i < 0 {
			return fmt.Errorf("found no column %q, which is an input of the %s: %s; give columns the same names, or a file without a header the same order", name, of, c.describe())
		}
		c.inputs = append(c.inputs, i)
	}
	return nil
}

// find returns the columns that text, the value of a key, names.
func (c *columns) find(key, text string) ([]int, error) {
	if i := slices.Index(c.names, text); i >= 0 {
		return []int{i}, nil
	}
	var found []int
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		i := slices.Index(c.names, part)
		if i < 0 {
			n, err := strconv.Atoi(part)
			if n < 0 {
				n += c.count
			}
			if err != nil || n < 0 || n >= c.count {
				return nil, keyError(key, "%s names the column %q, which there is not: %s", key, part, c.describe())
			}
			i = n
		}
		if slices.Contains(found, i) {
			return nil, keyError(key, "%s names %s twice", key, c.name(i))
		}
		found = append(found, i)
	}
	return found, nil
}

// describe says which columns there are.
func (c *columns) describe() string {
	text := fmt.Sprintf("there are the columns 0 to %d", c.count-1)
	if len(c.names) > 0 {
		text += ", " + strings.Join(c.names[:min(len(c.names), 20)], ", ")
	}
	if len(c.names) > 20 {
		text += ", …"
	}
	return text
}

// name returns what a column is called in messages.
func (c *columns) name(i int) string {
	if i < len(c.names) && c.names[i] != "" {
		return fmt.Sprintf("column %d (%s)", i, c.names[i])
	}
	return fmt.Sprintf("column %d", i)
}

// start returns an empty table for the columns.
func (c *columns) start(o Options) *Table {
	t := &Table{Shape: []int{len(c.inputs)}}
	for _, i := range c.inputs {
		if i < len(c.names) && c.names[i] != "" && !slices.Contains(t.Inputs, c.names[i]) {
			t.Inputs = append(t.Inputs, c.names[i])
		}
	}
	if len(t.Inputs) != len(c.inputs) {
		t.Inputs = nil
	}
	if len(c.targets) == 1 && c.targets[0] < len(c.names) {
		t.Target = c.names[c.targets[0]]
	}
	if o.Regression {
		t.Outputs = len(c.targets)
	}
	return t
}

// number reads a finite number.
func number(text string) (float64, string) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case strings.TrimSpace(text) == "":
		return 0, "found nothing, a number is due; fill it in or leave the row out"
	case err != nil:
		return 0, fmt.Sprintf("found %.40q, a number is due", text)
	case !finite(v):
		return 0, fmt.Sprintf("found %.40q, a finite number is due; fill it in or leave the row out", text)
	}
	return v, ""
}

// label reads a class: any text, or a whole number in any spelling.
func label(text string) (string, string) {
	text = strings.TrimSpace(text)
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case text == "":
		return "", "found nothing, a class is due; fill it in or leave the row out"
	case err != nil:
		return strings.Clone(text), ""
	case !finite(v):
		return "", fmt.Sprintf("found %.40q, a class is due; fill it in or leave the row out", text)
	case v != math.Trunc(v) || math.Abs(v) > 1<<53:
		return "", fmt.Sprintf("found %.40q, a class is due; numbers to predict need data.task: regression", text)
	}
	return strconv.FormatFloat(v+0, 'f', -1, 64), "" // +0: no class is called −0
}
