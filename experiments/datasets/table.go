package datasets

import "fmt"

// Table is n samples, each with a label or with C numbers to predict. The caller owns
// its slices.
type Table struct {
	Shape   []int     // of one sample, such as (channels, height, width)
	Pixels  []byte    // (n, features): inputs from 0 to 255; or
	Values  []float64 // (n, features): inputs, finite
	Labels  []string  // (n): or
	Targets []float64 // (n, Outputs), finite
	Outputs int       // C of Targets
	Rows    int       // n

	Names  []string // the classes in their order, where the format knows them
	Inputs []string // what a table calls the inputs; nil where it has no names
	Target string   // what it calls the target, or ""
}

// Features returns the number of inputs of a sample.
func (t *Table) Features() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// reshape gives samples another shape of as many features, unless it is empty.
func (t *Table) reshape(shape []int) error {
	if len(shape) == 0 {
		return nil
	}
	n := 1
	for _, d := range shape {
		if d < 1 || n > t.Features()/d {
			n = -1
			break
		}
		n *= d
	}
	if n != t.Features() || len(shape) != 1 && len(shape) != 3 {
		return keyError("data.shape", "data.shape is %v, while a sample has %d inputs: (features) or (channels, height, width) of as many is due", shape, t.Features())
	}
	t.Shape = shape
	return nil
}

// Options say what to read of a file. Each source has its own use of Target.
type Options struct {
	Path         string
	Target       string // file, column or array
	Inputs       string // columns or array
	Header       string // of CSV: auto, present or absent
	Regression   bool   // targets are numbers, not classes
	Shape        []int  // of a sample; none: as the file has it
	ChannelsLast bool   // images are (height, width, channels)

	Features int      // of Samples: inputs of a sample
	Names    []string // of the inputs, which columns with names must have, or nil
	Named    string   // the target of columns with names, unless Target says otherwise
}

// Error is a fault of a file.
type Error struct {
	Path  string
	Where string // in the file, such as "row 3, column 2 (width)", or ""
	Fault string // what was found, and what is due
	Err   error  // the cause, or nil
}

// Error implements error.
func (e *Error) Error() string {
	where := ""
	if e.Where != "" {
		where = e.Where + ": "
	}
	return fmt.Sprintf("%s: %s%s", e.Path, where, e.Fault)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KeyError says that the value of a key of the configuration does not fit the file.
type KeyError struct {
	Key   string // such as data.target
	Fault string
}

// Error implements error.
func (e *KeyError) Error() string { return e.Fault }

func keyError(key, format string, args ...any) error {
	return &KeyError{key, fmt.Sprintf(format, args...)}
}
