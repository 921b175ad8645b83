package experiments

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listColumns returns the columns of a list of runs, in order.
func listColumns() []tableColumn[ListedRun] {
	text := textColumn[ListedRun]
	figure := func(name string, of func(ListedRun) Figure) tableColumn[ListedRun] {
		return tableColumn[ListedRun]{name, func(r ListedRun) cell { return cell{number: of(r)} }}
	}
	return []tableColumn[ListedRun]{
		text("run", func(r ListedRun) string { return r.Path }),
		text("name", func(r ListedRun) string { return r.Name }),
		text("state", func(r ListedRun) string { return string(r.State) }),
		text("fast_dev_run", func(r ListedRun) string { return strconv.FormatBool(r.FastDevRun) }),
		text("started", func(r ListedRun) string {
			if r.Started == nil {
				return ""
			}
			return r.Started.UTC().Format(time.RFC3339) // whose order is that of time
		}),
		text("network", func(r ListedRun) string { return r.Network }),
		text("optimizer", func(r ListedRun) string { return r.Optimizer }),
		figure("steps", func(r ListedRun) Figure { return r.Steps }),
		figure("train_loss", func(r ListedRun) Figure { return r.TrainLoss }),
		figure("query_accuracy", func(r ListedRun) Figure { return r.Accuracy }),
		figure("worst_relative_error", func(r ListedRun) Figure { return r.WorstError }),
		figure("seconds", func(r ListedRun) Figure { return r.Seconds }),
		figure("bytes", func(r ListedRun) Figure { return r.Bytes }),
		text("fault", func(r ListedRun) string { return r.Fault }),
	}
}

// ListColumns returns the names of the columns that a list of runs can be sorted by.
func ListColumns() []string { return columnNames(listColumns()) }

// SortRuns sorts a list of runs by a column, the smallest first, or the largest with - before its name; what has nothing
// there comes last. The error is a *[ColumnError].
func SortRuns(runs []ListedRun, column string) error {
	return sortRows(runs, listColumns(), column)
}

// ListTable writes a list of runs for people, with times of the local zone, and below it what is wrong with some.
func ListTable(w io.Writer, runs []ListedRun) error {
	table := [][]string{{"run", "state", "started", "network", "optimizer", "steps", "train loss", "query accuracy", "worst relative error", "seconds", "size"}}
	for _, r := range runs {
		started := "-"
		if r.Started != nil {
			started = r.Started.Local().Format("2006-01-02 15:04")
		}
		state := string(r.State)
		if r.FastDevRun {
			state += " (dev)"
		}
		row := []string{r.Path, state, started, orDash(r.Network), orDash(r.Optimizer), wholeNumber(r.Steps), number(r.TrainLoss), number(r.Accuracy),
			number(r.WorstError), "-", "-"}
		if !math.IsNaN(float64(r.Seconds)) {
			row[9] = strconv.FormatFloat(float64(r.Seconds), 'f', 1, 64)
		}
		if !math.IsNaN(float64(r.Bytes)) {
			row[10] = Size(int64(r.Bytes))
		}
		table = append(table, row)
	}
	if err := writeTable(w, table, 5); err != nil {
		return err
	}
	for _, r := range runs {
		if r.Fault == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s\n", r.Path, r.State, shorten(strings.ReplaceAll(r.Fault, "\n", "; "), 160)); err != nil {
			return err
		}
	}
	return nil
}

// ListCSV writes a list of runs as CSV, with all digits; times are UTC.
func ListCSV(w io.Writer, runs []ListedRun) error { return writeCSV(w, listColumns(), runs) }

// ListJSON writes a list of runs as a JSON array.
func ListJSON(w io.Writer, runs []ListedRun) error {
	if runs == nil {
		runs = []ListedRun{}
	}
	b, err := json.MarshalIndent(runs, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// wholeNumber writes a count.
func wholeNumber(f Figure) string {
	if math.IsNaN(float64(f)) {
		return "-"
	}
	return strconv.FormatFloat(float64(f), 'f', 0, 64)
}

// Size writes a number of bytes as people say it.
func Size(bytes int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	x, unit := float64(bytes), 0
	for ; x >= 999.5 && unit < len(units)-1; unit++ {
		x /= 1000
	}
	if unit == 0 || x >= 99.5 {
		return fmt.Sprintf("%.0f %s", x, units[unit])
	}
	return fmt.Sprintf("%.2g %s", x, units[unit])
}

// short says in a word or two what the network is.
func (c *Network) short() string {
	if c.Kind == "layers" {
		return fmt.Sprintf("%d layers", len(c.Layers))
	}
	var widths []string
	for _, conv := range c.Convs {
		widths = append(widths, strconv.Itoa(conv.Filters))
	}
	if len(widths) > 0 && len(c.Hidden) > 0 {
		widths[len(widths)-1] += "/" // filters / hidden
	}
	text := strings.Join(widths, "-")
	widths = widths[:0]
	for _, h := range c.Hidden {
		widths = append(widths, strconv.Itoa(h))
	}
	text += strings.Join(widths, "-")
	return strings.Join(slices.DeleteFunc([]string{c.Kind, text, c.Activation}, func(s string) bool { return s == "" }), " ")
}

// short says in a few words how the weights move.
func (o *Optimizer) short() string {
	if o.Kind == "flow" {
		return fmt.Sprintf("flow to %g", o.Time)
	}
	text := fmt.Sprintf("%s %g", o.Kind, o.LearningRate)
	if o.Momentum != 0 {
		text += fmt.Sprintf(" momentum %g", o.Momentum)
	}
	if o.WeightDecay != 0 {
		text += fmt.Sprintf(" decay %g", o.WeightDecay)
	}
	return text
}
