package experiments

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	plottext "gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// mostDrawn is how many training samples a figure shows for and against a sample.
const mostDrawn = 12

// The measures of the sheet.
const (
	sheetWidth   = 24 * vg.Centimeter
	sheetMargin  = vg.Centimeter / 2
	sheetHead    = 2 * vg.Centimeter
	sheetRow     = 1.1 * vg.Centimeter
	sheetSample  = 4 * vg.Centimeter // width of the sample's column
	sheetCaption = 3 * vg.Centimeter // width of the text beside a bar
	sheetParts   = 6 * vg.Centimeter // height of the panels below
)

// FigureFormat returns the format of a figure that a file name asks for: svg or png.
func FigureFormat(path string) (string, error) {
	switch format := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")); format {
	case "svg", "png":
		return format, nil
	}
	return "", fmt.Errorf("draw the figure %s: the name ends in %q; .svg or .png is due", path, filepath.Ext(path))
}

// Figure draws the explanation as a sheet in a format, svg or png: the sample, the strongest training samples for
// and against it with bars of their contributions, on one scale, and below what each class, layer and window
// contributed.
func (e *Explanation) Figure(w io.Writer, format string) error {
	return drawSafely(w, func(w io.Writer) error { return e.drawSheet(w, format) })
}

func (e *Explanation) drawSheet(w io.Writer, format string) error {
	up, down := e.For[:min(mostDrawn, len(e.For))], e.Against[:min(mostDrawn, len(e.Against))]
	panels, err := e.panels()
	if err != nil {
		return err
	}
	for len(panels) == 1 {
		panels = append(panels, nil)
	}
	rows := vg.Length(max(4, len(up), len(down)) + 2) // a head, and the others
	height := 2*sheetMargin + sheetHead + rows*sheetRow
	if len(panels) > 0 {
		height += sheetParts
	}
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	if format == "png" {
		canvas = pngCanvas{vgimg.NewWith(vgimg.UseWH(sheetWidth, height), vgimg.UseDPI(144))}
	} else {
		canvas = vgsvg.New(sheetWidth, height)
	}
	s := &sheet{Canvas: draw.New(canvas), explanation: e}
	s.SetColor(color.White)
	s.Fill(s.Rectangle.Path())
	s.head(height - sheetMargin)
	top := height - sheetMargin - sheetHead
	s.tornado(top, up, down)
	if len(panels) > 0 {
		area := draw.Crop(s.Canvas, sheetMargin, -sheetMargin, sheetMargin/2, -(height - sheetMargin/2 - sheetParts))
		tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: sheetMargin}
		for i, c := range plot.Align([][]*plot.Plot{panels}, tiles, area)[0] {
			if panels[i] != nil {
				panels[i].Draw(c)
			}
		}
	}
	_, err = canvas.WriteTo(w)
	return err
}

// sheet is a figure under way.
type sheet struct {
	draw.Canvas
	explanation *Explanation
}

func style(size vg.Length, grey uint8, x plottext.XAlignment) draw.TextStyle {
	f := font.From(plot.DefaultFont, size)
	f.Variant = "Sans"
	return draw.TextStyle{Color: color.Gray{grey}, Font: f, Handler: plot.DefaultTextHandler, XAlign: x, YAlign: draw.YCenter}
}

// write writes as much of a text as fits into a width.
func (s *sheet) write(style draw.TextStyle, x, y, width vg.Length, text string) {
	text = clip(text, 1000)
	for n := len([]rune(text)); n > 1 && style.Width(text) > width; n-- {
		text = clip(text, n)
	}
	s.FillText(style, vg.Point{X: x, Y: y}, text)
}

// head writes what is explained, and the sum.
func (s *sheet) head(top vg.Length) {
	e, width := s.explanation, sheetWidth-2*sheetMargin
	s.write(style(14, 0, draw.XLeft), sheetMargin, top-vg.Points(8), width, e.Name+": "+e.Title())
	s.write(style(11, 0, draw.XLeft), sheetMargin, top-vg.Points(27), width, fmt.Sprintf("%s is %s; machine %s (%s/%s), %s", e.Target.Text, number(e.Sum.Network),
		e.Machine.Name, e.Machine.Family, e.Machine.Rule, e.Machine.Source))
	s.write(style(9, 90, draw.XLeft), sheetMargin, top-vg.Points(43), width, fmt.Sprintf("%.6g before training  %+.6g by %d training samples  %+.6g by regularisation  =  %.6g;  network %.6g, residual %.1e",
		float64(e.Sum.Initial), float64(e.Sum.Contributions), e.Sum.Samples, float64(e.Sum.Regularization), float64(e.Sum.Machine), float64(e.Sum.Network), float64(e.Sum.Residual)))
}

// tornado draws the sample at the left, what was against it to the left of a line and what was for it to the right.
func (s *sheet) tornado(top vg.Length, up, down []Push) {
	e := s.explanation
	sample, ups, downs := e.images()
	if sample != nil {
		side := sheetSample - sheetMargin
		s.picture(sample, sheetMargin, top-side, side)
		below := []string{}
		if e.Sample.Label != "" {
			below = append(below, "label "+e.Sample.Label)
		}
		if e.Sample.Predicted != "" {
			below = append(below, "predicted "+e.Sample.Predicted)
		}
		s.write(style(9, 0, draw.XLeft), sheetMargin, top-side-vg.Points(10), side, strings.Join(below, ", "))
	} else {
		for j, name := range e.tableFeatures() {
			s.write(style(9, 0, draw.XLeft), sheetMargin, top-vg.Points(10+14*float64(j)), sheetSample, name+"  "+e.input(e.Sample.Inputs, j))
		}
	}
	left, right := sheetMargin+sheetSample, sheetWidth-sheetMargin
	middle := (left + right) / 2
	thumbs, caption := sheetRow, sheetCaption
	if sample == nil {
		thumbs, caption = 0, 2*sheetCaption
	}
	scale := 0.0
	for _, p := range append(append([]Push{}, up...), down...) {
		scale = max(scale, math.Abs(float64(p.Contribution)))
	}
	for i, side := range []struct {
		title  string
		pushes []Push
		images []*image.RGBA
		others Others
		sign   vg.Length
		edge   vg.Length
		align  plottext.XAlignment
	}{{"pushed it down", down, downs, e.OthersAgainst, -1, left, draw.XLeft}, {"pushed it up", up, ups, e.OthersFor, 1, right, draw.XRight}} {
		s.write(style(10, 0, side.align), side.edge, top-sheetRow/2, middle-left, side.title)
		y := top - sheetRow
		for k, p := range side.pushes {
			x := side.edge
			if side.images != nil {
				thumb := sheetRow - vg.Points(3)
				at := x
				if side.sign > 0 {
					at -= thumb
				}
				s.picture(side.images[k], at, y-sheetRow+vg.Points(1.5), thumb)
				x -= side.sign * (thumb + vg.Points(9))
			}
			label := p.Label
			if p.OriginalLabel != "" {
				label += " (was " + p.OriginalLabel + ")"
			}
			lines := []string{fmt.Sprintf("%s  #%d", label, p.Index), fmt.Sprintf("%s  %s", signed(p.Contribution), percent(p.Share))}
			if side.images == nil {
				lines = []string{strings.Join(lines, "  "), e.row(p.Inputs)}
			}
			for l, line := range lines {
				offset := vg.Points(11 * (float64(l) - float64(len(lines)-1)/2))
				s.write(style(8.5, 0, side.align), x, y-sheetRow/2-offset, caption, line)
			}
			room := middle - left - thumbs - caption - vg.Points(8)
			length := side.sign * room * vg.Length(math.Abs(float64(p.Contribution))/scale)
			s.bar(middle, y-sheetRow*0.75, length, sheetRow/2, palette[[]int{5, 0}[i]])
			y -= sheetRow
		}
		if side.others.Count > 0 {
			s.write(style(9, 90, side.align), side.edge, y-sheetRow/2, middle-left, fmt.Sprintf("%d others  %s  %s", side.others.Count, signed(side.others.Contribution), percent(side.others.Share)))
		}
	}
	s.StrokeLine2(draw.LineStyle{Color: color.Gray{120}, Width: vg.Points(0.8)}, middle, top-sheetRow*vg.Length(1+max(len(up), len(down))), middle, top-sheetRow)
}

// row returns inputs in a line, in the order in which those of the sample are named.
func (e *Explanation) row(inputs []Figure) string {
	var parts []string
	for j := range e.tableFeatures() {
		parts = append(parts, e.input(inputs, j))
	}
	return strings.Join(parts, ", ")
}

// picture draws an image into a square, in its own proportions.
func (s *sheet) picture(img *image.RGBA, x, y, side vg.Length) {
	w, h := vg.Length(img.Rect.Dx()), vg.Length(img.Rect.Dy())
	scale := side / max(w, h)
	box := vg.Rectangle{Min: vg.Point{X: x + (side-w*scale)/2, Y: y + (side-h*scale)/2}}
	box.Max = vg.Point{X: box.Min.X + w*scale, Y: box.Min.Y + h*scale}
	const pixels = 128
	s.DrawImage(box, enlarge(img, max(1, pixels/max(img.Rect.Dx(), img.Rect.Dy()))))
	s.StrokeLines(draw.LineStyle{Color: color.Gray{160}, Width: vg.Points(0.5)}, []vg.Point{box.Min, {X: box.Max.X, Y: box.Min.Y}, box.Max, {X: box.Min.X, Y: box.Max.Y}, box.Min})
}

func (s *sheet) bar(x, y, length, height vg.Length, c color.Color) {
	s.FillPolygon(c, []vg.Point{{X: x, Y: y}, {X: x + length, Y: y}, {X: x + length, Y: y + height}, {X: x, Y: y + height}})
}

// panels returns the plots of what classes, layers and windows contributed: up, down, and both together as a mark.
func (e *Explanation) panels() (panels []*plot.Plot, err error) {
	for _, side := range []struct {
		title, axis string
		parts       []Share
		name        func(Share) string
	}{
		{"by class of the training sample", "class", e.ByClass, func(p Share) string { return clip(p.Name, max(3, 60/len(e.ByClass))) }},
		{"by layer", "layer", e.ByLayer, func(p Share) string { return p.Name }},
		{"by time", "from step on", e.ByWindow, func(p Share) string { return fmt.Sprint(*p.FirstStep) }},
	} {
		if n := len(side.parts); n == 0 || n > 1000 {
			continue
		}
		p := newPanel(side.title)
		p.Title.TextStyle.Font.Size, p.X.Label.TextStyle.Font.Size = vg.Points(11), vg.Points(10)
		p.X.Label.Text, p.Y.Label.Text = side.axis, ""
		if len(panels) == 0 {
			p.Y.Label.Text, p.Y.Label.TextStyle.Font.Size = "up, down, and (dots) together", vg.Points(10)
		}
		var up, down plotter.Values
		var net plotter.XYs
		var names []string
		every := (len(side.parts) + 11) / 12 // labels that have room
		for i, part := range side.parts {
			up, down = append(up, float64(part.For)), append(down, float64(part.Against))
			net = append(net, plotter.XY{X: float64(i), Y: float64(part.Contribution)})
			name := ""
			if i%every == 0 {
				name = side.name(part)
			}
			names = append(names, name)
		}
		width := vg.Points(min(24, 130/float64(len(names))))
		for _, bars := range []struct {
			values plotter.Values
			colour int
		}{{up, 0}, {down, 5}} {
			chart, err := plotter.NewBarChart(bars.values, width)
			if err != nil {
				return nil, err
			}
			chart.Color, chart.LineStyle.Width = palette[bars.colour], 0
			p.Add(chart)
		}
		marks, err := plotter.NewScatter(net)
		if err != nil {
			return nil, err
		}
		marks.GlyphStyle = draw.GlyphStyle{Color: color.Black, Radius: vg.Points(2.2), Shape: draw.CircleGlyph{}}
		p.Add(marks)
		p.NominalX(names...)
		room := 0.05 * (p.Y.Max - p.Y.Min)
		p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
		panels = append(panels, p)
	}
	return panels, nil
}
