package experiments

import (
	"fmt"
	"image/color"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"pkm/pathkernel"
)

const (
	convergenceWidth  = 18 * vg.Centimeter
	convergenceHeight = 12 * vg.Centimeter
)

// SVG draws error over learning rate, both logarithmic: a line for each machine, with its slope in the legend, and a
// triangle for each order that is expected. Points at the rounding floor are hollow.
func (c *Convergence) SVG(w io.Writer) error {
	canvas := vgsvg.New(convergenceWidth, convergenceHeight)
	return drawSafely(w, func(w io.Writer) error {
		if err := c.draw(draw.New(canvas)); err != nil {
			return err
		}
		_, err := canvas.WriteTo(w)
		return err
	})
}

// PNG draws the same as pixels.
func (c *Convergence) PNG(w io.Writer) error {
	canvas := pngCanvas{vgimg.NewWith(vgimg.UseWH(convergenceWidth, convergenceHeight), vgimg.UseDPI(150))}
	return drawSafely(w, func(w io.Writer) error {
		if err := c.draw(draw.New(canvas)); err != nil {
			return err
		}
		_, err := canvas.WriteTo(w)
		return err
	})
}

// draw draws the study. The axes are those of the logarithms: gonum/plot misplaces the labels of logarithmic ones.
func (c *Convergence) draw(canvas draw.Canvas) error {
	p := newPanel(c.Name + ": error of the kernel machines by " + c.Quantity)
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text, p.Y.Label.Text = c.Quantity+", at "+c.Quantity+" × steps = "+short(c.Product), "relative error"
	if c.Error == MaxAbsErrorName {
		p.Y.Label.Text = "largest |ŷ − f(x; w_S)|"
	}
	legend := plot.NewLegend()
	legend.Left, legend.Top, legend.Padding = true, true, vg.Points(3)
	legend.TextStyle.Font = font.From(p.Legend.TextStyle.Font, vg.Points(10))
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i := range c.Machines {
		m := &c.Machines[i]
		line := c.points(m, func(ConvergencePoint) bool { return true })
		if err := drawMachine(p, &legend, m, i, line, c.points(m, ConvergencePoint.fitted), c.points(m, func(q ConvergencePoint) bool { return q.Floor })); err != nil {
			return err
		}
		for _, q := range line {
			lowest, highest = min(lowest, q.Y), max(highest, q.Y)
		}
	}
	if lowest > highest {
		lowest, highest = -17, 0 // nothing to draw
	}
	p.Y.Min, p.Y.Max = math.Floor(lowest), math.Ceil(highest+0.05)
	errors := decades{}.Ticks(math.Pow(10, p.Y.Min), math.Pow(10, p.Y.Max))
	var rates plot.ConstantTicks
	for i := range errors {
		errors[i].Value = math.Log10(errors[i].Value)
	}
	for _, l := range c.Levels {
		rates = append(rates, plot.Tick{Value: math.Log10(float64(l.LearningRate)), Label: short(l.LearningRate)})
	}
	p.X.Min, p.X.Max = rates[len(rates)-1].Value-0.04, rates[0].Value+0.06
	p.X.Tick.Marker, p.Y.Tick.Marker = rates, plot.ConstantTicks(errors)
	if err := c.triangles(p, 0.03*(p.Y.Max-p.Y.Min)); err != nil {
		return err
	}
	canvas.SetColor(color.White) // for pages in dark mode
	canvas.Fill(canvas.Rectangle.Path())
	const pad = vg.Centimeter / 4
	beside := 1.2*legend.Rectangle(canvas).Size().X + 2*pad // where it covers no line, and with room for a browser's wider font
	p.Draw(draw.Crop(canvas, pad, -beside, pad, -pad))
	legend.Draw(draw.Crop(canvas, convergenceWidth-beside+pad, 0, pad, -vg.Centimeter))
	return nil
}

// fitted reports whether the slope is fitted to the point.
func (p ConvergencePoint) fitted() bool { return !p.Floor }

// points returns the points of a machine that have a place in the picture, as logarithms to base ten.
func (c *Convergence) points(m *MachineConvergence, keep func(ConvergencePoint) bool) plotter.XYs {
	points := plotter.XYs{}
	for _, p := range m.Points {
		if e := p.error(c.Error); keep(p) && e > 0 {
			points = append(points, plotter.XY{X: math.Log10(float64(p.LearningRate)), Y: math.Log10(e)})
		}
	}
	return finite(points)
}

// drawMachine draws the line of a machine with full and hollow points.
func drawMachine(p *plot.Plot, legend *plot.Legend, m *MachineConvergence, i int, all, full, hollow plotter.XYs) error {
	if len(all) == 0 {
		return nil
	}
	colors := append(slices.Clone(palette), color.RGBA{A: 255}) // the usual rules are seven
	style := draw.LineStyle{Color: colors[i%len(colors)], Width: vg.Points(1.2)}
	if m.Family == pathkernel.FlowFamily {
		style.Dashes = []vg.Length{vg.Points(4), vg.Points(2)}
	}
	line, err := plotter.NewLine(all)
	if err != nil {
		return err
	}
	line.LineStyle = style
	p.Add(line)
	entry := []plot.Thumbnailer{line}
	shapes := [][2]draw.GlyphDrawer{{draw.CircleGlyph{}, draw.RingGlyph{}}, {draw.PyramidGlyph{}, draw.TriangleGlyph{}}, {draw.BoxGlyph{}, draw.SquareGlyph{}}}
	for k, points := range []plotter.XYs{full, hollow} {
		if len(points) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: vg.Points(3), Shape: shapes[i%len(shapes)][k]}
		p.Add(scatter)
		if k == 0 {
			entry = append(entry, scatter)
		}
	}
	text := shorten(m.Name, 24) + ": no slope"
	if m.Fitted > 1 {
		text = fmt.Sprintf("%s: slope %s", shorten(m.Name, 24), fixed(m.Slope))
	}
	legend.Add(text, entry...)
	return nil
}

// triangles draws a right triangle of each expected order below the lowest machine of that order, between
// the two smallest learning rates of its fit: its height is order times its length. gap is
// between line and triangle.
func (c *Convergence) triangles(p *plot.Plot, gap float64) error {
	lowest := map[int]plotter.XYs{}
	for i := range c.Machines {
		m := &c.Machines[i]
		points := c.points(m, ConvergencePoint.fitted)
		if len(points) < 2 {
			continue
		}
		points = points[len(points)-2:]
		if other := lowest[m.Order]; other == nil || points[1].Y < other[1].Y {
			lowest[m.Order] = points
		}
	}
	for _, order := range slices.Sorted(maps.Keys(lowest)) {
		points := lowest[order]
		left, right := points[1].X, points[0].X
		base := points[1].Y - gap
		top := base + float64(order)*(right-left)
		if base < p.Y.Min {
			continue
		}
		triangle, err := plotter.NewLine(plotter.XYs{{X: left, Y: base}, {X: right, Y: base}, {X: right, Y: top}, {X: left, Y: base}})
		if err != nil {
			return err
		}
		triangle.Color, triangle.Width = color.Gray{110}, vg.Points(0.7)
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: right, Y: (base + top) / 2}}, Labels: []string{strconv.Itoa(order)}})
		if err != nil {
			return err
		}
		label.Offset = vg.Point{X: vg.Points(3), Y: -vg.Points(3)}
		label.TextStyle[0].Font.Variant, label.TextStyle[0].Font.Size, label.TextStyle[0].Color = "Sans", vg.Points(9), color.Gray{110}
		p.Add(triangle, label)
	}
	return nil
}
