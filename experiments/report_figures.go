package experiments

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// figureSize is that of a pair of panels.
const figureWidth, figureHeight = 22 * vg.Centimeter, 10 * vg.Centimeter

// writePictures writes the plots of the page as figures/*.svg and *.png. Numbers of a run may be too extreme for an
// axis; such a figure is left out, which must not cost the run.
func (d *RunDir) writePictures(r *reportSource) error {
	heat, err := newHeatMap(r)
	if err != nil {
		return err
	}
	accounts, err := r.lossAccounts()
	if err != nil {
		return err
	}
	figures := []struct {
		name        string
		left, right func() (*plot.Plot, error)
	}{
		{"training", r.lossPanel, r.residualPanel},
		{"agreement", nil, nil},
		{"path-kernel", nil, nil},
		{"loss-account", nil, nil},
		{"tangent-kernel", r.eigenvaluePanel, r.alignmentPanel},
	}
	for _, f := range figures {
		var panels []*plot.Plot
		var fault error
		switch {
		case f.name == "agreement":
			panels, fault = r.agreementPanels()
		case f.name == "path-kernel" && heat != nil:
			panels = []*plot.Plot{heat.panel()}
		case f.name == "loss-account" && len(accounts) > 0:
			panels, fault = accountPanels(accounts)
		case f.name == "tangent-kernel" && len(r.analysis) == 0, f.left == nil:
			continue
		default:
			var left, right *plot.Plot
			if left, fault = f.left(); fault == nil {
				right, fault = f.right()
			}
			panels = []*plot.Plot{left, right}
		}
		if fault != nil {
			continue
		}
		for _, format := range []string{"svg", "png"} {
			var picture strings.Builder
			if drawSafely(&picture, func(w io.Writer) error { return drawPanels(w, format, panels...) }) != nil {
				break
			}
			if err := d.WriteFile("figures/"+f.name+"."+format, func(w io.Writer) error {
				_, err := io.WriteString(w, picture.String())
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// drawSafely makes an error of a panic in gonum/plot, which has some for ranges
// of numbers it cannot mark.
func drawSafely(w io.Writer, draw func(io.Writer) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the numbers are too extreme to draw: %v", r)
		}
	}()
	return draw(w)
}

// finite drops points that have no place in a picture.
func finite(points plotter.XYs) plotter.XYs {
	return slices.DeleteFunc(points, func(p plotter.XY) bool {
		return math.IsNaN(p.Y-p.Y) || math.IsNaN(p.X-p.X)
	})
}

// drawPanels draws panels side by side, as svg or png.
func drawPanels(w io.Writer, format string, panels ...*plot.Plot) error {
	const pad = vg.Centimeter / 4
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	width := figureWidth
	if len(panels) == 1 {
		width = figureWidth / 2
	}
	if format == "png" {
		canvas = pngCanvas{vgimg.NewWith(vgimg.UseWH(width, figureHeight), vgimg.UseDPI(144))}
	} else {
		canvas = vgsvg.New(width, figureHeight)
	}
	dc := draw.New(canvas)
	dc.SetColor(color.White) // for pages in dark mode
	dc.Fill(dc.Rectangle.Path())
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 2 * pad, PadTop: pad, PadRight: pad, PadBottom: pad, PadLeft: pad}
	for i, p := range panels {
		p.Draw(tiles.At(dc, i, 0))
	}
	_, err := canvas.WriteTo(w)
	return err
}

// pngCanvas writes PNG with little compression: a heat map in a fifth of the time of vgimg.PngCanvas, and a fifth larger.
type pngCanvas struct{ *vgimg.Canvas }

// WriteTo writes the picture to w.
func (c pngCanvas) WriteTo(w io.Writer) (int64, error) {
	var picture bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&picture, c.Image()); err != nil {
		return 0, err
	}
	return picture.WriteTo(w)
}

// agreementPanels draws network against machines.
func (r *reportSource) agreementPanels() ([]*plot.Plot, error) {
	var machines []prediction
	for _, m := range r.machines {
		if m.target == "" {
			machines = append(machines, prediction{m.name, m.predictions})
		}
	}
	return agreementPanels(r.manifest.Name, r.final, machines)
}

// plotCurve is a line of a panel.
type plotCurve struct {
	name   string
	points plotter.XYs
}

// linePanel draws curves, on a logarithmic axis where logarithmic.
func linePanel(title, x, y string, logarithmic bool, curves ...plotCurve) (*plot.Plot, error) {
	p := newPanel(title)
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Legend.Left, p.Legend.XOffs = false, -vg.Points(8)
	low, high := math.Inf(1), 0.0
	for i, c := range curves {
		points := finite(c.points)
		if logarithmic {
			points = slices.DeleteFunc(points, func(p plotter.XY) bool { return p.Y <= 0 })
		}
		if len(points) == 0 {
			continue
		}
		for _, at := range points {
			low, high = min(low, at.Y), max(high, at.Y)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", title, err)
		}
		line.Color, line.Width = palette[i%len(palette)], vg.Points(1.2)
		p.Add(line)
		if len(curves) > 1 {
			p.Legend.Add(c.name, line)
		}
	}
	if logarithmic && high > 0 {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
		p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)+1e-9))
	}
	// Room for the legend.
	if len(curves) > 1 && logarithmic {
		p.Y.Max *= 10
	} else if len(curves) > 1 {
		p.Y.Max += 0.3 * (p.Y.Max - p.Y.Min)
	}
	return p, nil
}

// stepCurve returns a figure of the metrics over steps.
func (r *reportSource) stepCurve(name string, of func(StepMetrics) Figure) plotCurve {
	c, every := plotCurve{name: name}, 1+len(r.steps)/2000
	for i, s := range r.steps {
		if i%every == 0 || i == len(r.steps)-1 {
			c.points = append(c.points, plotter.XY{X: float64(s.Step), Y: float64(of(s))})
		}
	}
	return c
}

func (r *reportSource) lossPanel() (*plot.Plot, error) {
	return linePanel("training loss", "step", "mean loss", false, r.stepCurve("loss", func(s StepMetrics) Figure { return s.Loss }))
}

func (r *reportSource) residualPanel() (*plot.Plot, error) {
	return linePanel("residual of each step", "step", "largest |residual|", true, r.stepCurve("residual", func(s StepMetrics) Figure { return s.StepResidual }))
}

// analysisCurve returns a figure of the analysis over steps.
func (r *reportSource) analysisCurve(name string, of func(KernelAnalysis) Figure) plotCurve {
	c := plotCurve{name: name}
	for _, l := range r.analysis {
		c.points = append(c.points, plotter.XY{X: float64(l.Step), Y: float64(of(l))})
	}
	return c
}

func (r *reportSource) eigenvaluePanel() (*plot.Plot, error) {
	var curves []plotCurve
	for k := range min(len(palette), len(r.analysis[0].Eigenvalues)) {
		curves = append(curves, r.analysisCurve(fmt.Sprintf("λ%d", k+1), func(l KernelAnalysis) Figure {
			if k < len(l.Eigenvalues) {
				return l.Eigenvalues[k]
			}
			return Figure(math.NaN())
		}))
	}
	return linePanel("largest eigenvalues of the tangent kernel", "step", "eigenvalue", true, curves...)
}

func (r *reportSource) alignmentPanel() (*plot.Plot, error) {
	return linePanel("the tangent kernel and the targets", "step", "", false,
		r.analysisCurve("alignment", func(l KernelAnalysis) Figure { return l.Alignment }),
		r.analysisCurve("centred alignment", func(l KernelAnalysis) Figure { return l.CenteredAlignment }),
		r.analysisCurve("distance from the first", func(l KernelAnalysis) Figure { return l.DistanceFromInitial }))
}

// panel draws the heat map, the first query at the top.
func (h *heatMap) panel() *plot.Plot {
	p := newPanel("path kernel, ordered by class")
	p.X.Label.Text, p.Y.Label.Text = "training samples", "queries"
	picture := image.NewRGBA(image.Rect(0, 0, h.Columns, h.Rows))
	for y := range h.Rows {
		for x := range h.Columns {
			picture.SetRGBA(x, y, diverging(h.cells[y*h.Columns+x]/float64(h.Limit)))
		}
	}
	p.Add(plotter.NewImage(picture, 0, 0, float64(h.Columns), float64(h.Rows)))
	p.X.Tick.Marker, p.Y.Tick.Marker = heatTicks(h.ColumAt, h.Columns, false), heatTicks(h.RowAt, h.Rows, true)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(h.Columns), 0, float64(h.Rows)
	return p
}

// heatTicks names the classes in the middle of their cells, where there is room.
func heatTicks(at []bound, cells int, down bool) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	last := math.Inf(-1)
	for i, b := range at {
		end := float64(cells)
		if i+1 < len(at) {
			end = at[i+1].At
		}
		middle := (b.At + end) / 2
		if middle-last < float64(cells)/25 {
			continue
		}
		last = middle
		if down {
			middle = float64(cells) - middle
		}
		ticks = append(ticks, plot.Tick{Value: middle, Label: shorten(b.Name, 8)})
	}
	return ticks
}

// diverging colours −1…1 from red over white to blue, in colours that colour-blind readers tell apart.
func diverging(v float64) color.RGBA {
	if math.IsNaN(v) {
		return color.RGBA{128, 128, 128, 255}
	}
	end := color.RGBA{33, 102, 172, 255}
	if v < 0 {
		end = color.RGBA{178, 24, 43, 255}
	}
	share := min(1, math.Abs(v))
	mix := func(to uint8) uint8 { return uint8(math.Round(255 + share*(float64(to)-255))) }
	return color.RGBA{mix(end.R), mix(end.G), mix(end.B), 255}
}

// wrap breaks a title into lines of at most so many characters, long words too.
func wrap(text string, most int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for utf8.RuneCountInString(word) > most {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string([]rune(word)[:most])), string([]rune(word)[most:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= most:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return strings.Join(append(lines, line), "\n")
}
