package experiments

import (
	"fmt"

	"pkm/experiments/datasets"
)

// Load reads the dataset of the configuration. A fault of a file is a *datasets.Error.
func (d Data) Load() (*Dataset, error) {
	switch d.Source {
	case "digits":
		return LoadDigits()
	case "two-moons":
		return (&law{name: d.Source, sigma: d.Sigma, classes: 2, features: 2}).dataset(), nil
	case "spirals":
		return (&law{name: d.Source, sigma: d.Sigma, classes: d.Arms, features: 2}).dataset(), nil
	case "sinusoid":
		return (&law{name: d.Source, sigma: d.Sigma, features: 1}).dataset(), nil
	case "linear":
		return (&law{name: d.Source, sigma: d.Sigma, features: d.Features}).dataset(), nil
	}
	read := datasets.NewReader()
	train, held, err := d.tables(read)
	if err != nil {
		return nil, fmt.Errorf("load data: %w", err)
	}
	set, err := newDataset(train, held)
	if err != nil {
		return nil, fmt.Errorf("load data: %s: %w", d.Path, err)
	}
	set.Source, set.SHA256, set.Files = d.Source, read.SHA256(), read.Files()
	return set, nil
}

// tables reads the samples, and those that are held out for the queries, or nil.
func (d Data) tables(read *datasets.Reader) (train, held *datasets.Table, err error) {
	options := datasets.Options{Path: d.Path, Target: d.Target, Inputs: d.Inputs, Header: d.Header,
		Regression: d.Task == "regression", Shape: d.Shape, ChannelsLast: d.Channels == "last"}
	from := options
	if d.HeldOut.Path != "" {
		from.Path = d.HeldOut.Path
	}
	if d.HeldOut.Target != "" {
		from.Target = d.HeldOut.Target
	}
	if d.HeldOut.Inputs != "" {
		from.Inputs = d.HeldOut.Inputs
	}
	both := func(one func(datasets.Options) (*datasets.Table, error)) (train, held *datasets.Table, err error) {
		if train, err = one(options); err != nil || d.HeldOut == (HeldOut{}) {
			return train, nil, err
		}
		if d.HeldOut.Inputs == "" && d.Inputs == "" {
			from.Names, from.Named = train.Inputs, train.Target
		}
		held, err = one(from)
		return train, held, err
	}
	switch d.Source {
	case "fashion-mnist":
		return read.FashionMNIST(d.Path)
	case "idx":
		if d.Target == "" && d.HeldOut == (HeldOut{}) {
			return read.IDXFolder(options)
		}
		return both(read.IDX)
	case "csv":
		return both(read.CSV)
	case "parquet":
		return both(read.Parquet)
	case "images":
		return read.Images(options)
	case "cifar-10":
		return read.CIFAR10(options)
	case "npy":
		return both(read.NPY)
	case "npz":
		if d.Inputs == "" && d.Target == "" && d.HeldOut == (HeldOut{}) {
			return read.NPZParts(options)
		}
		return both(read.NPZ)
	}
	return nil, nil, fmt.Errorf("no source is named %q", d.Source)
}
