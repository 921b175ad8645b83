package experiments

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

//go:embed report.html.tmpl
var reportPage string

// reportRow is a machine in the report's table.
type reportRow struct {
	Name, Rule                                                       string
	MaxAbsError, RMSE, RelativeError, ArgmaxAgreement, QueryAccuracy string
}

// report is what the page shows.
type report struct {
	Name, Description string
	Network           struct{ TrainLoss, QueryLoss, QueryAccuracy string }
	Machines          []reportRow
	Agreement         template.HTML // SVG that this package drew
	Training          template.HTML
}

// writeReport writes the self-contained page of a run.
func writeReport(w io.Writer, c *Config, s Summary, final []float64, predictions []prediction, steps []StepMetrics) error {
	page, err := template.New("report").Parse(reportPage)
	if err != nil {
		return err
	}
	r := report{Name: c.Name, Description: c.Describe()}
	r.Network.TrainLoss, r.Network.QueryLoss, r.Network.QueryAccuracy = number(s.Network.TrainLoss), number(s.Network.QueryLoss), number(s.Network.QueryAccuracy)
	for i, m := range s.Machines {
		f := m.Figures
		r.Machines = append(r.Machines, reportRow{m.Name, c.Machines[i].Family + " / " + c.Machines[i].Rule, number(f.MaxAbsError), number(f.RMSE),
			number(f.RelativeError), number(f.ArgmaxAgreement), number(f.QueryAccuracy)})
	}
	for _, m := range s.Baselines {
		f := m.Figures
		r.Machines = append(r.Machines, reportRow{m.Name, "baseline", number(f.MaxAbsError), number(f.RMSE),
			number(f.RelativeError), number(f.ArgmaxAgreement), number(f.QueryAccuracy)})
	}
	r.Agreement = picture(func(w io.Writer) error { return drawFigure(w, c.Name, final, predictions) })
	r.Training = picture(func(w io.Writer) error { return drawTraining(w, steps) })
	return page.Execute(w, r)
}

// picture returns what draw draws for a page, or why it cannot be drawn: figures
// of a run may be too extreme for an axis, and that must not cost the run.
func picture(draw func(io.Writer) error) template.HTML {
	var svg strings.Builder
	if err := drawSafely(&svg, draw); err != nil {
		return template.HTML("<p>" + template.HTMLEscapeString(err.Error()) + "</p>")
	}
	return inline(svg.String())
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

// inline returns an SVG document as an element of a page. gonum/plot escapes the
// texts in it.
func inline(svg string) template.HTML {
	if at := strings.Index(svg, "<svg"); at > 0 {
		svg = svg[at:]
	}
	return template.HTML(svg)
}

// drawTraining draws loss and step residual over steps.
func drawTraining(w io.Writer, steps []StepMetrics) error {
	loss, residual := plotter.XYs{}, plotter.XYs{}
	low, high := math.Inf(1), 0.0
	for _, s := range steps {
		loss = append(loss, plotter.XY{X: float64(s.Step), Y: float64(s.Loss)})
		if r := float64(s.StepResidual); r > 0 {
			residual = append(residual, plotter.XY{X: float64(s.Step), Y: r})
			low, high = min(low, r), max(high, r)
		}
	}
	left, right := newPanel("training loss"), newPanel("residual of each step")
	left.Legend.Left, right.Legend.Left = false, false
	left.X.Label.Text, left.Y.Label.Text = "step", "mean loss"
	right.X.Label.Text, right.Y.Label.Text = "step", "largest |residual|"
	for i, side := range []struct {
		plot   *plot.Plot
		points plotter.XYs
	}{{left, loss}, {right, residual}} {
		if side.points = finite(side.points); len(side.points) == 0 {
			continue
		}
		line, err := plotter.NewLine(side.points)
		if err != nil {
			return fmt.Errorf("draw training: %w", err)
		}
		line.Color, line.Width = palette[i], vg.Points(1.2)
		side.plot.Add(line)
	}
	if high > 0 {
		right.Y.Scale, right.Y.Tick.Marker = plot.LogScale{}, decades{}
		right.Y.Min, right.Y.Max = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)+1e-9))
	}
	return drawPair(w, left, right)
}

// drawPair draws two panels side by side.
func drawPair(w io.Writer, left, right *plot.Plot) error {
	const pad = vg.Centimeter / 4
	canvas := vgsvg.New(22*vg.Centimeter, 10*vg.Centimeter)
	dc := draw.New(canvas)
	dc.SetColor(color.White) // for pages in dark mode
	dc.Fill(dc.Rectangle.Path())
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 2 * pad, PadTop: pad, PadRight: pad, PadBottom: pad, PadLeft: pad}
	plots := [][]*plot.Plot{{left, right}}
	for i, c := range plot.Align(plots, tiles, dc)[0] {
		plots[0][i].Draw(c)
	}
	_, err := canvas.WriteTo(w)
	return err
}
