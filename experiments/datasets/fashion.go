package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// FashionMNISTFolder is where Debian's package puts the files.
const FashionMNISTFolder = "/usr/share/datasets/fashion-mnist"

// FashionMNIST reads the training and the test images of Fashion-MNIST (H. Xiao, K. Rasul
// and R. Vollgraf, arXiv 1708.07747), 28×28 pixels and ten classes, from a folder with its
// four files, or where Debian's package puts them if folder is "". A missing one is an
// error that says how to get it.
func (f *Reader) FashionMNIST(folder string) (train, test *Table, err error) {
	if folder == "" {
		folder = FashionMNISTFolder
	}
	classes := []string{"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"}
	for _, side := range []struct {
		name string
		to   **Table
	}{{"train", &train}, {"t10k", &test}} {
		inputs, targets := mnistNames(folder, side.name)
		for _, path := range []string{inputs, targets} {
			if _, err := os.Stat(path); err != nil {
				return nil, nil, &Error{Path: path, Err: err, Fault: "no such file; to get Fashion-MNIST: apt-get install dataset-fashion-mnist, " +
					"or scripts/fetch-fashion-mnist FOLDER and data.path: FOLDER"}
			}
		}
		t, err := f.IDX(Options{Path: inputs, Target: targets})
		if err != nil {
			return nil, nil, err
		}
		if !slices.Equal(t.Shape, []int{1, 28, 28}) || t.Pixels == nil {
			return nil, nil, &Error{Path: inputs, Fault: fmt.Sprintf("found images of shape %v, (28, 28) bytes are due; files of another data set are read with data.source: idx", t.Shape)}
		}
		for i, label := range t.Labels {
			c, err := strconv.Atoi(label)
			if err != nil || c < 0 || c >= len(classes) {
				return nil, nil, &Error{Path: targets, Where: fmt.Sprintf("label %d", i), Fault: fmt.Sprintf("found %s, a class from 0 to %d is due", label, len(classes)-1)}
			}
			t.Labels[i] = classes[c]
		}
		t.Names = classes
		*side.to = t
	}
	return train, test, nil
}

// mnistNames returns the paths of the images and the labels of a side, train or t10k, of a
// folder in the manner of MNIST: without .gz where there are such files.
func mnistNames(folder, side string) (images, labels string) {
	name := func(file string) string {
		path := filepath.Join(folder, file)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		return path + ".gz"
	}
	return name(side + "-images-idx3-ubyte"), name(side + "-labels-idx1-ubyte")
}
