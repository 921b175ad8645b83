package experiments

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"unicode/utf8"
)

// stripWidth is how many pixels wide an image of a strip is at most.
const stripWidth = 16

// Strips returns the images of the sample, of those for and of those against it, for a terminal of so
// many columns: two pixels are a character, in ANSI's colours, or in black and white without. "" for
// samples that are no images.
func (e *Explanation) Strips(columns int, colours bool) string {
	sample, up, down := e.images()
	if sample == nil {
		return ""
	}
	var b strings.Builder
	labels := func(pushes []Push) (names []string) {
		for _, p := range pushes {
			names = append(names, p.Label)
		}
		return names
	}
	for _, row := range []struct {
		title  string
		images []*image.RGBA
		labels []string
	}{{"the sample", []*image.RGBA{sample}, []string{e.Sample.Label}}, {"pushed it up", up, labels(e.For)}, {"pushed it down", down, labels(e.Against)}} {
		if len(row.images) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", row.title)
		for i, img := range row.images {
			row.images[i] = shrink(img, (img.Rect.Dx()+stripWidth-1)/stripWidth)
		}
		width := row.images[0].Rect.Dx()
		fit := max(1, min(len(row.images), (columns+1)/(width+1)))
		for y := 0; y < row.images[0].Rect.Dy(); y += 2 {
			for i, img := range row.images[:fit] {
				if i > 0 {
					b.WriteByte(' ')
				}
				halfBlocks(&b, img, y, colours)
			}
			b.WriteByte('\n')
		}
		var line strings.Builder
		for _, label := range row.labels[:fit] {
			label = clip(label, width)
			line.WriteString(label + strings.Repeat(" ", width+1-utf8.RuneCountInString(label)))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String() + "\n"
}

// clip returns at most so many characters of a text, none of which moves the cursor.
func clip(text string, width int) string {
	var out []rune
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		out = append(out, r)
	}
	if len(out) > width {
		out = append(out[:max(0, width-1)], '…')
	}
	return string(out)
}

// halfBlocks writes rows y and y+1 of an image.
func halfBlocks(b *strings.Builder, img *image.RGBA, y int, colours bool) {
	for x := range img.Rect.Dx() {
		upper, lower := img.RGBAAt(x, y), color.RGBA{}
		if y+1 < img.Rect.Dy() {
			lower = img.RGBAAt(x, y+1)
		}
		if colours {
			fmt.Fprintf(b, "\x1b[38;%s;48;%sm▀", ansi(upper), ansi(lower))
			continue
		}
		const middle = 128
		switch bright, brightBelow := upper.G >= middle, lower.G >= middle; {
		case bright && brightBelow:
			b.WriteRune('█')
		case bright:
			b.WriteRune('▀')
		case brightBelow:
			b.WriteRune('▄')
		default:
			b.WriteByte(' ')
		}
	}
	if colours {
		b.WriteString("\x1b[0m")
	}
}

// ansi returns a colour: of the 24 greys of 256 colours, or of all.
func ansi(c color.RGBA) string {
	if c.R == c.G && c.G == c.B {
		const first, greys = 232, 24
		return fmt.Sprintf("5;%d", first+int(c.R)*(greys-1)/255)
	}
	return fmt.Sprintf("2;%d;%d;%d", c.R, c.G, c.B)
}

// shrink averages squares of so many pixels.
func shrink(img *image.RGBA, factor int) *image.RGBA {
	if factor <= 1 {
		return img
	}
	w, h := (img.Rect.Dx()+factor-1)/factor, (img.Rect.Dy()+factor-1)/factor
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var r, g, b, n int
			for j := y * factor; j < min((y+1)*factor, img.Rect.Dy()); j++ {
				for i := x * factor; i < min((x+1)*factor, img.Rect.Dx()); i++ {
					c := img.RGBAAt(i, j)
					r, g, b, n = r+int(c.R), g+int(c.G), b+int(c.B), n+1
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(r / n), uint8(g / n), uint8(b / n), 255})
		}
	}
	return out
}

// enlarge repeats pixels, so that they stay squares in a picture.
func enlarge(img *image.RGBA, factor int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, img.Rect.Dx()*factor, img.Rect.Dy()*factor))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.SetRGBA(x, y, img.RGBAAt(x/factor, y/factor))
		}
	}
	return out
}
