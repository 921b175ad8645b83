// Command figures draws the figures of experiments/configs/README.md that no run has of itself, from the files
// of runs, and prints the numbers behind them.
//
//	go run ./scripts/figures coefficients runs/domingos-flow QUERY docs/domingos-flow.png
//	go run ./scripts/figures optimizers runs/digits-sgd runs/digits-adam QUERY docs/optimizers.png
//	go run ./scripts/figures wrong-labels runs/mislabelled docs/mislabelled.png
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"pkm/internal/npy"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// run draws one figure.
func run(args []string, out io.Writer) error {
	const usage = "usage: figures coefficients RUN QUERY FILE.png | optimizers RUN RUN QUERY FILE.png | wrong-labels RUN FILE.png"
	switch {
	case len(args) == 4 && args[0] == "coefficients":
		query, err := strconv.Atoi(args[2])
		if err != nil {
			return fmt.Errorf("query: found %q, want a whole number", args[2])
		}
		return coefficients(out, args[1], query, args[3])
	case len(args) == 5 && args[0] == "optimizers":
		query, err := strconv.Atoi(args[3])
		if err != nil {
			return fmt.Errorf("query: found %q, want a whole number", args[3])
		}
		return optimizers(out, args[1], args[2], query, args[4])
	case len(args) == 3 && args[0] == "wrong-labels":
		return wrongLabels(out, args[1], args[2])
	}
	return fmt.Errorf("found %q; %s", args, usage)
}

// array reads an array of a run as float64.
func array(run, name string) (shape []int, values []float64, err error) {
	path := filepath.Join(run, "arrays", filepath.FromSlash(name)+".npy")
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if shape, values, err = npy.ReadFloat64(f); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return shape, values, err
}

// integers reads an array of whole numbers of a run.
func integers(run, name string) ([]int, error) {
	path := filepath.Join(run, "arrays", filepath.FromSlash(name)+".npy")
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, values, err := npy.Read[int64](f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out, nil
}
