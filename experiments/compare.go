package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
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
	return fail(&FileError{Path: summaryName, Fault: FaultMissing, Detail: "the run has no figures to read; " + unfinished(dir, m)})
}

// unfinished says in what state a run without figures is, and what to do. The lock of its folder tells one that is
// running from one that was killed.
func unfinished(dir string, m *Manifest) string {
	resume := fmt.Sprintf("; pkm run CONFIG --resume --out %s goes on with it", dir)
	reason := ""
	if m.Reason != "" {
		reason = ", " + m.Reason
	}
	switch m.Outcome {
	case Running:
		if held, err := beingWritten(dir); err != nil || held {
			return "it is running; wait for it"
		}
		return "it was killed, or the machine stopped" + resume
	case Interrupted:
		return fmt.Sprintf("it is %s%s%s", m.Outcome, reason, resume)
	}
	return fmt.Sprintf("it is %s%s", m.Outcome, reason)
}

// LoadRuns reads several runs. Those that cannot be read are left out, and their faults are the error,
// joined; a folder that is no run but holds some is told from one that has nothing to do with pkm.
func LoadRuns(dirs []string) ([]*Run, error) {
	var runs []*Run
	var faults []error
	for _, dir := range dirs {
		run, err := LoadRun(dir)
		var damaged *FileError
		if err != nil && (!errors.As(err, &damaged) || damaged.Path == manifestName && damaged.Fault == FaultMissing) {
			err = notARun(dir, err)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		runs = append(runs, run)
	}
	return runs, errors.Join(faults...)
}

// notARun says what is at dir instead of a run, or returns err.
func notARun(dir string, err error) error {
	info, statErr := os.Stat(dir)
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
		return fmt.Errorf("read run directory %s: there is no such folder (looked for its %s)", dir, manifestName)
	case statErr != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("read run directory %s: it is a file, not the directory of a run", dir)
	}
	within, globErr := filepath.Glob(filepath.Join(dir, "*", manifestName))
	if globErr != nil || len(within) == 0 {
		return err
	}
	var names []string
	for _, m := range within[:min(3, len(within))] {
		names = append(names, filepath.Dir(m))
	}
	more := ""
	if len(within) > len(names) {
		more = fmt.Sprintf(" and %d more", len(within)-len(names))
	}
	return fmt.Errorf("read run directory %s: it is not a run, but holds some: %s%s; name them", dir, strings.Join(names, ", "), more)
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
func Compare(w io.Writer, runs []*Run) error { return compareTable(w, compareRows(runs)) }

// number writes a figure with three significant digits.
func number(f Figure) string {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return "-"
	}
	return fmt.Sprintf("%.3g", float64(f))
}
