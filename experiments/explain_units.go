package experiments

import (
	"fmt"
	"math"
)

// units are those of the data's inputs, which a run may have standardised for the network.
type units struct{ mean, deviation []float64 } // nil: as they are

// units reads the mean and the standard deviation that the run was trained with.
func (x *explainer) units() (u *units, err error) {
	u = &units{}
	if !x.config.Data.Standardize {
		return u, nil
	}
	if u.mean, err = x.part("input_mean", x.shape); err != nil {
		return nil, err
	}
	u.deviation, err = x.part("input_std", x.shape)
	return u, err
}

// of returns input i, which the network sees as v, in the units of the data.
func (u *units) of(v Figure, i int) float64 {
	if u.mean == nil {
		return float64(v)
	}
	return float64(v)*u.deviation[i] + u.mean[i]
}

// standardize makes inputs of samples what the network sees.
func (u *units) standardize(inputs []float64) error {
	if u.mean == nil {
		return nil
	}
	for i, v := range inputs {
		j := i % len(u.mean)
		if inputs[i] = (v - u.mean[j]) / u.deviation[j]; math.IsInf(inputs[i], 0) || math.IsNaN(inputs[i]) {
			return fmt.Errorf("input %d of sample %d is %g, too far from the mean %g of the training samples", j, i/len(u.mean), v, u.mean[j])
		}
	}
	return nil
}
