package datasets

import (
	"bufio"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Samples reads samples of o.Features inputs that need no label: an array (.npy) of one or
// several, an image (.png, .jpg, .jpeg, .gif), or the rows of a table (.csv, .tsv). Of a table the
// columns are those of o.Names, where its header has them, else those of o.Inputs, else all, where there are o.Features
// of them, and else all but the target, which is the last where there is no header; targets are read where there are some. Other options are as for training samples.
func (f *Reader) Samples(o Options) (*Table, error) {
	t := &Table{}
	read := map[string]func(r *bufio.Reader) error{
		".npy": func(r *bufio.Reader) error { return t.addArray(r, o) },
		".png": func(r *bufio.Reader) error { return t.addPicture(r, o) },
		".csv": func(r *bufio.Reader) (err error) { t, err = readCSV(r, o); return err },
	}
	kind := strings.ToLower(filepath.Ext(strings.TrimSuffix(o.Path, ".gz")))
	switch kind {
	case ".jpg", ".jpeg", ".gif":
		kind = ".png"
	case ".tsv":
		kind = ".csv"
	}
	if read[kind] == nil {
		return nil, &Error{Path: o.Path, Fault: fmt.Sprintf("found a file that ends in %q, samples are read from .npy, .png, .jpg, .gif and .csv", kind)}
	}
	if err := f.each(o.Path, read[kind]); err != nil {
		return nil, err
	}
	return t, nil
}

// addArray reads an array of samples, or of one without their dimension.
func (t *Table) addArray(r *bufio.Reader, o Options) error {
	a, err := readNPY(r)
	if err != nil {
		return err
	}
	found := a.shape
	if a.size() == o.Features {
		for len(a.shape) > 1 && a.shape[0] == 1 && a.width() == o.Features {
			a.shape = a.shape[1:]
		}
		a.shape = append([]int{1}, a.shape...)
	}
	if a.size() == 0 || a.width() != o.Features {
		return fmt.Errorf("found an array of shape %v, samples of %d inputs are due, (samples, inputs) or as images", found, o.Features)
	}
	o.Shape = nil // of as many inputs, whatever their shape
	return a.inputs(t, o)
}

// addPicture reads an image.
func (t *Table) addPicture(r *bufio.Reader, o Options) error {
	grey := true
	if err := t.addImage(r, &grey); err != nil {
		return err
	}
	pixels := t.Shape[1] * t.Shape[2]
	size := fmt.Sprintf("%d×%d pixels (width, height)", t.Shape[2], t.Shape[1])
	switch o.Features {
	case 3 * pixels:
	case pixels:
		if !grey {
			return fmt.Errorf("found a coloured image of %s, the run was trained on grey ones: turn it into grey", size)
		}
		t.Shape[0], t.Pixels = 1, firstChannel(t.Pixels, pixels)
	default:
		return fmt.Errorf("found an image of %s, samples of the run have %d inputs: scale it to their size", size, o.Features)
	}
	t.Rows = 1
	return nil
}

// ofSamples finds the columns of samples, and of their targets where there are some.
func (c *columns) ofSamples(o Options) (err error) {
	switch {
	case len(o.Names) > 0 && len(c.names) > 0:
		err = c.byName(o.Names, "run")
	case o.Inputs != "" && c.count != o.Features:
		c.inputs, err = c.find("data.inputs", o.Inputs)
	case c.count == o.Features:
		for i := range c.count {
			c.inputs = append(c.inputs, i)
		}
	}
	if err != nil {
		return err
	}
	target := o.Target
	if target == "" {
		target = "-1"
	}
	targets, err := c.find("data.target", target)
	if err != nil && c.names == nil { // of a header that the file has not
		targets, err = c.find("data.target", "-1")
	}
	if err != nil && c.inputs == nil {
		return err
	}
	if c.inputs == nil {
		for i := range c.count {
			if !slices.Contains(targets, i) {
				c.inputs = append(c.inputs, i)
			}
		}
	}
	if !slices.ContainsFunc(targets, func(i int) bool { return slices.Contains(c.inputs, i) }) {
		c.targets = targets
	}
	if len(c.inputs) != o.Features {
		return fmt.Errorf("found %d columns, samples of the run have %d inputs, which may be followed by their targets", c.count, o.Features)
	}
	return nil
}
