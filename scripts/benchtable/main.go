// Command benchtable pairs the benchmarks of scripts/bench with their references.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pair is a benchmark and its reference: another benchmark or, without one, a limit in
// seconds. unit is what is compared, ns/op or a metric.
type pair struct {
	name, benchmark, against, reference, unit string
	limit                                     float64
}

// pairs returns what bench.json holds, in order.
func pairs() []pair {
	return []pair{
		{"tangent-kernel-100", "TangentKernel100/kernel", "TangentKernel100/explicit", "product of the explicit Jacobian with its transpose", "ns/op", 0},
		{"gram-rate-400", "Gram400/gram", "Gram400/sgemm", "sgemm of 4000×4000, seconds per GFLOP", "s/GFLOP", 0},
		{"train-step-mlp", "TrainStepMLP/step", "TrainStepMLP/products", "its matrix products alone", "ns/op", 0},
		{"train-step-lenet", "TrainStepLeNet/step", "TrainStepLeNet/products", "its matrix products alone", "ns/op", 0},
		{"tracked-step-gauss-3", "TrackedStep/gauss-3", "TrackedStep/plain", "the step without a machine", "s/step", 0},
		{"tracked-step-trapezoid", "TrackedStep/trapezoid", "TrackedStep/plain", "the step without a machine", "s/step", 0},
		{"account-step-adam", "AccountStep/adam", "AccountStep/product", "its largest product alone", "ns/op", 0},
		{"sweep-40-two-workers", "Sweep40/two", "Sweep40/one", "one worker", "ns/op", 0},
		{"tpe-ask-2000", "TPEAsk2000", "", "its limit", "ns/op", 0.1},
		{"open-report", "OpenReport", "", "its limit", "s/open", 2},
		{"open-sweep-report", "OpenSweepReport", "", "its limit", "s/open", 3},
	}
}

// row is an element of bench.json.
type row struct {
	Name             string  `json:"name"`
	Seconds          float64 `json:"seconds"`
	Reference        string  `json:"reference"`
	ReferenceSeconds float64 `json:"reference_seconds"`
	Ratio            float64 `json:"ratio"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("benchtable: ")
	out := flag.String("json", "", "write the pairs to this file")
	pytorch := flag.String("pytorch", "", "output of scripts/compare/pytorch.py")
	table := flag.Bool("table", false, "print a table in Markdown")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("give one file, the output of go test -bench")
	}
	if err := run(flag.Arg(0), *out, *pytorch, *table); err != nil {
		log.Fatal(err)
	}
}

func run(input, out, pytorch string, table bool) error {
	f, err := os.Open(input)
	if err != nil {
		return err
	}
	defer f.Close()
	measured, err := read(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", input, err)
	}
	rows, err := match(measured)
	if err != nil {
		return fmt.Errorf("%s: %w", input, err)
	}
	if pytorch != "" {
		beside, err := compare(pytorch, rows)
		if err != nil {
			return err
		}
		rows = append(rows, beside...)
	}
	if table {
		fmt.Println("| name | seconds | reference | its seconds | ratio |\n|---|---|---|---|---|")
		for _, r := range rows {
			fmt.Printf("| %s | %.4g | %s | %.4g | %.3g |\n", r.Name, r.Seconds, r.Reference, r.ReferenceSeconds, r.Ratio)
		}
	}
	if out == "" {
		return nil
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o666)
}

// read returns the values of each benchmark and unit, "Name/sub unit".
func read(r io.Reader) (map[string][]float64, error) {
	processors := regexp.MustCompile(`-[0-9]+$`)
	values := make(map[string][]float64)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
			}
			values[name+" "+fields[i+1]] = append(values[name+" "+fields[i+1]], v)
		}
	}
	return values, lines.Err()
}

// match returns a row for each pair, of medians.
func match(measured map[string][]float64) (rows []row, err error) {
	for _, p := range pairs() {
		seconds, err := median(measured, p.benchmark, p.unit)
		if err != nil {
			return nil, err
		}
		reference := p.limit
		if p.against != "" {
			if reference, err = median(measured, p.against, p.unit); err != nil {
				return nil, err
			}
		}
		if !(seconds > 0 && reference > 0) {
			return nil, fmt.Errorf("%s: %g against %g of its reference: both have to be above 0", p.name, seconds, reference)
		}
		rows = append(rows, row{p.name, seconds, p.reference, reference, seconds / reference})
	}
	return rows, nil
}

// median returns the median of a benchmark, in seconds.
func median(measured map[string][]float64, name, unit string) (float64, error) {
	values := slices.Clone(measured[name+" "+unit])
	if len(values) == 0 {
		return 0, fmt.Errorf("there is no %s of benchmark %s", unit, name)
	}
	slices.Sort(values)
	m := (values[(len(values)-1)/2] + values[len(values)/2]) / 2
	if unit == "ns/op" {
		m /= 1e9
	}
	return m, nil
}

// compare returns the rows that PyTorch measured too, with PyTorch for their reference.
func compare(path string, rows []row) (beside []row, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var measured map[string]any
	if err := json.Unmarshal(text, &measured); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	names := map[string]string{"train-step-mlp": "mlp-step", "train-step-lenet": "lenet-step", "tangent-kernel-100": "tangent-kernel-100"}
	for _, r := range rows {
		seconds, ok := measured[names[r.Name]].(float64)
		if !ok || seconds <= 0 {
			continue
		}
		beside = append(beside, row{r.Name + "-pytorch", r.Seconds, fmt.Sprintf("PyTorch %v", measured["torch"]), seconds, r.Seconds / seconds})
	}
	return beside, nil
}
