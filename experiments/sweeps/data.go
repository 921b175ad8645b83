package sweeps

import (
	"fmt"
	"slices"
	"strings"
)

// DataSum is a data set of a sweep's trials.
type DataSum struct {
	Data   string `json:"data"`   // its source and path
	SHA256 string `json:"sha256"` // of its bytes, as in a run's manifest
}

// dataSums reads the data sets of the trials: that of the example, and what parameters of the data lead to, one
// at a time. Data that are drawn have no bytes, and are left out.
func (s *Sweep) dataSums() ([]DataSum, error) {
	points := [][]float64{s.example}
	for i, p := range s.Space {
		if point, ok := s.activating(i); ok && strings.HasPrefix(p.Key, "data") && !p.numeric() {
			for _, u := range p.probes() {
				point[i] = u
				points = append(points, slices.Clone(point))
			}
		}
	}
	var sums []DataSum
	read := map[string]bool{}
	for _, point := range points {
		config, err := s.Config(point)
		if err != nil {
			continue // impossible, which only such a trial is
		}
		d := config.Data
		files := fmt.Sprint(d.Source, d.Path, d.Target, d.HeldOut)
		if read[files] {
			continue
		}
		read[files] = true
		set, err := d.Load()
		if err != nil {
			return nil, fmt.Errorf("read the data of the sweep: %w", err)
		}
		if sum := (DataSum{strings.TrimSpace(d.Source + " " + d.Path), set.SHA256}); sum.SHA256 != "" && !slices.Contains(sums, sum) {
			sums = append(sums, sum)
		}
	}
	return sums, nil
}

// dataDiffers returns a line that says which data set of another sweep differs, or "".
func (d *Definition) dataDiffers(other *Definition) string {
	for _, was := range d.Data {
		i := slices.IndexFunc(other.Data, func(is DataSum) bool { return is.Data == was.Data && is.SHA256 != was.SHA256 })
		if i >= 0 && !slices.Contains(other.Data, was) {
			return fmt.Sprintf("data SHA-256: it began with %s of %s, now it would be %s", was.SHA256, was.Data, other.Data[i].SHA256)
		}
	}
	return ""
}
