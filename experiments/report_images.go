package experiments

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
)

// mostPixels bounds the values of all images of a page; larger images are made smaller.
const mostPixels = 15 << 18

// mostColumns is how many inputs of a row a page shows.
const mostColumns = 12

// sprite is many images in one, in rows of Columns images.
type sprite struct {
	Width   int    `json:"width"` // of one image, in pixels
	Height  int    `json:"height"`
	Columns int    `json:"columns"`
	PNG     string `json:"png"` // Base64
}

// features are the inputs of rows that are no images.
type features struct {
	Names  []string `json:"names"`
	Of     int      `json:"of"`     // inputs of a row, of which the first are shown
	Values string   `json:"values"` // (queries + samples, len(Names)), packed
}

// picture adds the images, or the rows, of the queries and the samples that appear.
func (e *explorer) picture(r *reportSource) error {
	shape, err := r.shape("train_inputs")
	if err != nil {
		return err
	}
	if len(shape) < 2 || shape[0] != r.summary.Samples.Train {
		return fmt.Errorf("arrays/train_inputs.npy: shape %v, want %d samples", shape, r.summary.Samples.Train)
	}
	channels, height, width, image := r.imageShape(shape[1:])
	size := sizeOf(shape[1:])
	queries := make([]int, e.Queries)
	for q := range queries {
		queries[q] = q
	}
	rows, err := r.samples("query_inputs", e.Of, shape[1:], queries)
	if err != nil {
		return err
	}
	train, err := r.samples("train_inputs", shape[0], shape[1:], e.Samples.Index)
	if err != nil {
		return err
	}
	rows = append(rows, train...)
	if err := r.unstandardise(rows, shape[1:]); err != nil {
		return err
	}
	if !image {
		shown := min(size, mostColumns)
		e.Features = &features{Names: featureNames(r.config, r.manifest.Data.Inputs, size)[:shown], Of: size}
		var values []float64
		for _, row := range rows {
			values = append(values, row[:shown]...)
		}
		e.Features.Values = pack(values)
		return nil
	}
	e.Images, err = newSprite(rows, channels, height, width)
	return err
}

// imageShape returns the shape of a sample as an image, whatever shape the network sees it in.
func (r *reportSource) imageShape(seen []int) (channels, height, width int, ok bool) {
	shape := r.manifest.Data.Shape
	if sizeOf(shape) != sizeOf(seen) { // a run from before it was recorded
		shape = seen
	}
	if source := r.config.Data.Source; len(shape) == 1 && (source == "digits" || source == "fashion-mnist") {
		side := int(math.Round(math.Sqrt(float64(shape[0]))))
		shape = []int{side, shape[0] / max(1, side)}
	}
	if len(shape) == 2 {
		shape = []int{1, shape[0], shape[1]}
	}
	if len(shape) != 3 || shape[0] != 1 && shape[0] != 3 || shape[1] < 2 || shape[2] < 2 || sizeOf(shape) != sizeOf(seen) {
		return 0, 0, 0, false
	}
	return shape[0], shape[1], shape[2], true
}

// sizeOf returns that of the numbers, 1 of none.
func sizeOf(shape []int) int {
	p := 1
	for _, n := range shape {
		p *= n
	}
	return p
}

// samples reads some samples (in ascending order) of an array (n, shape...).
func (r *reportSource) samples(name string, n int, shape, wanted []int) ([][]float64, error) {
	each := sizeOf(shape[:len(shape)-1]) // rows of the array in a sample
	var out [][]float64
	next := 0
	err := r.rows(name, append([]int{n}, shape...), func(row int, values []float64) {
		if next == len(wanted) || row/each != wanted[next] {
			return
		}
		if row%each == 0 {
			out = append(out, nil)
		}
		out[next] = append(out[next], values...)
		if row%each == each-1 {
			next++
		}
	})
	return out, err
}

// unstandardise gives inputs the values that the data have.
func (r *reportSource) unstandardise(rows [][]float64, shape []int) error {
	if has, err := r.shape("input_mean"); has == nil || err != nil {
		return err
	}
	mean, err := r.array("input_mean", shape...)
	if err != nil {
		return err
	}
	deviation, err := r.array("input_std", shape...)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for j := range row {
			row[j] = row[j]*deviation[j] + mean[j]
		}
	}
	return nil
}

// newSprite draws images (channels, height, width) side by side. Values from 0 to 1 are black to white; others are
// stretched from the least to the largest of all.
func newSprite(rows [][]float64, channels, height, width int) (*sprite, error) {
	low, high := 0.0, 1.0
	for _, row := range rows {
		for _, v := range row {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	factor := 1 // by which images shrink
	for len(rows)*channels*(height/factor)*(width/factor) > mostPixels && height/factor >= 16 && width/factor >= 16 {
		factor++
	}
	s := &sprite{Width: width / factor, Height: height / factor}
	s.Columns = max(1, int(math.Ceil(math.Sqrt(float64(len(rows)*s.Height)/float64(s.Width)))))
	bounds := image.Rect(0, 0, s.Columns*s.Width, (len(rows)+s.Columns-1)/s.Columns*s.Height)
	grey, rgba := image.NewGray(bounds), (*image.RGBA)(nil)
	if channels == 3 {
		rgba = image.NewRGBA(bounds)
	}
	for k, row := range rows {
		x0, y0 := k%s.Columns*s.Width, k/s.Columns*s.Height
		for y := range s.Height {
			for x := range s.Width {
				var c [3]uint8
				for channel := range channels {
					sum := 0.0
					for dy := range factor {
						at := (channel*height+y*factor+dy)*width + x*factor
						for _, v := range row[at : at+factor] {
							sum += v
						}
					}
					c[channel] = level(sum/float64(factor*factor), low, high)
				}
				if rgba != nil {
					rgba.SetRGBA(x0+x, y0+y, color.RGBA{c[0], c[1], c[2], 255})
				} else {
					grey.SetGray(x0+x, y0+y, color.Gray{c[0]})
				}
			}
		}
	}
	var picture image.Image = grey
	if rgba != nil {
		picture = rgba
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("draw the samples: %w", err)
	}
	s.PNG = base64.StdEncoding.EncodeToString(b.Bytes())
	return s, nil
}

// level maps low…high to 0…255.
func level(v, low, high float64) uint8 {
	share := (v - low) / (high - low)
	if math.IsNaN(share) {
		return 0
	}
	return uint8(math.Round(255 * min(1, max(0, share))))
}

// byClass returns the numbers of samples ordered by class; of a regression by the first number to predict.
func byClass(n int, class []int, targets []float64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if class != nil {
			return class[a] - class[b]
		}
		switch x, y := targets[a], targets[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return order
}
