package datasets

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// CIFAR10 reads images of the binary version of CIFAR-10 (A. Krizhevsky, "Learning Multiple
// Layers of Features from Tiny Images", 2009), 32×32 pixels of three colours in records of
// 3,073 bytes: of a folder data_batch_1.bin to data_batch_5.bin, and test_batch.bin, which
// is held out; or of a single file, and then held is nil.
func (f *Reader) CIFAR10(o Options) (train, held *Table, err error) {
	names := []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
	batches := func(paths ...string) (*Table, error) {
		t := &Table{Shape: []int{3, 32, 32}, Names: names}
		for _, path := range paths {
			if err := f.each(path, func(r *bufio.Reader) error { return readCIFAR10(r, t) }); err != nil {
				return nil, err
			}
		}
		return t, nil
	}
	info, err := os.Stat(o.Path)
	switch {
	case err != nil:
		return nil, nil, &Error{Path: o.Path, Err: err, Fault: "no such file or folder; the folder cifar-10-batches-bin of " +
			"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz is due, unpacked"}
	case !info.IsDir():
		train, err = batches(o.Path)
		return train, nil, err
	}
	var paths []string
	for i := range 5 {
		paths = append(paths, filepath.Join(o.Path, fmt.Sprintf("data_batch_%d.bin", i+1)))
	}
	if train, err = batches(paths...); err != nil {
		return nil, nil, err
	}
	held, err = batches(filepath.Join(o.Path, "test_batch.bin"))
	return train, held, err
}

// readCIFAR10 adds records to t: a label, and the pixels of each colour.
func readCIFAR10(r io.Reader, t *Table) error {
	const pixels = 3 * 32 * 32
	record := make([]byte, 1+pixels)
	for row := 0; ; row++ {
		n, err := io.ReadFull(r, record)
		switch {
		case err == io.EOF && row > 0:
			return nil
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return &Error{Where: fmt.Sprintf("record %d", row), Fault: fmt.Sprintf("found %d bytes, %d are due; is this the binary version, and whole?", n, len(record)), Err: io.ErrUnexpectedEOF}
		case err != nil:
			return err
		case int(record[0]) >= len(t.Names):
			return &Error{Where: fmt.Sprintf("record %d", row), Fault: fmt.Sprintf("found the label %d, a class from 0 to %d is due; is this the binary version of CIFAR-10?", record[0], len(t.Names)-1)}
		}
		t.Labels, t.Pixels = append(t.Labels, t.Names[record[0]]), append(t.Pixels, record[1:]...)
		t.Rows++
	}
}
