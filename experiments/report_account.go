package experiments

import (
	"errors"
	"io/fs"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// lossAccount is the mean loss of the queries at the bounds of the windows: the network's, and a machine's account of
// it, initial loss + Σ contributions of the windows up to there.
type lossAccount struct {
	name             string
	network, account plotter.XYs // over steps
}

// lossAccounts reads those of the machines of the loss; none where the run has no windows, or where its optimizer lets
// samples act in later windows than they are counted in.
func (r *reportSource) lossAccounts() (all []lossAccount, err error) {
	if !r.config.Training.Optimizer.plain() {
		return nil, nil
	}
	M, N := r.summary.Samples.Query, r.summary.Samples.Train
	for _, m := range r.machines {
		if m.target != lossTarget {
			continue
		}
		bounds, err := r.integers(m.name+"/window_bounds", -1)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		means := make([]float64, len(bounds)) // of the network
		if err := r.rows(m.name+"/target_at_bounds", []int{len(bounds), M, 1}, func(row int, v []float64) { means[row/M] += v[0] / float64(M) }); err != nil {
			return nil, err
		}
		shares := make([]float64, len(bounds)) // of the windows that end there
		if err := r.rows(m.name+"/contributions_by_window", []int{len(bounds) - 1, M, 1, N}, func(row int, v []float64) {
			for _, q := range v {
				shares[row/M+1] += q / float64(M)
			}
		}); err != nil {
			return nil, err
		}
		a, sum := lossAccount{name: m.name}, means[0]
		for i, step := range bounds {
			sum += shares[i]
			a.network = append(a.network, plotter.XY{X: float64(step), Y: means[i]})
			a.account = append(a.account, plotter.XY{X: float64(step), Y: sum})
		}
		all = append(all, a)
	}
	return all, nil
}

// accountPanels draws the accounts beside the network's loss, and how far they are from it.
func accountPanels(accounts []lossAccount) ([]*plot.Plot, error) {
	var curves, errors []plotCurve
	for _, a := range accounts {
		curves = append(curves, plotCurve{a.name, a.account})
		var off plotter.XYs
		for i, p := range a.account {
			off = append(off, plotter.XY{X: p.X, Y: math.Log10(math.Abs(p.Y - a.network[i].Y))}) // −∞ is left out
		}
		errors = append(errors, plotCurve{a.name, off})
	}
	left, err := linePanel("loss of the queries: network and machines", "step", "mean loss", false, curves...)
	if err != nil {
		return nil, err
	}
	network, every := plotter.XYs{}, 1+len(accounts[0].network)/25
	for i, p := range accounts[0].network {
		if i%every == 0 {
			network = append(network, p)
		}
	}
	points, err := plotter.NewScatter(finite(network))
	if err != nil {
		return nil, err
	}
	points.Shape, points.Radius = draw.RingGlyph{}, vg.Points(2.5)
	left.Add(points)
	left.Legend.Add("network", points)
	// The axis is that of the logarithms: gonum/plot leaves half of a panel empty above a logarithmic one.
	right, err := linePanel("error of the account", "step", "|machine − network|", false, errors...)
	if err != nil || right.Y.Min > right.Y.Max { // no error at all
		return []*plot.Plot{left}, err
	}
	right.Y.Min = math.Floor(right.Y.Min)
	marks := decades{}.Ticks(math.Pow(10, right.Y.Min), math.Pow(10, right.Y.Max))
	for i := range marks {
		marks[i].Value = math.Log10(marks[i].Value)
	}
	right.Y.Tick.Marker = plot.ConstantTicks(slices.DeleteFunc(marks, func(t plot.Tick) bool { return t.Value > right.Y.Max }))
	return []*plot.Plot{left, right}, nil
}
