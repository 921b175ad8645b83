package datasets

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// NPZ reads the array Inputs of an archive that numpy.savez wrote and its array Target; by
// default those of the usual names.
func (f *Reader) NPZ(o Options) (t *Table, err error) {
	err = f.archive(o.Path, func(z *archive) error {
		t, err = z.table(o, []string{"x", "X", "inputs", "x_train", "X_train"}, []string{"y", "Y", "targets", "target", "labels", "y_train"})
		return err
	})
	return t, err
}

// NPZParts is NPZ of the usual names; the arrays x_test and y_test beside x_train and
// y_train are held out; held is nil without them.
func (f *Reader) NPZParts(o Options) (train, held *Table, err error) {
	if train, err = f.NPZ(o); err != nil {
		return nil, nil, err
	}
	err = f.archive(o.Path, func(z *archive) error {
		if len(z.choose([]string{"x", "X", "inputs"})) > 0 || len(z.choose([]string{"x_test", "X_test"})) == 0 || len(z.choose([]string{"y_test"})) == 0 {
			return nil
		}
		held, err = z.table(o, []string{"x_test", "X_test"}, []string{"y_test"})
		return err
	})
	return train, held, err
}

// archive is the arrays of a .npz file by name.
type archive struct {
	names []string
	files map[string]*zip.File
}

// archive opens the file at path, which is hashed when it is read for the first time.
func (f *Reader) archive(path string, use func(*archive) error) error {
	if !slices.ContainsFunc(f.read, func(read File) bool { return read.Path == path }) {
		if err := f.each(path, func(*bufio.Reader) error { return nil }); err != nil {
			return err
		}
	}
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return locate(path, err)
	}
	r, err := zip.NewReader(file, info.Size())
	if err != nil {
		return &Error{Path: path, Fault: "not a whole .npz file, which is a zip archive: " + err.Error(), Err: err}
	}
	z := &archive{files: map[string]*zip.File{}}
	for _, entry := range r.File {
		if name, ok := strings.CutSuffix(entry.Name, ".npy"); ok {
			z.names = append(z.names, name)
			z.files[name] = entry
		}
	}
	if err := use(z); err != nil {
		return locate(path, err)
	}
	return nil
}

// choose returns the first of the names that there is, or "".
func (z *archive) choose(names []string) string {
	for _, name := range names {
		if z.files[name] != nil {
			return name
		}
	}
	return ""
}

// table reads two arrays, those that the options name or those of the usual names.
func (z *archive) table(o Options, inputs, targets []string) (*Table, error) {
	if o.Inputs != "" {
		inputs = []string{o.Inputs}
	}
	if o.Target != "" {
		targets = []string{o.Target}
	}
	t := &Table{}
	for _, part := range []struct {
		key   string
		names []string
		use   func(*array) error
	}{
		{"data.inputs", inputs, func(a *array) error { return a.inputs(t, o) }},
		{"data.target", targets, func(a *array) error { return a.targets(t, o.Regression) }},
	} {
		name := z.choose(part.names)
		if name == "" {
			return nil, fmt.Errorf("found no array %s, but %s: name one in %s", strings.Join(part.names, ", "), strings.Join(z.names[:min(len(z.names), 20)], ", "), part.key)
		}
		if err := z.read(name, part.use); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// read reads an array.
func (z *archive) read(name string, use func(*array) error) error {
	r, err := z.files[name].Open()
	if err != nil {
		return &Error{Where: "array " + name, Fault: err.Error(), Err: err}
	}
	defer r.Close()
	a, err := readNPY(bufio.NewReader(r))
	if err == nil {
		err = use(a)
	}
	var fault *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault):
		fault.Where = strings.TrimSuffix("array "+name+", "+fault.Where, ", ")
		return err
	}
	return &Error{Where: "array " + name, Fault: err.Error(), Err: err}
}
