package experiments

import (
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"pkm/internal/atomicfile"
)

// The files of a study beside its runs.
const (
	convergenceJSON = "convergence.json"
	convergenceCSV  = "convergence.csv"
	convergenceSVG  = "convergence.svg"
	convergencePNG  = "convergence.png"
)

// write writes the files of the study into its folder.
func (c *Convergence) write(dir string) error {
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{convergenceJSON, c.JSON}, {convergenceCSV, c.CSV}, {convergenceSVG, c.SVG}, {convergencePNG, c.PNG}} {
		if _, err := atomicfile.Write(filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("convergence study: %w", err)
		}
	}
	return nil
}

// JSON writes everything, in full precision.
func (c *Convergence) JSON(w io.Writer) error { return writeJSON(w, c) }

// CSV writes a line for each machine at each learning rate, in full precision, as RFC 4180 has it. What there is not is
// empty.
func (c *Convergence) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	lines := [][]string{{"machine", "family", "rule", "target", "order", "slope", "fitted", "learning_rate", "steps", "run", "outcome", "relative_error", "max_abs_error", "observed_order", "at_rounding_floor"}}
	full := func(f Figure) string { return fullNumber(float64(f)) }
	for _, m := range c.Machines {
		for k, p := range m.Points {
			l := c.Levels[k]
			lines = append(lines, []string{m.Name, m.Family, m.Rule, m.Target, strconv.Itoa(m.Order), full(m.Slope), strconv.Itoa(m.Fitted),
				full(p.LearningRate), strconv.Itoa(l.Steps), l.Run, string(l.Outcome), full(p.RelativeError), full(p.MaxAbsError), full(p.ObservedOrder), strconv.FormatBool(p.Floor)})
		}
	}
	return out.WriteAll(lines)
}

// Table writes the study for people: the errors with the slopes fitted to them, and the observed
// orders; below them which runs diverged.
func (c *Convergence) Table(w io.Writer) error {
	errors := [][]string{{"machine", "family", "rule", "order", "slope", "points"}}
	orders := [][]string{{"machine"}}
	for k, l := range c.Levels {
		errors[0] = append(errors[0], short(l.LearningRate))
		if k > 0 {
			orders[0] = append(orders[0], short(c.Levels[k-1].LearningRate)+" to "+short(l.LearningRate))
		}
	}
	notes := ""
	for _, m := range c.Machines {
		row, order := []string{m.Name, m.Family, m.Rule, strconv.Itoa(m.Order), fixed(m.Slope), strconv.Itoa(m.Fitted)}, []string{m.Name}
		for k, p := range m.Points {
			mark := " "
			if p.Floor {
				mark, notes = "*", "* set by rounding, and left out of the slope\n"
			}
			row = append(row, number(Figure(p.error(c.Error)))+mark)
			if k > 0 {
				order = append(order, fixed(p.ObservedOrder)+mark)
			}
		}
		errors, orders = append(errors, row), append(orders, order)
	}
	for _, l := range c.Levels {
		if l.Outcome == Diverged {
			notes += fmt.Sprintf("%s diverged: %s\n", l.Run, l.Reason)
		}
	}
	if _, err := fmt.Fprintf(w, "%s by %s, at %[2]s × steps = %s\n", c.Error, c.Quantity, short(c.Product)); err != nil {
		return err
	}
	if err := writeTable(w, errors, 3); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nobserved order from one %s to the next\n", c.Quantity); err != nil {
		return err
	}
	if err := writeTable(w, orders, 1); err != nil {
		return err
	}
	_, err := io.WriteString(w, notes)
	return err
}

// short writes a learning rate with at most six digits.
func short(f Figure) string { return strconv.FormatFloat(float64(f), 'g', 6, 64) }

// fixed writes an order with two decimals.
func fixed(f Figure) string {
	if fullNumber(float64(f)) == "" {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(f))
}
