package main

import (
	"cmp"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"pkm/experiments"
	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/internal/safetensors"
	"pkm/training"
)

// ranking puts training samples in an order of suspicion, the most suspicious first.
type ranking struct {
	name   string
	colour color.RGBA
	scores []float64
}

// wrongLabels shows how many of the first k samples of three rankings have a wrong label, of a run with noise.labels, a
// machine called loss of the queries' loss, and the bound, which keeps the diagonal of the loss path kernel.
func wrongLabels(out io.Writer, dir, file string) error {
	shape, q, err := array(dir, "loss/contributions")
	if err != nil {
		return err
	}
	flipped, err := wrong(dir, shape[2])
	if err != nil {
		return err
	}
	harm := make([]float64, shape[2])
	for at, v := range q {
		harm[at%shape[2]] += v / float64(shape[0])
	}
	_, own, err := array(dir, "loss_path_kernel_diagonal")
	if err != nil {
		return err
	}
	losses, err := trainLosses(dir)
	if err != nil {
		return err
	}
	total := 0
	for _, f := range flipped {
		if f {
			total++
		}
	}
	share := float64(total) / float64(len(flipped))
	p := panel(fmt.Sprintf("%d wrong labels among %d", total, len(flipped)), "k, samples looked at", "precision at k")
	fmt.Fprintf(out, "%d of %d labels are wrong; of the first k of a ranking, so many:\n%-42s", total, len(flipped), "k")
	marks := []int{10, 25, total, 2 * total}
	for _, k := range marks {
		fmt.Fprintf(out, "%8d", k)
	}
	fmt.Fprintln(out)
	for _, r := range []ranking{{"raised the loss of the queries", blue, harm}, {"K(z_i,z_i), moved its own loss", orange, own}, {"its own loss at the end", green, losses}} {
		precision := precisionAt(r.scores, flipped)
		fmt.Fprintf(out, "%-42s", r.name)
		for _, k := range marks {
			fmt.Fprintf(out, "%8.2f", precision[k-1])
		}
		fmt.Fprintln(out)
		var points plotter.XYs
		for k := range min(len(precision), 4*total) {
			points = append(points, plotter.XY{X: float64(k + 1), Y: precision[k]})
		}
		if err := curve(p, r.name, r.colour, false, points); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%-42s%8.2f\n", "at random", share)
	if err := curve(p, "at random", grey, true, plotter.XYs{{X: 1, Y: share}, {X: float64(4 * total), Y: share}}); err != nil {
		return err
	}
	p.Y.Min, p.Y.Max = 0, 1.4 // with room for the legend
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: share, Label: fmt.Sprintf("%.1f", share)}, {Value: 0.5, Label: "0.5"}, {Value: 1, Label: "1"}}
	return write(file, p)
}

// precisionAt returns, for each k from 1 on, the share of wrong labels among the k samples of the highest scores.
func precisionAt(scores []float64, wrong []bool) []float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	precision, found := make([]float64, len(order)), 0
	for k, i := range order {
		if wrong[i] {
			found++
		}
		precision[k] = float64(found) / float64(k+1)
	}
	return precision
}

// wrong returns which of n training labels are not the data's.
func wrong(dir string, n int) ([]bool, error) {
	flipped, err := integers(dir, "train_flipped")
	if err != nil {
		return nil, err
	}
	out := make([]bool, n)
	for _, i := range flipped {
		if i < 0 || i >= n {
			return nil, fmt.Errorf("%s: train_flipped.npy names sample %d of %d", dir, i, n)
		}
		out[i] = true
	}
	return out, nil
}

// trainLosses returns the loss of each training sample at the final weights, for its label as it was trained on.
func trainLosses(dir string) ([]float64, error) {
	run, err := experiments.LoadRun(dir)
	if err != nil {
		return nil, err
	}
	config, err := run.Config()
	if err != nil {
		return nil, err
	}
	shape, inputs, err := array(dir, "train_inputs")
	if err != nil {
		return nil, err
	}
	labels, err := integers(dir, "train_targets")
	if err != nil {
		return nil, err
	}
	classes := run.Summary.Outputs
	network, err := config.Network.Build(&experiments.Dataset{Shape: shape[1:]}, classes)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, "weights_final.safetensors"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tensors, _, err := safetensors.Read(f)
	if err != nil {
		return nil, err
	}
	w := make([]float64, network.Parameters())
	for _, t := range tensors {
		p, err := network.Layout().Find(t.Name)
		if err != nil {
			return nil, err
		}
		values, ok := t.Data.([]float64)
		if !ok {
			return nil, fmt.Errorf("%s: tensor %s is not of float64", dir, t.Name)
		}
		copy(graphs.View(w, p), values)
	}
	engine, err := compute.Open("")
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	forward, err := graphs.NewForward[float64](network, engine, shape[0])
	if err != nil {
		return nil, err
	}
	if err := forward.SetInputs(inputs); err != nil {
		return nil, err
	}
	if err := forward.Run(w); err != nil {
		return nil, err
	}
	loss, err := training.NewLoss[float64](config.Loss.Kind)
	if err != nil {
		return nil, err
	}
	targets, err := training.Targets[float64](config.Loss.Kind, labels, max(2, classes))
	if err != nil {
		return nil, err
	}
	losses := make([]float64, len(labels))
	loss.Evaluate(forward.Outputs(), targets, classes, losses, make([]float64, len(targets)))
	return losses, nil
}
