package main

import (
	"bytes"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The colours of Okabe and Ito, which colour-blind readers can tell apart.
var blue, orange, green, grey = color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255}, color.RGBA{120, 120, 120, 255}

// panel returns an empty plot.
func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	p.Title.Padding, p.Legend.Top = vg.Points(6), true
	return p
}

// write draws panels side by side into a PNG file.
func write(file string, panels ...*plot.Plot) error {
	const width, height, pad = 11 * vg.Centimeter, 9 * vg.Centimeter, vg.Centimeter / 3
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width*vg.Length(len(panels)), height), vgimg.UseDPI(120))}
	dc := draw.New(canvas)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 2 * pad, PadTop: pad, PadRight: pad, PadBottom: pad, PadLeft: pad}
	for i, p := range panels {
		p.Draw(tiles.At(dc, i, 0))
	}
	var picture bytes.Buffer
	if _, err := canvas.WriteTo(&picture); err != nil {
		return err
	}
	return os.WriteFile(file, picture.Bytes(), 0o666)
}

// dots adds points of a colour, named in the legend.
func dots(p *plot.Plot, name string, colour color.Color, points plotter.XYs) error {
	s, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	s.Color, s.Shape, s.Radius = colour, draw.CircleGlyph{}, vg.Points(1.8)
	p.Add(s)
	p.Legend.Add(name, s)
	return nil
}

// curve adds a line of a colour, named in the legend.
func curve(p *plot.Plot, name string, colour color.Color, dashed bool, points plotter.XYs) error {
	l, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	l.Color, l.Width = colour, vg.Points(1.5)
	if dashed {
		l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	}
	p.Add(l)
	p.Legend.Add(name, l)
	return nil
}
