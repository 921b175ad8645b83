package experiments

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"pkm/internal/npy"
)

// palette is Okabe and Ito's, which colour-blind readers can tell apart.
var palette = []color.RGBA{{0, 114, 178, 255}, {230, 159, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {86, 180, 233, 255}, {213, 94, 0, 255}}

// prediction is a machine's outputs for the query samples.
type prediction struct {
	name   string
	values []float64 // (M, C)
}

// Figure draws the run's network against its kernel machines as SVG: on the left
// ŷ over f(w_S), which lie on the diagonal when they agree; on the right the error
// |ŷ − f(w_S)|, on a logarithmic axis. A point is one output of one query.
func (r *Run) Figure(w io.Writer) error {
	final, predictions, err := r.predictions()
	if err != nil {
		return fmt.Errorf("draw run %s: %w", r.Path, err)
	}
	return drawSafely(w, func(w io.Writer) error { return drawFigure(w, r.Manifest.Name, final, predictions) })
}

// predictions reads what the figure shows.
func (r *Run) predictions() (final []float64, machines []prediction, err error) {
	read := func(name string) ([]float64, error) {
		f, err := os.Open(filepath.Join(r.Path, "arrays", filepath.FromSlash(name)+".npy"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		_, data, err := npy.ReadFloat64(f)
		return data, err
	}
	if final, err = read("outputs_final"); err != nil {
		return nil, nil, err
	}
	initial, err := read("outputs_initial")
	if err != nil {
		return nil, nil, err
	}
	for _, m := range r.Summary.Machines {
		contributions, err := read(m.Name + "/contributions")
		if err != nil {
			return nil, nil, err
		}
		regularization, err := read(m.Name + "/regularization")
		if err != nil {
			return nil, nil, err
		}
		d := Decomposition{M: r.Summary.Samples.Query, C: r.Summary.Outputs, N: r.Summary.Samples.Train,
			Initial: initial, Final: final, Contributions: contributions, Regularization: regularization}
		if err := d.Check(); err != nil {
			return nil, nil, err
		}
		machines = append(machines, prediction{m.Name, d.Prediction()})
	}
	return final, machines, nil
}

// drawFigure draws both panels.
func drawFigure(w io.Writer, name string, final []float64, machines []prediction) error {
	panels, err := agreementPanels(name, final, machines)
	if err != nil {
		return err
	}
	return drawPanels(w, "svg", panels...)
}

// agreementPanels returns both panels.
func agreementPanels(name string, final []float64, machines []prediction) ([]*plot.Plot, error) {
	agreement, errors := newPanel(wrap(name+": kernel machine against network", 46)), newPanel("error of the kernel machine")
	agreement.X.Label.Text, agreement.Y.Label.Text = "network output f(x; w_S)", "kernel machine output ŷ"
	errors.X.Label.Text, errors.Y.Label.Text = "network output f(x; w_S)", "|ŷ − f(x; w_S)|"
	errors.Y.Scale, errors.Y.Tick.Marker = plot.LogScale{}, decades{}

	if len(final) > 0 {
		low, high := slices.Min(final), slices.Max(final)
		diagonal, err := plotter.NewLine(plotter.XYs{{X: low, Y: low}, {X: high, Y: high}})
		if err != nil {
			return nil, err
		}
		diagonal.Color, diagonal.Dashes = color.Gray{160}, []vg.Length{vg.Points(3), vg.Points(3)}
		agreement.Add(diagonal)
	}
	lowest, highest := math.Inf(1), 0.0
	// Last machines first, so that the first, which matters most, lies on top.
	for i, m := range slices.Backward(machines) {
		points, misses := make(plotter.XYs, len(final)), plotter.XYs{}
		for k, f := range final {
			points[k] = plotter.XY{X: f, Y: m.values[k]}
			// Below the spacing of floating-point numbers there is nothing to see.
			e := max(math.Abs(m.values[k]-f), 1e-17)
			misses = append(misses, plotter.XY{X: f, Y: e})
			if !math.IsNaN(e) && !math.IsInf(e, 0) {
				lowest, highest = min(lowest, e), max(highest, e)
			}
		}
		for _, panel := range []struct {
			plot   *plot.Plot
			points plotter.XYs
		}{{agreement, points}, {errors, misses}} {
			panel.points = finite(panel.points)
			if len(panel.points) == 0 {
				continue
			}
			scatter, err := plotter.NewScatter(panel.points)
			if err != nil {
				return nil, err
			}
			scatter.GlyphStyle = draw.GlyphStyle{Color: palette[i%len(palette)], Radius: vg.Points(1.8), Shape: shape(i)}
			panel.plot.Add(scatter)
			if panel.plot == agreement {
				agreement.Legend.Add(shorten(m.name, 28), scatter)
			}
		}
	}
	if highest > 0 {
		errors.Y.Min, errors.Y.Max = math.Pow(10, math.Floor(math.Log10(lowest))), math.Pow(10, math.Ceil(math.Log10(highest)+0.5))
	} else {
		errors.Y.Min, errors.Y.Max = 1e-17, 1
	}
	return []*plot.Plot{agreement, errors}, nil
}

func newPanel(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = numbers{}, numbers{}
	p.Legend.Left, p.Legend.Top = true, true
	p.Add(plotter.NewGrid())
	return p
}

// numbers marks an axis as gonum/plot does, with the shortest labels.
type numbers struct{}

// Ticks implements plot.Ticker.
func (numbers) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = strconv.FormatFloat(ticks[i].Value, 'g', 6, 64)
		}
	}
	return ticks
}

// shape tells machines apart without colour.
func shape(i int) draw.GlyphDrawer {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.PyramidGlyph{}, draw.BoxGlyph{}, draw.RingGlyph{}, draw.TriangleGlyph{}, draw.SquareGlyph{}}
	return shapes[i%len(shapes)]
}

// decades marks powers of ten, at most eight of them.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) []plot.Tick {
	first, last := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	every := max(1, (last-first+7)/8)
	var ticks []plot.Tick
	for e := first; e <= last; e++ {
		label := ""
		if (e-first)%every == 0 {
			label = fmt.Sprintf("1e%d", e)
		}
		ticks = append(ticks, plot.Tick{Value: math.Pow(10, float64(e)), Label: label})
	}
	return ticks
}
