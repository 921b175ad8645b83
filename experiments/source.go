package experiments

import "fmt"

// Load reads the dataset of the configuration.
func (d Data) Load() (*Dataset, error) {
	if d.Source == "digits" {
		return LoadDigits()
	}
	return nil, fmt.Errorf("load data: no source is named %q; there is digits", d.Source)
}
