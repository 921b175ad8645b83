package experiments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The states of a listed run beside the outcomes.
const (
	Killed  Outcome = "killed"  // its manifest says running, but no process writes it
	Damaged Outcome = "damaged" // what it is cannot be read
)

// ListedRun is a row of a list of runs. What is not known is NaN, "" or nil.
type ListedRun struct {
	Path       string     `json:"run"`
	Name       string     `json:"name"`
	State      Outcome    `json:"state"` // an outcome, Killed or Damaged
	FastDevRun bool       `json:"fast_dev_run"`
	Started    *time.Time `json:"started"`
	Network    string     `json:"network"`
	Optimizer  string     `json:"optimizer"`
	Steps      Figure     `json:"steps"` // that were taken
	TrainLoss  Figure     `json:"train_loss"`
	Accuracy   Figure     `json:"query_accuracy"`
	WorstError Figure     `json:"worst_relative_error"` // the largest relative error of its machines
	Seconds    Figure     `json:"seconds"`
	Bytes      Figure     `json:"bytes"` // on disk
	Fault      string     `json:"fault"` // of a run that is damaged or did not end well
}

// ListRuns lists the runs in folders: a folder that is a run itself, and those in it at most four folders deep. Symbolic
// links in a folder are not followed, hidden folders not entered. A run that is damaged is listed as such. The error
// joins those of folders that cannot be read; the list holds the runs of the others.
func ListRuns(dirs []string) ([]ListedRun, error) {
	folders, err := findRuns(dirs)
	runs := make([]ListedRun, len(folders))
	for i, dir := range folders {
		runs[i] = listRun(dir)
	}
	return runs, err
}

// FindRuns returns the directories that [ListRuns] lists, of the folders that can be read.
func FindRuns(dirs []string) []string {
	runs, _ := findRuns(dirs)
	return runs
}

// findRuns returns the run directories in folders, each once.
func findRuns(dirs []string) (runs []string, err error) {
	const deepest = 4
	seen := map[string]bool{}
	var faults []error
	var enter func(dir string, depth int)
	enter = func(dir string, depth int) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			faults = append(faults, fmt.Errorf("list runs: %w", err))
			return
		}
		if looksLikeRun(entries) {
			whole, err := filepath.Abs(dir)
			if err != nil || !seen[whole] {
				runs = append(runs, dir)
			}
			seen[whole] = true
			return
		}
		for _, e := range entries {
			if e.IsDir() && depth < deepest && !strings.HasPrefix(e.Name(), ".") {
				enter(filepath.Join(dir, e.Name()), depth+1)
			}
		}
	}
	for _, dir := range dirs {
		enter(filepath.Clean(dir), 0)
	}
	return runs, errors.Join(faults...)
}

// looksLikeRun reports whether a folder with these entries is, or was, a run: it has a manifest, or most of the rest.
func looksLikeRun(entries []fs.DirEntry) bool {
	parts := 0
	for _, e := range entries {
		switch e.Name() {
		case manifestName:
			return true
		case "config.yaml", metricsName, summaryName, "arrays", "weights_initial.safetensors":
			parts++
		}
	}
	return parts >= 3
}

// listRun reads the row of a run.
func listRun(dir string) ListedRun {
	nan := Figure(math.NaN())
	r := ListedRun{Path: dir, State: Damaged, Steps: nan, TrainLoss: nan, Accuracy: nan, WorstError: nan, Seconds: nan, Bytes: diskUsage(dir)}
	damaged := func(err error) ListedRun {
		var file *FileError
		if errors.As(err, &file) {
			err = file // without the path, which the row says
		}
		r.State, r.Fault = Damaged, err.Error()
		return r
	}
	m, err := ReadManifest(dir)
	if err != nil {
		return damaged(err)
	}
	r.Name, r.State, r.FastDevRun, r.Started, r.Fault = m.Name, m.Outcome, m.FastDevRun, &m.Started, m.Reason
	if m.Outcome == Running {
		if held, err := beingWritten(dir); err == nil && !held {
			r.State, r.Fault = Killed, "it was killed, or the machine stopped"
		}
	}
	r.Seconds = seconds(m)
	run := &Run{Path: dir, Manifest: *m}
	steps := math.Inf(1)
	if _, listed := run.record("config.yaml"); listed {
		c, err := run.Config()
		var file *FileError
		switch {
		case errors.As(err, &file):
			return damaged(err)
		case err != nil: // of another version
			r.Network = "?"
		default:
			r.Network, r.Optimizer, steps = c.Network.short(), c.Training.Optimizer.short(), float64(c.Training.Steps)
		}
	}
	if _, listed := run.record(summaryName); !listed {
		if m.Outcome == Completed {
			return damaged(&FileError{Path: summaryName, Fault: FaultMissing, Detail: "the manifest does not list it"})
		}
		if last, ok := lastMetrics(dir); ok { // a line for each step from 0, and one for the end
			r.Steps, r.TrainLoss = Figure(min(float64(last.Step+1), steps)), last.Loss
			if r.State == Running || r.State == Killed {
				r.Seconds = last.Seconds
			}
		}
		return r
	}
	if run, err = LoadRun(dir); err != nil {
		return damaged(err)
	}
	s := &run.Summary
	r.Steps, r.TrainLoss, r.Accuracy = Figure(s.Steps), s.Network.TrainLoss, s.Network.QueryAccuracy
	for _, machine := range s.Machines {
		if e := machine.Figures.RelativeError; !(r.WorstError >= e) {
			r.WorstError = e
		}
	}
	return r
}

// beingWritten reports whether a process holds the lock of a run directory, or may, where there are no locks.
func beingWritten(dir string) (bool, error) {
	lock, _, err := LockFolder(dir)
	if lock == nil {
		return true, err
	}
	return false, lock.Close()
}

// seconds returns the time that the phases of a run took that hold all others; NaN where it is not known.
func seconds(m *Manifest) Figure {
	if len(m.PhaseTimes) == 0 {
		return Figure(math.NaN())
	}
	return m.PhaseTimes["prepare"] + m.PhaseTimes["train"] + m.PhaseTimes["write"]
}

// lastMetrics returns the last whole line of a run's metrics.
func lastMetrics(dir string) (last StepMetrics, ok bool) {
	f, err := os.Open(filepath.Join(dir, metricsName))
	if err != nil {
		return last, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return last, false
	}
	const tail = 4096
	content, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tail), tail))
	if err != nil {
		return last, false
	}
	lines := bytes.Split(content, []byte("\n"))
	for i := len(lines) - 2; i >= 0 && !ok; i-- { // what follows on the last newline is not whole
		ok = json.Unmarshal(lines[i], &last) == nil
	}
	return last, ok
}

// diskUsage returns the bytes of the files below a folder, NaN where some cannot be read.
func diskUsage(dir string) (sum Figure) {
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			sum += Figure(info.Size())
		} else if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that a running process has replaced meanwhile
		}
		return err
	})
	if err != nil {
		return Figure(math.NaN())
	}
	return sum
}
