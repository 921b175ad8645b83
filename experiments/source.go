package experiments

import (
	"fmt"

	"pkm/experiments/datasets"
)

// Load reads the dataset of the configuration. A fault of a file is a *datasets.Error.
func (d Data) Load() (*Dataset, error) {
	if d.Source == "digits" {
		return LoadDigits()
	}
	read := datasets.NewReader()
	train, held, err := d.tables(read)
	if err != nil {
		return nil, fmt.Errorf("load data: %w", err)
	}
	set, err := newDataset(train, held)
	if err != nil {
		return nil, fmt.Errorf("load data: %w", err)
	}
	set.Source, set.SHA256, set.Files = d.Source, read.SHA256(), read.Files()
	return set, nil
}

// tables reads the samples, and those that are held out for the queries, or nil.
func (d Data) tables(read *datasets.Reader) (train, held *datasets.Table, err error) {
	if d.Source == "fashion-mnist" {
		return read.FashionMNIST(d.Path)
	}
	return nil, nil, fmt.Errorf("no source is named %q; there are digits, fashion-mnist", d.Source)
}
