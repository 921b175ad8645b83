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
	"reflect"
	"slices"
	"strings"

	"pkm/training"
)

// ResumeRunDir opens the directory of a run that was killed, interrupted or failed, to
// go on with it. It refuses a run that is complete or has diverged, and one whose
// configuration, data, platform or BLAS differ from what same says.
func ResumeRunDir(dir string, same Manifest, configuration []byte) (*RunDir, error) {
	d := &RunDir{path: dir, files: map[string]FileRecord{}, resumed: true}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, &ResumeError{Dir: dir, Fault: "there is no such folder; name the run with --out"}
	}
	if err := d.take(); err != nil {
		return nil, err
	}
	if err := d.reopen(same, configuration); err != nil {
		if d.lock != nil {
			err = errors.Join(err, d.lock.Close())
		}
		return nil, err
	}
	return d, nil
}

// reopen checks what is in the directory.
func (d *RunDir) reopen(same Manifest, configuration []byte) error {
	dir := d.path
	m, err := ReadManifest(dir)
	if info, e := os.Stat(filepath.Join(dir, manifestName)); err != nil && e == nil && info.Size() == 0 {
		begun := newManifest() // killed between the two moments of creating it
		m, err = &begun, nil
	}
	if err != nil {
		return &ResumeError{Dir: dir, Fault: err.Error()}
	}
	refuse := func(field, fault string) error { return &ResumeError{Dir: dir, Field: field, Fault: fault} }
	switch m.Outcome {
	case Completed:
		return refuse("", "it is complete; name another run with --out")
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
		return fmt.Errorf("resume run %s: %w", dir, err)
	}
	if err == nil && !bytes.Equal(old, configuration) {
		key, was, is := differingKey(old, configuration)
		return refuse(key, fmt.Sprintf("its configuration says %s, this one %s", was, is))
	}
	if err := removeTemporary(dir); err != nil {
		return err
	}
	d.manifest, d.before = *m, *m
	d.manifest.Outcome, d.manifest.Reason, d.manifest.Finished = Running, "", nil
	return d.Update(func(*Manifest) {})
}

// differingKey returns the first key in which two written configurations differ, and its
// values.
func differingKey(old, new []byte) (key, was, is string) {
	a, errA := Parse("config.yaml", old, "yaml", nil, nil)
	b, errB := Parse("config.yaml", new, "yaml", nil, nil)
	if errA != nil || errB != nil {
		return "config.yaml", "what this program does not read", "otherwise"
	}
	key, x, y := firstDifference(configSchema(), reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), "")
	return key, x, y
}

// firstDifference walks over two values of the key f.
func firstDifference(f *field, a, b reflect.Value, path string) (key, was, is string) {
	switch {
	case f.isSection():
		for i, sub := range f.children {
			if key, was, is := firstDifference(sub, a.Field(i), b.Field(i), joinKey(path, sub.key)); key != "" {
				return key, was, is
			}
		}
		return "", "", ""
	case a.Kind() == reflect.Slice && a.Len() == b.Len() && f.isListOfSections():
		for i := range a.Len() {
			if key, was, is := firstDifference(f.item(), a.Index(i), b.Index(i), itemPath(path, i)); key != "" {
				return key, was, is
			}
		}
		return "", "", ""
	case a.Kind() == reflect.Slice && a.Len() != b.Len():
		return path, fmt.Sprintf("a list of %d", a.Len()), fmt.Sprintf("of %d", b.Len())
	case reflect.DeepEqual(a.Interface(), b.Interface()):
		return "", "", ""
	}
	return path, flow(f, a), flow(f, b)
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
// beyond it, which are written again. check reads one.
func (d *RunDir) keepCheckpoints(step, every int, check func(path string, step int) error) error {
	trajectory := training.Trajectory{Dir: filepath.Join(d.path, "trajectory")}
	steps, err := trajectory.Steps()
	if err != nil {
		return err
	}
	for s := 0; s <= step; s += every {
		if _, found := slices.BinarySearch(steps, s); !found {
			return &ResumeError{Dir: d.path, Fault: fmt.Sprintf("trajectory/%s is missing, so the path cannot be replayed; delete the run and start again", training.CheckpointName(s))}
		}
	}
	for _, s := range steps {
		path := trajectory.Path(s)
		if s > step {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := check(path, s); err != nil {
			return &ResumeError{Dir: d.path, Fault: err.Error() + "; delete the run and start again"}
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
	return kept, d.keep(metricsName, content[:length])
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
