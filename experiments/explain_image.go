package experiments

import (
	"image"
	"image/color"
	"math"
	"slices"
)

// pictures makes images of inputs.
type pictures struct {
	channels, height, width int
	units                   *units
	low, high               float64 // of the values, black and white
}

// pictures returns how inputs are images; nil where they are none.
func (x *explainer) pictures(u *units) *pictures {
	shape := x.imageShape()
	if shape == nil {
		return nil
	}
	return &pictures{channels: shape[0], height: shape[1], width: shape[2], units: u, high: 1}
}

// imageShape returns (channels, height, width) of samples that are images, nil of others. A network of dense layers
// sees images as rows, whose shape is that of the data.
func (x *explainer) imageShape() []int {
	if len(x.shape) == 3 {
		return x.shape
	}
	d := &x.config.Data
	if len(d.Shape) == 3 {
		return d.Shape
	}
	shapes := map[string][]int{"digits": {1, 8, 8}, "fashion-mnist": {1, 28, 28}, "cifar-10": {3, 32, 32}}
	if shape := shapes[d.Source]; shape != nil {
		return shape
	}
	if d.Source != "images" && d.Source != "idx" {
		return nil
	}
	for _, channels := range []int{1, 3} { // squares
		side := int(math.Round(math.Sqrt(float64(x.shape[0] / channels))))
		if channels*side*side == x.shape[0] {
			return []int{channels, side, side}
		}
	}
	return nil
}

// fit finds black and white: 0 and 1, or the smallest and the largest value where these lie beyond.
func (p *pictures) fit(samples ...[]Figure) {
	low, high := 0.0, 0.0
	for _, s := range samples {
		for i := range s {
			v := p.units.of(s[i], i)
			low, high = min(low, v), max(high, v)
		}
	}
	const rounding = 1e-6
	p.low, p.high = low, high
	if low >= -rounding && high <= 1+rounding {
		p.low, p.high = 0, 1
	}
}

// image returns inputs as an image.
func (p *pictures) image(inputs []Figure) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, p.width, p.height))
	level := func(channel, y, x int) uint8 {
		i := (channel*p.height+y)*p.width + x
		v := (p.units.of(inputs[i], i) - p.low) / (p.high - p.low)
		return uint8(math.Round(255 * min(1, max(0, v))))
	}
	for y := range p.height {
		for x := range p.width {
			r := level(0, y, x)
			g, b := r, r
			if p.channels == 3 {
				g, b = level(1, y, x), level(2, y, x)
			}
			img.SetRGBA(x, y, color.RGBA{r, g, b, 255})
		}
	}
	return img
}

// images returns the images of the sample and of the listed training samples; nil for what is no image.
func (e *Explanation) images() (sample *image.RGBA, up, down []*image.RGBA) {
	if e.pictures == nil {
		return nil, nil, nil
	}
	all := [][]Figure{e.Sample.Inputs}
	for _, p := range slices.Concat(e.For, e.Against) {
		all = append(all, p.Inputs)
	}
	e.pictures.fit(all...)
	for _, p := range e.For {
		up = append(up, e.pictures.image(p.Inputs))
	}
	for _, p := range e.Against {
		down = append(down, e.pictures.image(p.Inputs))
	}
	return e.pictures.image(e.Sample.Inputs), up, down
}
