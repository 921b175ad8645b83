package datasets

import (
	"fmt"
	"math"
	"strconv"
)

// array is numbers in C order: bytes, whole numbers or floating-point numbers.
type array struct {
	shape  []int
	bytes  []byte
	whole  []int64
	floats []float64
	texts  []string
}

// len returns the number of samples: the first dimension.
func (a *array) len() int {
	if len(a.shape) == 0 {
		return 0
	}
	return a.shape[0]
}

// width returns the number of elements of a sample.
func (a *array) width() int {
	n := 1
	for _, d := range a.shape[min(1, len(a.shape)):] {
		n *= d
	}
	return n
}

// at returns element i as a number.
func (a *array) at(i int) float64 {
	switch {
	case a.bytes != nil:
		return float64(a.bytes[i])
	case a.whole != nil:
		return float64(a.whole[i])
	}
	return a.floats[i]
}

// size returns the number of elements there are.
func (a *array) size() int { return len(a.bytes) + len(a.whole) + len(a.floats) + len(a.texts) }

// inputs makes the elements the inputs of t.
func (a *array) inputs(t *Table, o Options) error {
	if len(a.shape) < 2 || a.size() == 0 {
		return fmt.Errorf("found inputs of shape %v, (samples, features) or (samples, channels, height, width) is due", a.shape)
	}
	if a.texts != nil {
		return fmt.Errorf("found texts as inputs, numbers are due")
	}
	t.Rows, t.Shape = a.len(), a.shape[1:]
	if len(t.Shape) == 2 { // grey images without a dimension of channels
		t.Shape = []int{1, t.Shape[0], t.Shape[1]}
	}
	if len(t.Shape) != 1 && len(t.Shape) != 3 {
		return fmt.Errorf("found inputs of shape %v, (samples, features) or (samples, channels, height, width) is due", a.shape)
	}
	if err := a.channels(t, o); err != nil {
		return err
	}
	if err := t.reshape(o.Shape); err != nil {
		return err
	}
	if a.bytes != nil {
		t.Pixels = a.bytes
		return nil
	}
	t.Values = make([]float64, a.size())
	for i := range t.Values {
		t.Values[i] = a.at(i)
		if !finite(t.Values[i]) {
			return &Error{Where: fmt.Sprintf("sample %d, input %d", i/t.Features(), i%t.Features()), Fault: fmt.Sprintf("found %g, a finite number is due", t.Values[i])}
		}
	}
	return nil
}

// channels brings images with the channels last into the order (channels, height, width).
func (a *array) channels(t *Table, o Options) error {
	if len(a.shape) != 4 {
		return nil
	}
	few := func(n int) bool { return n == 1 || n == 3 || n == 4 }
	h, w, c := a.shape[1], a.shape[2], a.shape[3]
	if !o.ChannelsLast {
		if few(c) && !few(h) {
			return fmt.Errorf("found images of shape %v, which look like (samples, height, width, channels): set data.channels: last", a.shape)
		}
		return nil
	}
	t.Shape = []int{c, h, w}
	a.bytes = channelsFirst(a.bytes, h*w, c)
	a.whole = channelsFirst(a.whole, h*w, c)
	a.floats = channelsFirst(a.floats, h*w, c)
	return nil
}

// channelsFirst transposes (n, pixels, channels) to (n, channels, pixels).
func channelsFirst[E any](v []E, pixels, channels int) []E {
	if v == nil {
		return nil
	}
	out := make([]E, len(v))
	for i := range v {
		sample, rest := i/(pixels*channels), i%(pixels*channels)
		out[sample*pixels*channels+rest%channels*pixels+rest/channels] = v[i]
	}
	return out
}

// targets makes the elements the labels of t, or its numbers to predict.
func (a *array) targets(t *Table, regression bool) error {
	if len(a.shape) == 0 || a.len() != t.Rows {
		return fmt.Errorf("found targets of shape %v, one for each of the %d samples is due", a.shape, t.Rows)
	}
	if regression {
		if a.texts != nil || len(a.shape) > 2 || a.size() == 0 {
			return fmt.Errorf("found targets of shape %v, (samples) or (samples, outputs) of numbers is due", a.shape)
		}
		t.Outputs, t.Targets = a.width(), make([]float64, a.size())
		for i := range t.Targets {
			t.Targets[i] = a.at(i)
			if !finite(t.Targets[i]) {
				return &Error{Where: fmt.Sprintf("target %d", i/t.Outputs), Fault: fmt.Sprintf("found %g, a finite number is due", t.Targets[i])}
			}
		}
		return nil
	}
	if a.width() != 1 {
		return fmt.Errorf("found labels of shape %v, one label for each sample is due, (samples); numbers to predict need data.task: regression", a.shape)
	}
	if a.texts != nil {
		for i, text := range a.texts {
			l, fault := label(text)
			if fault != "" {
				return &Error{Where: fmt.Sprintf("label %d", i), Fault: fault}
			}
			t.Labels = append(t.Labels, l)
		}
		return nil
	}
	names := map[float64]string{} // labels are few, their texts are shared
	t.Labels = make([]string, t.Rows)
	for i := range t.Labels {
		v := a.at(i)
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return &Error{Where: fmt.Sprintf("label %d", i), Fault: fmt.Sprintf("found %g, a whole number is due; numbers to predict need data.task: regression", v)}
		}
		name, ok := names[v]
		if !ok {
			name = strconv.FormatFloat(v, 'f', -1, 64)
			names[v] = name
		}
		t.Labels[i] = name
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
