package experiments

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// mostFeatures is how many inputs of a sample a table shows.
const mostFeatures = 8

// WriteText writes the explanation as tables for people.
func (e *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	e.writeHead(&b)
	e.writeSum(&b)
	features := e.tableFeatures()
	labels := "class"
	if e.ByClass == nil {
		labels = "target"
	}
	for _, side := range []struct {
		name   string
		pushes []Push
		others Others
	}{{"pushed it up", e.For, e.OthersFor}, {"pushed it down", e.Against, e.OthersAgainst}} {
		fmt.Fprintf(&b, "\n%s\n", side.name)
		rows := [][]string{append([]string{"rank", "index", "data row", labels, "contribution", "share"}, features...)}
		for _, p := range side.pushes {
			label := p.Label
			if p.OriginalLabel != "" {
				label += " (was " + p.OriginalLabel + ")"
			}
			row := []string{strconv.Itoa(p.Rank), strconv.Itoa(p.Index), strconv.FormatInt(p.DataIndex, 10), label, signed(p.Contribution), percent(p.Share)}
			for j := range features {
				row = append(row, e.input(p.Inputs, j))
			}
			rows = append(rows, row)
		}
		if side.others.Count > 0 || len(side.pushes) == 0 {
			row := []string{"", fmt.Sprintf("%d others", side.others.Count), "", "", signed(side.others.Contribution), percent(side.others.Share)}
			if len(side.pushes) == 0 && side.others.Count == 0 {
				row = []string{"", "none", "", "", "", ""}
			}
			rows = append(rows, append(row, make([]string, len(features))...))
		}
		_ = writeTable(&b, rows, 0) // to a strings.Builder: no error
	}
	neutral := ""
	if e.Neutral > 0 {
		neutral = fmt.Sprintf("; %d contributed nothing", e.Neutral)
	}
	fmt.Fprintf(&b, "\nA share is that of Σ|contribution| = %s, of all %d training samples%s.\n", number(e.Sum.Absolute), e.Sum.Samples, neutral)
	if len(e.features) > mostFeatures || len(e.features) == 0 && len(features) > 0 && len(e.Sample.Inputs) > mostFeatures {
		fmt.Fprintf(&b, "The first %d of %d inputs are shown; --json has all.\n", mostFeatures, len(e.Sample.Inputs))
	}
	for _, side := range []struct {
		name, prefix string
		parts        []Share
	}{{"class of the training sample", "class ", e.ByClass}, {"layer", "layer ", e.ByLayer}, {"time", "", merged(e.ByWindow)}} {
		writeParts(&b, side.name, side.prefix, side.parts)
	}
	if len(e.Missing) > 0 {
		what := map[string]string{"decompose.layers=true": "layer", "decompose.windows=10": "time"}
		var names []string
		for _, key := range e.Missing {
			names = append(names, what[key])
		}
		fmt.Fprintf(&b, "\nShares by %s were not kept: run with %s, or follow the path again with --replay.\n", strings.Join(names, " and "), strings.Join(e.Missing, " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Title says in a line what is explained of what.
func (e *Explanation) Title() string {
	s := &e.Sample
	what := ""
	if s.Query == nil {
		what = fmt.Sprintf("sample %d of %s", *s.Row, s.File)
	} else {
		what = fmt.Sprintf("query %d", *s.Query)
		if s.DataIndex != nil {
			what += fmt.Sprintf(" (row %d of the data)", *s.DataIndex)
		}
	}
	if s.Label != "" {
		kind := "class"
		if e.ByClass == nil {
			kind = "target"
		}
		what += fmt.Sprintf(", of %s %s", kind, s.Label)
	}
	if s.Predicted != "" {
		what += ", predicted " + s.Predicted
	}
	return what
}

func (e *Explanation) writeHead(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s\n", e.Name, e.Title())
	source := "from the stored contributions"
	if e.Machine.Source != "stored" {
		source = "by following the path of the weights again"
	}
	fmt.Fprintf(b, "why is %s %s? machine %s (%s/%s), %s\n", e.Target.Text, number(e.Sum.Network), e.Machine.Name, e.Machine.Family, e.Machine.Rule, source)
	if names := e.tableFeatures(); len(names) > 0 {
		var values []string
		for j, name := range names {
			values = append(values, name+" "+e.input(e.Sample.Inputs, j))
		}
		fmt.Fprintf(b, "its inputs: %s\n", strings.Join(values, ", "))
	}
}

// writeSum writes the sum that closes, and by how much.
func (e *Explanation) writeSum(b *strings.Builder) {
	s := &e.Sum
	exact := func(f Figure) string { return strconv.FormatFloat(float64(f), 'f', 9, 64) }
	if m := max(math.Abs(float64(s.Machine)), math.Abs(float64(s.Contributions))); m >= 1e6 || m < 1e-3 {
		exact = func(f Figure) string { return strconv.FormatFloat(float64(f), 'e', 9, 64) }
	}
	rows := [][2]string{{"  before training", exact(s.Initial)}, {fmt.Sprintf("+ %d training samples", s.Samples), exact(s.Contributions)}, {"+ regularisation", exact(s.Regularization)},
		{"= machine", exact(s.Machine)}, {"  network", exact(s.Network)}, {"  residual", fmt.Sprintf("%.2e", float64(s.Residual))}}
	wide, long := 0, 0
	for _, r := range rows {
		wide, long = max(wide, len(r[0])), max(long, len(r[1]))
	}
	b.WriteByte('\n')
	for _, r := range rows {
		fmt.Fprintf(b, "%-*s  %*s\n", wide, r[0], long, r[1])
	}
}

// tableFeatures returns the names of the inputs that tables show: none of images.
func (e *Explanation) tableFeatures() []string {
	if e.pictures != nil {
		return nil
	}
	var names []string
	for j := range min(mostFeatures, len(e.Sample.Inputs)) {
		name := fmt.Sprintf("x%d", j)
		if j < len(e.features) {
			name = e.features[j]
		}
		names = append(names, name)
	}
	return names
}

// merged joins consecutive windows, so that a table has no more rows than a page.
func merged(windows []Share) (rows []Share) {
	const most = 20
	each := (len(windows) + most - 1) / most
	for i, w := range windows {
		if i%each == 0 {
			rows = append(rows, w)
			continue
		}
		r := &rows[len(rows)-1]
		r.EndStep, r.Name = w.EndStep, windowName(*r.FirstStep, *w.EndStep)
		r.Contribution, r.For, r.Against = r.Contribution+w.Contribution, r.For+w.For, r.Against+w.Against
		r.Share, r.Regularization = r.Share+w.Share, r.Regularization+w.Regularization
	}
	return rows
}

// input returns input j in the units of the data.
func (e *Explanation) input(inputs []Figure, j int) string {
	return number(Figure(e.units.of(inputs[j], j)))
}

func writeParts(b *strings.Builder, name, prefix string, parts []Share) {
	if len(parts) == 0 {
		return
	}
	decay, samples := false, false
	for _, p := range parts {
		decay, samples = decay || p.Regularization != 0, samples || p.Samples > 0
	}
	head := []string{"by " + name, "contribution", "up", "down", "share"}
	if samples {
		head = append(head, "samples")
	}
	if decay {
		head = append(head, "regularisation")
	}
	rows := [][]string{head}
	for _, p := range parts {
		row := []string{prefix + p.Name, signed(p.Contribution), signed(p.For), signed(p.Against), percent(p.Share)}
		if samples {
			row = append(row, strconv.Itoa(p.Samples))
		}
		if decay {
			row = append(row, signed(p.Regularization))
		}
		rows = append(rows, row)
	}
	b.WriteByte('\n')
	_ = writeTable(b, rows, 1)
}

func signed(f Figure) string { return fmt.Sprintf("%+.4g", float64(f)) }

func percent(f Figure) string {
	if math.IsNaN(float64(f)) {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(f))
}

// WriteExplanationsJSON writes explanations as a JSON array.
func WriteExplanationsJSON(w io.Writer, all []*Explanation) error { return writeJSON(w, all) }

// WriteExplanationsCSV writes a row for each training sample that explanations list, in full precision, with a
// column for each layer and window that there are.
func WriteExplanationsCSV(w io.Writer, all []*Explanation) error {
	c := csv.NewWriter(w)
	for k, e := range all {
		head := []string{"sample", "side", "rank", "index", "data_index", "label", "original_label", "contribution", "share"}
		for _, p := range e.ByLayer {
			head = append(head, "layer "+p.Name)
		}
		for _, p := range e.ByWindow {
			head = append(head, p.Name)
		}
		if k == 0 {
			if err := c.Write(head); err != nil {
				return err
			}
		}
		number := e.Sample.Row
		if number == nil {
			number = e.Sample.Query
		}
		sample := strconv.Itoa(*number)
		for _, side := range []struct {
			name   string
			pushes []Push
		}{{"for", e.For}, {"against", e.Against}} {
			for _, p := range side.pushes {
				row := []string{sample, side.name, strconv.Itoa(p.Rank), strconv.Itoa(p.Index), strconv.FormatInt(p.DataIndex, 10), p.Label, p.OriginalLabel}
				for _, f := range append(append([]Figure{p.Contribution, p.Share}, p.ByLayer...), p.ByWindow...) {
					row = append(row, strconv.FormatFloat(float64(f), 'g', -1, 64))
				}
				if err := c.Write(row); err != nil {
					return err
				}
			}
		}
	}
	c.Flush()
	return c.Error()
}
