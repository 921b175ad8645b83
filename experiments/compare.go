package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Run is a finished run, read back.
type Run struct {
	Path     string
	Manifest Manifest
	Summary  Summary
}

// LoadRun reads the manifest and the summary of the run directory at dir, and
// checks that they are as they were written. The error wraps a *FileError if
// one of them is missing, cut or altered.
func LoadRun(dir string) (*Run, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Run, error) { return nil, fmt.Errorf("read run directory %s: %w", dir, err) }
	run := &Run{Path: dir, Manifest: *m}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer root.Close()
	for _, f := range m.Files {
		if f.Path != summaryName {
			continue
		}
		if err := verifyFile(root, f); err != nil {
			return fail(err)
		}
		b, err := root.ReadFile(summaryName)
		if err != nil {
			return fail(err)
		}
		if err := json.Unmarshal(b, &run.Summary); err != nil {
			return fail(fmt.Errorf("%s: %w", summaryName, err))
		}
		return run, nil
	}
	reason := ""
	if m.Reason != "" {
		reason = ", " + m.Reason
	}
	return fail(&FileError{Path: summaryName, Fault: FaultMissing,
		Detail: fmt.Sprintf("the run has no figures to read; it is %s%s", m.Outcome, reason)})
}

// label returns a run's name in a table: the last part of its path, or the whole
// path where two runs share that part.
func label(runs []*Run, i int) string {
	base := filepath.Base(filepath.Clean(runs[i].Path))
	for j, r := range runs {
		if j != i && filepath.Base(filepath.Clean(r.Path)) == base {
			return runs[i].Path
		}
	}
	return base
}

// Compare writes a table with a row per machine of each run, after a row with
// the figures of the run's network, and before one per baseline. The certificate is the largest sum over steps of what a
// quadrature missed. The generalisation gap and its bound are columns where a run has them. A figure that a
// row does not have is a dash; why a baseline has none stands below the table.
func Compare(w io.Writer, runs []*Run) error {
	rows := [][]string{{"run", "machine", "max abs error", "rmse", "relative error", "certificate", "argmax agreement", "query accuracy", "train loss", "query loss"}}
	bounded := slices.ContainsFunc(runs, func(r *Run) bool { return r.Summary.Generalization != nil })
	if bounded {
		rows[0] = append(rows[0], "gap", "gap bound")
	}
	for i, r := range runs {
		run, n := label(runs, i), r.Summary.Network
		row := []string{run, "(network)", "-", "-", "-", "-", "-", number(n.QueryAccuracy), number(n.TrainLoss), number(n.QueryLoss)}
		if g := r.Summary.Generalization; g != nil {
			row = append(row, number(g.MeasuredGap), number(g.Bound))
		}
		rows = append(rows, row)
		for _, m := range r.Summary.Machines {
			f := m.Figures
			certificate := "-"
			if f.Certificate != nil {
				certificate = number(f.Certificate.AccumulatedResidual)
			}
			rows = append(rows, []string{run, m.Name, number(f.MaxAbsError), number(f.RMSE), number(f.RelativeError), certificate,
				number(f.ArgmaxAgreement), number(f.QueryAccuracy), "-", "-"})
		}
		for _, b := range r.Summary.Baselines {
			f := b.Figures
			rows = append(rows, []string{run, "(" + b.Name + ")", number(f.MaxAbsError), number(f.RMSE), number(f.RelativeError), "-",
				number(f.ArgmaxAgreement), number(f.QueryAccuracy), "-", "-"})
		}
	}
	for i := range rows {
		for len(rows[i]) < len(rows[0]) {
			rows[i] = append(rows[i], "-")
		}
	}
	// tabwriter aligns all columns to the same side, the right one for numbers;
	// names of one width stand left.
	for column := range 2 {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[column]))
		}
		for _, row := range rows {
			row[column] += strings.Repeat(" ", width-utf8.RuneCountInString(row[column]))
		}
	}
	// tabwriter puts the padding of a right-aligned cell before it: two spaces
	// that the first column does not want.
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimPrefix(line, "  ")); err != nil {
			return err
		}
	}
	for i, r := range runs {
		for _, m := range r.Summary.Baselines {
			if m.Figures.Fault == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s, (%s): %s\n", label(runs, i), m.Name, m.Figures.Fault); err != nil {
				return err
			}
		}
	}
	return nil
}

// number writes a figure with three significant digits.
func number(f Figure) string {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return "-"
	}
	return fmt.Sprintf("%.3g", float64(f))
}

// CompareJSON writes the summaries of the runs, in full precision, as a JSON
// array with an object per run: its path, name, outcome and summary.
func CompareJSON(w io.Writer, runs []*Run) error {
	type entry struct {
		Run     string  `json:"run"`
		Name    string  `json:"name"`
		Outcome Outcome `json:"outcome"`
		Summary Summary `json:"summary"`
	}
	entries := make([]entry, 0, len(runs))
	for _, r := range runs {
		entries = append(entries, entry{r.Path, r.Manifest.Name, r.Manifest.Outcome, r.Summary})
	}
	return writeJSON(w, entries)
}
