package experiments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// levelState is how far the run of a level is.
type levelState int

const (
	levelNew   levelState = iota // nothing is there
	levelBegun                   // and was interrupted, killed or failed
	levelDone                    // or diverged
)

// states looks at what is in the folder of a study, and returns how far each level is. What the study would overwrite, or
// what is not of a study, is an *OccupiedError.
func (s *Study) states(dir string) ([]levelState, error) {
	if err := s.checkFolder(dir); err != nil {
		return nil, err
	}
	data, err := s.Levels[0].Config.load() // which checks the samples, the same of all levels
	if err != nil {
		return nil, err
	}
	states := make([]levelState, len(s.Levels))
	for i, level := range s.Levels {
		if states[i], err = level.state(filepath.Join(dir, level.folder()), data.SHA256); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// checkFolder refuses a folder that is not absent, empty or of this study.
func (s *Study) checkFolder(dir string) error {
	occupied := func(format string, args ...any) error {
		return fmt.Errorf("convergence study: %w", &OccupiedError{Path: dir, Found: fmt.Sprintf(format, args...)})
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("convergence study: %w", err)
	case !info.IsDir():
		return occupied("a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("convergence study: %w", err)
	}
	files := []string{convergenceJSON, convergenceCSV, convergenceSVG, convergencePNG}
	written := false
	for _, e := range entries {
		name := e.Name()
		ours := slices.Contains(files, name)
		written = written || ours
		if !ours && !strings.HasPrefix(name, "eta-") && !strings.HasPrefix(name, "step-") && !strings.HasPrefix(name, ".") {
			return occupied("a folder that is no convergence study, with %q in it", name)
		}
	}
	if !written {
		return nil
	}
	var earlier Convergence
	b, err := os.ReadFile(filepath.Join(dir, convergenceJSON))
	if err != nil || json.Unmarshal(b, &earlier) != nil || earlier.Format != convergenceFormat {
		return occupied("a %s that is not that of a convergence study, or damaged, or none beside its figures", convergenceJSON)
	}
	// A run that both have is of the same configuration, or is refused as a run of another.
	if !slices.ContainsFunc(earlier.Levels, func(l ConvergenceLevel) bool {
		return slices.ContainsFunc(s.Levels, func(own StudyLevel) bool { return own.folder() == l.Run })
	}) {
		return occupied("a convergence study of other learning rates")
	}
	return nil
}

// state looks at what is in the place of a level's run. A run of another configuration or of other data, and what is no
// run, are an *OccupiedError.
func (l StudyLevel) state(dir, sha string) (levelState, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		if info, e := os.Stat(filepath.Join(dir, manifestName)); e == nil && info.Size() == 0 {
			return levelBegun, nil // killed while it was created
		}
		return levelNew, checkVacant(dir)
	}
	text, err := l.Config.YAML()
	if err != nil {
		return levelNew, err
	}
	occupied := func(format string, args ...any) (levelState, error) {
		return levelNew, &OccupiedError{Path: dir, Found: fmt.Sprintf(format, args...), Outcome: m.Outcome}
	}
	over := m.Outcome == Completed || m.Outcome == Diverged
	old, err := (&Run{Path: dir, Manifest: *m}).readFile("config.yaml")
	var damaged *FileError
	switch {
	case errors.As(err, &damaged) && !over:
		return levelBegun, nil // killed before its configuration was in the manifest; resuming compares it
	case err != nil:
		return levelNew, fmt.Errorf("read run directory %s: %w", dir, err)
	case !bytes.Equal(old, text):
		key, was, is := differingKey(old, text)
		return occupied("a run of another configuration, with %s of %s where this study has %s", key, was, is)
	case m.Data.SHA256 != "" && m.Data.SHA256 != sha:
		return occupied("a run of the same configuration on other data, by their SHA-256")
	case over:
		return levelDone, nil
	}
	return levelBegun, nil
}
