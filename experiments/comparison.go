package experiments

import (
	"context"
	"fmt"
	"io"
	"strconv"
)

// allPairs is up to how many runs each is compared with each; of more, each with the first.
const allPairs = 5

// Comparison sets runs side by side.
type Comparison struct {
	Runs []*Run
	// Sort is the column that the rows of the table and of the CSV form are sorted by, "" for the order of the runs; see
	// [ColumnError] for the columns.
	Sort string
	// Differences are the keys in which the configurations differ; nil for one run.
	Differences []Difference
	// DifferencesFault says why the configurations are not compared.
	DifferencesFault string
	// Pairs compares the runs with one another, on the queries they share: each with each up to five runs,
	// of more each with the first.
	Pairs []Pair
}

// NewComparison compares runs with one another: their configurations, predictions and contributions. A file
// that is damaged is an error, a *FileError; a configuration that this version cannot read is not.
func NewComparison(ctx context.Context, runs []*Run) (*Comparison, error) {
	c := &Comparison{Runs: runs}
	if len(runs) < 2 {
		return c, nil
	}
	var configs []*Config
	for _, r := range runs {
		config, err := r.Config()
		if err != nil {
			c.DifferencesFault = fmt.Sprintf("%s: %v", r.Path, err)
			configs = nil
			break
		}
		configs = append(configs, config)
	}
	if configs != nil {
		c.Differences = differences(configs)
	}
	for i, a := range runs {
		for _, b := range runs[i+1:] {
			p, err := comparePair(ctx, a, b)
			if err != nil {
				return nil, err
			}
			c.Pairs = append(c.Pairs, p)
		}
		if len(runs) > allPairs {
			break
		}
	}
	return c, nil
}

// rows returns the rows in the order that is asked for.
func (c *Comparison) rows() ([]compareRow, error) {
	rows := compareRows(c.Runs)
	if c.Sort != "" {
		if err := sortRows(rows, compareColumns(), c.Sort); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Table writes the comparison for people: the figures, then of several runs what differs between their
// configurations, how far their networks agree and how far their attributions do.
func (c *Comparison) Table(w io.Writer) error {
	rows, err := c.rows()
	if err != nil {
		return err
	}
	if err := compareTable(w, rows); err != nil {
		return err
	}
	if len(c.Runs) < 2 {
		return nil
	}
	if err := c.differencesTable(w); err != nil {
		return err
	}
	return c.pairsTable(w)
}

// differencesTable writes a row for each key that differs, a column for each run.
func (c *Comparison) differencesTable(w io.Writer) error {
	switch {
	case c.DifferencesFault != "":
		_, err := fmt.Fprintf(w, "\nthe configurations are not compared: %s\n", c.DifferencesFault)
		return err
	case len(c.Differences) == 0:
		_, err := fmt.Fprintln(w, "\nthe configurations are the same")
		return err
	}
	if _, err := fmt.Fprintln(w, "\nkeys in which the configurations differ"); err != nil {
		return err
	}
	table := [][]string{{"key"}}
	for i := range c.Runs {
		table[0] = append(table[0], label(c.Runs, i))
	}
	for _, d := range c.Differences {
		row := []string{d.Key}
		for _, v := range d.Values {
			if v == "" {
				v = "-"
			}
			row = append(row, shorten(v, 64))
		}
		table = append(table, row)
	}
	return writeTable(w, table, len(table[0]))
}

// pairsTable writes a row for the networks of each pair of runs, and one for each of their machines.
func (c *Comparison) pairsTable(w io.Writer) error {
	labels := map[string]string{}
	for i, r := range c.Runs {
		labels[r.Path] = label(c.Runs, i)
	}
	table := [][]string{{"run", "and run", "machine", "queries", "argmax agreement", "rms difference", "max difference", "rank correlation", "lowest", "of query"}}
	notes := ""
	for _, p := range c.Pairs {
		a, b := labels[p.A], labels[p.B]
		if p.Fault != "" {
			notes += fmt.Sprintf("not compared: %s and %s: %s\n", a, b, p.Fault)
			continue
		}
		if p.Queries < max(p.QueriesA, p.QueriesB) {
			notes += fmt.Sprintf("%s and %s share %d queries, by their index in the data, of %d and %d\n", a, b, p.Queries, p.QueriesA, p.QueriesB)
		}
		table = append(table, []string{a, b, "(network)", strconv.Itoa(p.Queries), number(p.Agreement), number(p.RMSDifference), number(p.MaxDifference)})
		for _, m := range p.Machines {
			if m.Fault != "" {
				notes += fmt.Sprintf("not compared: machine %s of %s and %s: %s\n", m.Machine, a, b, m.Fault)
				continue
			}
			query := "-"
			if m.LowestQuery >= 0 {
				query = strconv.Itoa(m.LowestQuery)
			}
			table = append(table, []string{a, b, m.Machine, strconv.Itoa(p.Queries), "-", "-", "-", number(m.Mean), number(m.Lowest), query})
			if m.Undefined > 0 {
				notes += fmt.Sprintf("machine %s of %s and %s: %d queries have no rank correlation, as all contributions are equal\n", m.Machine, a, b, m.Undefined)
			}
		}
	}
	if len(c.Runs) > allPairs {
		notes += fmt.Sprintf("of more than %d runs each is compared with the first\n", allPairs)
	}
	if len(table) > 1 {
		if _, err := fmt.Fprintln(w, "\nthe networks' outputs and the machines' contributions, on the queries that the runs share"); err != nil {
			return err
		}
		if err := writeTable(w, table, 3); err != nil {
			return err
		}
	}
	if notes != "" {
		_, err := fmt.Fprintf(w, "\n%s", notes)
		return err
	}
	return nil
}

// CSV writes a line for each machine and baseline of each run, in full precision, as RFC 4180 has it.
func (c *Comparison) CSV(w io.Writer) error {
	rows, err := c.rows()
	if err != nil {
		return err
	}
	return compareCSV(w, rows)
}

// JSON writes everything, in full precision: {"runs": …, "differences": …, "pairs": …}, runs with
// the path, name, outcome and summary of each.
func (c *Comparison) JSON(w io.Writer) error {
	type entry struct {
		Run     string  `json:"run"`
		Name    string  `json:"name"`
		Outcome Outcome `json:"outcome"`
		Summary Summary `json:"summary"`
	}
	document := struct {
		Runs        []entry      `json:"runs"`
		Differences []Difference `json:"differences"` // null where they are not compared
		Fault       string       `json:"differences_fault,omitempty"`
		Pairs       []Pair       `json:"pairs"`
	}{Runs: []entry{}, Differences: c.Differences, Fault: c.DifferencesFault, Pairs: c.Pairs}
	for _, r := range c.Runs {
		document.Runs = append(document.Runs, entry{r.Path, r.Manifest.Name, r.Manifest.Outcome, r.Summary})
	}
	if document.Pairs == nil {
		document.Pairs = []Pair{}
	}
	return writeJSON(w, document)
}
