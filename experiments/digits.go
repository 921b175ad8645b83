package experiments

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // the data
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

//go:embed data/digits.csv.gz
var digitsFile []byte

// LoadDigits returns the embedded handwritten digits: 1,797 images of 8×8 pixels
// in [0, 1], ten classes.
func LoadDigits() (*Dataset, error) {
	d, err := readDigits(digitsFile)
	if err != nil {
		return nil, fmt.Errorf("read the embedded digits: %w", err)
	}
	return d, nil
}

func readDigits(file []byte) (*Dataset, error) {
	const pixels, brightest, classes = 64, 16, 10
	unzipped, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(file)
	d := &Dataset{Source: "digits", SHA256: hex.EncodeToString(sum[:]), Shape: []int{1, 8, 8}, Classes: classes}
	row := 0
	for line := range strings.Lines(string(text)) {
		row++
		fields := strings.Split(strings.TrimSpace(line), ",")
		if len(fields) != pixels+1 {
			return nil, fmt.Errorf("row %d: found %d values, %d pixels and a label are due", row, len(fields), pixels)
		}
		for column, field := range fields {
			limit := brightest
			if column == pixels {
				limit = classes - 1
			}
			v, err := strconv.Atoi(field)
			if err != nil || v < 0 || v > limit {
				return nil, fmt.Errorf("row %d, value %d: found %q, a number from 0 to %d is due", row, column+1, field, limit)
			}
			if column == pixels {
				d.Labels = append(d.Labels, v)
			} else {
				d.Inputs = append(d.Inputs, float64(v)/brightest)
			}
		}
	}
	return d, nil
}
