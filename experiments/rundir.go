package experiments

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pkm/internal/atomicfile"
	"pkm/internal/npy"
	"pkm/internal/safetensors"
)

// Tensor is a named tensor of a .safetensors file.
type Tensor = safetensors.Tensor

// An OccupiedError reports that a run directory cannot be created because
// something is there. Nothing is ever overwritten.
type OccupiedError struct {
	Path    string
	Found   string  // what is there, in words
	Outcome Outcome // of the run that is there; empty if what is there is not a run
}

func (e *OccupiedError) Error() string {
	advice := "choose another folder with --out"
	if e.Outcome != "" {
		advice += ", or delete this one"
	}
	return fmt.Sprintf("create run directory %s: found %s; nothing is overwritten: %s", e.Path, e.Found, advice)
}

// RunDir is the directory of one run while it is being written. Its methods may
// be called by several goroutines.
type RunDir struct {
	path string

	mu       sync.Mutex
	manifest Manifest
	files    map[string]FileRecord
	appended map[string]*appender // files, by name
	finished bool
	resumed  bool     // from a run that was killed or stopped
	before   Manifest // of that run
	lock     *os.File
}

// take locks the directory for this process.
func (d *RunDir) take() error {
	lock, held, err := LockFolder(d.path)
	for range 3 { // pkm ls holds it for an instant
		if err == nil && held {
			time.Sleep(10 * time.Millisecond)
			lock, held, err = LockFolder(d.path)
		}
	}
	if err != nil {
		return fmt.Errorf("lock run directory %s: %w", d.path, err)
	}
	if held {
		return &OccupiedError{Path: d.path, Found: "a run that another process is writing", Outcome: Running}
	}
	d.lock = lock
	return nil
}

// CreateRunDir creates the directory of a run at dir, with its parents, and
// marks it as ours: its manifest.json says that the run is running. An empty
// folder is taken as it is. A file, a folder with anything in it and a run,
// complete or not, give an *OccupiedError.
func CreateRunDir(dir string) (*RunDir, error) {
	if err := checkVacant(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("create run directory %s: %w", dir, err)
	}
	// Of two processes that found the folder empty, one creates this file.
	mark, err := os.OpenFile(filepath.Join(dir, manifestName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, &OccupiedError{Path: dir, Found: "a run that has just begun", Outcome: Running}
	}
	if err != nil {
		return nil, fmt.Errorf("create run directory %s: %w", dir, err)
	}
	if err := mark.Close(); err != nil {
		return nil, fmt.Errorf("create run directory %s: %w", dir, err)
	}

	d := &RunDir{path: dir, files: map[string]FileRecord{}, manifest: newManifest()}
	if err := d.take(); err != nil {
		return nil, err
	}
	if err := d.Update(func(*Manifest) {}); err != nil {
		return nil, err
	}
	return d, nil
}

// newManifest returns the manifest of a run that begins.
func newManifest() Manifest {
	return Manifest{
		PkmVersion: Version(),
		Libraries:  libraries(),
		Outcome:    Running,
		Started:    now(),
		GoVersion:  runtime.Version(),
		OS:         runtime.GOOS,
		Arch:       runtime.GOARCH,
		CPUs:       runtime.NumCPU(),
		PhaseTimes: map[string]Figure{},
	}
}

// checkVacant returns an *OccupiedError unless dir is absent or an empty folder.
func checkVacant(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create run directory: %w", err)
	}
	if !info.IsDir() {
		return &OccupiedError{Path: dir, Found: "a file"}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("create run directory: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	m, err := ReadManifest(dir)
	switch {
	case err == nil && m.Outcome == Running:
		return &OccupiedError{Path: dir, Found: "a run of pkm that is still running, or was killed", Outcome: Running}
	case err == nil:
		return &OccupiedError{Path: dir, Found: fmt.Sprintf("a run of pkm (%s)", m.Outcome), Outcome: m.Outcome}
	}
	var damaged *FileError
	if errors.As(err, &damaged) && damaged.Fault != FaultMissing {
		return &OccupiedError{Path: dir, Found: fmt.Sprintf("a folder that is not a whole run of pkm (%v)", damaged)}
	}
	names := make([]string, 0, 3)
	for _, e := range entries[:min(3, len(entries))] {
		names = append(names, strconv.Quote(e.Name()))
	}
	more := ""
	if n := len(entries) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return &OccupiedError{Path: dir, Found: fmt.Sprintf("a folder that is not a run of pkm, with %s%s in it", strings.Join(names, ", "), more)}
}

// Path returns the path that the directory was created at.
func (d *RunDir) Path() string { return d.path }

// WriteFile writes the file name, a path with slashes within the run directory,
// whole or not at all, and records it for the manifest. A file that was written
// before is replaced.
func (d *RunDir) WriteFile(name string, write func(io.Writer) error) error {
	if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) || name == "." {
		return fmt.Errorf("write to run directory %s: %q is not a path within it", d.path, name)
	}
	if name == manifestName || name == metricsName {
		return fmt.Errorf("write to run directory %s: %s is written by pkm itself", d.path, name)
	}
	if err := d.open(name); err != nil {
		return err
	}
	target := filepath.Join(d.path, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return fmt.Errorf("write to run directory %s: %w", d.path, err)
	}
	digest, err := atomicfile.Write(target, write)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = FileRecord{Path: name, Bytes: digest.Bytes, SHA256: digest.SHA256}
	return nil
}

// open returns an error if the run is finished: its manifest would not list name.
func (d *RunDir) open(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished {
		return fmt.Errorf("write to run directory %s: %s comes after the run was finished", d.path, name)
	}
	return nil
}

// arrayName is an array's name, after a machine's name or not.
var arrayName = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*/)?[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// WriteArray writes data, in C order, to arrays/<name>.npy. The name is an
// array's, or a machine's and an array's with a slash between, as in
// "exact/contributions". The product of shape must be len(data).
func WriteArray[T float32 | float64 | int64](d *RunDir, name string, shape []int, data []T) error {
	if !arrayName.MatchString(name) {
		return fmt.Errorf("write array to run directory %s: the name %q must be ARRAY or MACHINE/ARRAY, of letters, digits and . _ -", d.path, name)
	}
	return d.WriteFile(path.Join("arrays", name+".npy"), func(w io.Writer) error {
		return npy.Write(w, shape, data)
	})
}

// WriteWeights writes tensors to <name>.safetensors.
func (d *RunDir) WriteWeights(name string, tensors []Tensor, metadata map[string]string) error {
	return d.WriteFile(name+".safetensors", func(w io.Writer) error {
		return safetensors.Write(w, tensors, metadata)
	})
}

// WriteSummary writes summary.json.
func (d *RunDir) WriteSummary(s Summary) error {
	return d.WriteFile(summaryName, func(w io.Writer) error { return writeJSON(w, s) })
}

// Update lets edit change the manifest and writes it. The list of files, the
// outcome and the times of the run are not edit's to change.
func (d *RunDir) Update(edit func(*Manifest)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished {
		return fmt.Errorf("update %s of run directory %s: the run is finished", manifestName, d.path)
	}
	before := d.manifest
	edit(&d.manifest)
	m := &d.manifest
	m.Outcome, m.Reason, m.Started, m.Finished = before.Outcome, before.Reason, before.Started, before.Finished
	return d.writeManifest()
}

// Finish records how the run ended, with the reason unless it was completed,
// and closes the directory: nothing can be written afterwards.
func (d *RunDir) Finish(outcome Outcome, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished {
		return fmt.Errorf("finish run directory %s: it is finished", d.path)
	}
	for _, name := range slices.Sorted(maps.Keys(d.appended)) {
		if err := d.appended[name].close(); err != nil {
			return err
		}
	}
	end := now()
	d.manifest.Outcome, d.manifest.Reason, d.manifest.Finished = outcome, reason, &end
	d.manifest.PeakMemory = peakMemory()
	if err := d.writeManifest(); err != nil {
		return err
	}
	d.finished = true
	if d.lock != nil {
		return d.lock.Close()
	}
	return nil
}

// leave closes the directory of a run that cannot be gone on with, with the manifest that it had.
func (d *RunDir) leave() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := d.before.encode()
	if err == nil {
		_, err = atomicfile.Write(filepath.Join(d.path, manifestName), func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
	}
	d.finished = true
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// writeManifest writes manifest.json with the files so far; d.mu is held.
func (d *RunDir) writeManifest() error {
	for name, a := range d.appended {
		d.files[name] = a.record()
	}
	d.manifest.Files = make([]FileRecord, 0, len(d.files))
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		d.manifest.Files = append(d.manifest.Files, d.files[name])
	}
	b, err := d.manifest.encode()
	if err != nil {
		return fmt.Errorf("write %s of run directory %s: %w", manifestName, d.path, err)
	}
	_, err = atomicfile.Write(filepath.Join(d.path, manifestName), func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	return err
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Version returns the version that the Go tool wrote into the program, with the
// commit where it knows it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	version := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && !strings.Contains(version, setting.Value[:min(12, len(setting.Value))]) {
			version += " " + setting.Value
		}
	}
	return version
}

// libraries returns the versions of the modules that a run's numbers pass through.
func libraries() map[string]string {
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "gorgonia.org/gorgonia", "gorgonia.org/tensor", "gonum.org/v1/gonum":
			versions[m.Path] = m.Version
		}
	}
	return versions
}

// peakMemory returns the largest resident size of the process so far in bytes,
// or, where the system does not tell, what the Go runtime has obtained from it.
func peakMemory() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range bytes.Lines(status) {
			if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "VmHWM:" {
				if kB, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
					return kB * 1024
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
