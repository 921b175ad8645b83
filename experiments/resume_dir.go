package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pkm/training"
)

// ResumeRunDir opens the directory of a run that was killed, interrupted or failed, to
// go on with it. It refuses a run that is complete or has diverged, and one whose
// configuration, data, platform or BLAS differ from what same says.
func ResumeRunDir(dir string, same Manifest, configuration []byte) (*RunDir, error) {
	m, err := ReadManifest(dir)
	if info, e := os.Stat(filepath.Join(dir, manifestName)); err != nil && e == nil && info.Size() == 0 {
		begun := newManifest() // killed between the two moments of creating it
		m, err = &begun, nil
	}
	if err != nil {
		return nil, err
	}
	refuse := func(field, fault string) (*RunDir, error) {
		return nil, &ResumeError{Dir: dir, Field: field, Fault: fault}
	}
	switch m.Outcome {
	case Completed:
		return refuse("", "it is complete")
	case Diverged:
		return refuse("", "it has diverged: "+m.Reason)
	}
	// A run that was killed at its very beginning knows nothing yet.
	if m.BLAS != "" {
		for _, f := range []struct{ name, was, is string }{
			{"pkm version", m.PkmVersion, Version()}, {"operating system", m.OS, same.OS}, {"architecture", m.Arch, same.Arch},
			{"BLAS", m.BLAS, same.BLAS}, {"vector unit", m.Vector, same.Vector}, {"data source", m.Data.Source, same.Data.Source}, {"data SHA-256", m.Data.SHA256, same.Data.SHA256},
		} {
			if f.was != f.is {
				return refuse(f.name, fmt.Sprintf("it began with %s, now it would be %s: the rest would not fit", f.was, f.is))
			}
		}
	}
	old, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume run %s: %w", dir, err)
	}
	if err == nil && !bytes.Equal(old, configuration) {
		key, was, is := differingKey(string(old), string(configuration))
		return refuse(key, fmt.Sprintf("its configuration says %s, this one %s", was, is))
	}
	if err := removeTemporary(dir); err != nil {
		return nil, err
	}
	d := &RunDir{path: dir, files: map[string]FileRecord{}, manifest: *m, resumed: true}
	d.manifest.Outcome, d.manifest.Reason, d.manifest.Finished = Running, "", nil
	return d, d.Update(func(*Manifest) {})
}

// differingKey returns the first key of two written configurations whose lines differ.
func differingKey(old, new string) (key, was, is string) {
	a, b := strings.Split(old, "\n"), strings.Split(new, "\n")
	var sections []string // the keys of the sections that the line is in
	for i := range min(len(a), len(b)) {
		line := a[i]
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		name, _, _ := strings.Cut(strings.TrimLeft(line, " -"), ":")
		sections = append(sections[:min(depth, len(sections))], name)
		if a[i] != b[i] {
			return strings.Join(sections, "."), strconv.Quote(strings.TrimSpace(a[i])), strconv.Quote(strings.TrimSpace(b[i]))
		}
	}
	return "configuration", fmt.Sprintf("%d lines", len(a)), fmt.Sprintf("%d", len(b))
}

// removeTemporary removes what a killed process was writing.
func removeTemporary(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".tmp") {
			err = os.Remove(path)
		}
		return err
	})
}

// keepCheckpoints takes over the checkpoints of a resumed run up to a step, and removes those
// beyond it, which are written again.
func (d *RunDir) keepCheckpoints(step int) error {
	trajectory := training.Trajectory{Dir: filepath.Join(d.path, "trajectory")}
	steps, err := trajectory.Steps()
	if err != nil {
		return err
	}
	for _, s := range steps {
		path := trajectory.Path(s)
		if s > step {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		name := "trajectory/" + training.CheckpointName(s)
		d.mu.Lock()
		d.files[name] = FileRecord{Path: name, Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		d.mu.Unlock()
	}
	return nil
}

// keepMetrics opens the metrics of a resumed run and takes back the lines from a step on. It
// returns the lines that stay.
func (d *RunDir) keepMetrics(step int) ([]StepMetrics, error) {
	path := filepath.Join(d.path, metricsName)
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume run %s: %w", d.path, err)
	}
	var kept []StepMetrics
	length := 0
	for line := range bytes.Lines(content) {
		var m StepMetrics
		if json.Unmarshal(line, &m) != nil || m.Step >= step || !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		kept = append(kept, m)
		length += len(line)
	}
	if len(kept) != step {
		return nil, &ResumeError{Dir: d.path, Fault: fmt.Sprintf("%s has whole lines for %d steps, %s is of step %d; delete the run and start again", metricsName, len(kept), resumeName, step)}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("resume run %s: %w", d.path, err)
	}
	if err := f.Truncate(int64(length)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	h := sha256.New()
	h.Write(content[:length])
	d.mu.Lock()
	defer d.mu.Unlock()
	d.metrics = &MetricsWriter{f: f, hash: h, bytes: int64(length)}
	return kept, nil
}

// remove deletes a file of the run, if it is there.
func (d *RunDir) remove(name string) error {
	d.mu.Lock()
	delete(d.files, name)
	d.mu.Unlock()
	err := os.Remove(filepath.Join(d.path, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
