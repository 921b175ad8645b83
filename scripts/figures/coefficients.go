package main

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"pkm/experiments"
)

// coefficients shows the kernel machine of Domingos' theorem of a run with one output and path_kernel: full: a_i(x) of a
// query over the training samples, and |K^p| of all queries with them, both in the order of the classes.
func coefficients(out io.Writer, dir string, query int, file string) error {
	run, err := experiments.LoadRun(dir)
	if err != nil {
		return err
	}
	var machine string
	for _, m := range run.Summary.Machines {
		machine = m.Name
		break
	}
	shape, a, err := array(dir, machine+"/coefficients")
	if err != nil {
		return err
	}
	if len(shape) != 4 || shape[1] != 1 || query < 0 || query >= shape[0] {
		return fmt.Errorf("%s: coefficients of shape %v and query %d; want (queries, 1, samples, 1) and one of the queries", dir, shape, query)
	}
	_, kernel, err := array(dir, machine+"/path_kernel")
	if err != nil {
		return err
	}
	_, initial, err := array(dir, "outputs_initial")
	if err != nil {
		return err
	}
	_, final, err := array(dir, "outputs_final")
	if err != nil {
		return err
	}
	train, err := integers(dir, "train_targets")
	if err != nil {
		return err
	}
	queries, err := integers(dir, "query_targets")
	if err != nil {
		return err
	}
	n := shape[2]
	classes := run.Manifest.Data.Classes
	columns, rows := byClass(train), byClass(queries)
	fmt.Fprintf(out, "query %d, of class %s: f(w_0) = b = %.4f\n\n sample  class    K^p(x,x_i)    a_i(x)    a_i·K^p\n", query, classes[queries[query]], initial[query])
	sum := 0.0
	strongest := slices.Clone(columns)
	slices.SortStableFunc(strongest, func(i, j int) int {
		return cmp.Compare(math.Abs(a[query*n+j]*kernel[query*n+j]), math.Abs(a[query*n+i]*kernel[query*n+i]))
	})
	for k, i := range strongest {
		at := query*n + i
		sum += a[at] * kernel[at]
		if k < 6 {
			fmt.Fprintf(out, "%7d  %5s  %12.4f  %+.5f  %+.5f\n", i, classes[train[i]], kernel[at], a[at], a[at]*kernel[at])
		}
	}
	fmt.Fprintf(out, "    ... %d more\n\nb + Σ a_i·K^p = %.6f, network %.6f\n", n-6, initial[query]+sum, final[query])

	left := panel(fmt.Sprintf("a_i(x) of query %d, a %s", query, classes[queries[query]]), "training sample i, by class", "a_i(x)")
	for class, colour := range []color.RGBA{blue, orange} {
		var points plotter.XYs
		for k, i := range columns {
			if train[i] == class {
				points = append(points, plotter.XY{X: float64(k), Y: a[query*n+i]})
			}
		}
		if err := dots(left, "class "+classes[class], colour, points); err != nil {
			return err
		}
	}
	zero := plotter.NewFunction(func(float64) float64 { return 0 })
	zero.Color = grey
	left.Add(zero)
	left.Y.Max *= 1.4

	const cell = 16 // pixels, so that nothing blurs them
	right := panel("|K^p|, from 0 (white) to its largest", "training samples, by class", "queries, by class")
	picture, largest := image.NewRGBA(image.Rect(0, 0, cell*n, cell*len(queries))), 0.0
	for _, v := range kernel {
		largest = max(largest, math.Abs(v))
	}
	for y, m := range rows {
		for x, i := range columns {
			share := math.Abs(kernel[m*n+i]) / largest
			mix := func(to uint8) uint8 { return uint8(math.Round(255 + share*(float64(to)-255))) }
			draw.Draw(picture, image.Rect(cell*x, cell*y, cell*(x+1), cell*(y+1)), image.NewUniform(color.RGBA{mix(8), mix(48), mix(107), 255}), image.Point{}, draw.Src)
		}
	}
	right.Add(plotter.NewImage(picture, 0, 0, float64(n), float64(len(queries))))
	right.X.Tick.Marker, right.Y.Tick.Marker = classTicks(train, classes, false), classTicks(queries, classes, true)
	return write(file, left, right)
}

// byClass returns the samples in the order of their classes.
func byClass(labels []int) []int {
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(labels[i], labels[j]) })
	return order
}

// classTicks marks the middle of the two classes; down: the first is at the top.
func classTicks(labels []int, classes []string, down bool) plot.ConstantTicks {
	first := 0
	for _, l := range labels {
		if l == 0 {
			first++
		}
	}
	at := []float64{float64(first) / 2, float64(first+len(labels)) / 2}
	var ticks plot.ConstantTicks
	for k, v := range at {
		if down {
			v = float64(len(labels)) - v
		}
		name := strconv.Itoa(k)
		if k < len(classes) {
			name = classes[k]
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: name})
	}
	return ticks
}
