package experiments

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Cleaning says which runs are removed: those that meet every condition that is set.
type Cleaning struct {
	Keep        int           // spares so many runs, the latest of all; 0: none
	Failed      bool          // only runs that failed or diverged
	OlderThan   time.Duration // only runs that ended, or else began, so long ago; 0: of any age
	Interrupted bool          // also runs that were interrupted or killed, which could be gone on with
	Now         time.Time
}

// Removal is a run directory that may be removed, or that is left and why.
type Removal struct {
	Run  ListedRun
	Left string // why it is left, "" where it may be removed
	sum  string // of the manifest that was looked at
	rest bool   // what an earlier removal, cut short, has left
}

// removedName is what a folder is called while it is removed.
var removedName = regexp.MustCompile(`^\.pkm-removed-[A-Z2-7]{26}$`)

// Plan finds the runs in folders, as [ListRuns] does, that meet the conditions, the latest first. Those that are not safe
// to remove are left: only a directory is removed whose manifest is whole, whose run has ended, that no process writes,
// that is no part of a sweep or a convergence study, and that holds nothing but files of the run. It changes nothing.
func (c Cleaning) Plan(dirs []string) ([]Removal, error) {
	runs, err := ListRuns(dirs)
	slices.SortStableFunc(runs, func(a, b ListedRun) int { return cmp.Compare(started(b), started(a)) })
	var removals []Removal
	whole := 0
	for _, r := range runs {
		if r.Started != nil {
			whole++
		}
		if r.Started != nil && whole <= c.Keep || !c.meets(r) {
			continue
		}
		removal := Removal{Run: r}
		removal.Left, removal.sum = c.obstacle(r)
		removals = append(removals, removal)
	}
	for _, dir := range rests(dirs, runs) {
		removals = append(removals, Removal{Run: ListedRun{Path: dir, State: Damaged, Bytes: diskUsage(dir), Fault: "a removal that was cut short"}, rest: true})
	}
	return removals, err
}

func started(r ListedRun) int64 {
	if r.Started == nil {
		return 0
	}
	return r.Started.Unix()
}

// meets reports whether a run meets the conditions.
func (c Cleaning) meets(r ListedRun) bool {
	if c.Failed && r.State != Failed && r.State != Diverged {
		return false
	}
	if c.OlderThan == 0 || r.Started == nil {
		return true
	}
	at := *r.Started
	if m, err := ReadManifest(r.Path); err == nil && m.Finished != nil {
		at = *m.Finished
	}
	return c.Now.Sub(at) > c.OlderThan
}

// obstacle says why a run is not removed, or returns the sum of its manifest.
func (c Cleaning) obstacle(r ListedRun) (why, sum string) {
	m, err := ReadManifest(r.Path)
	switch {
	case err != nil, r.State == Damaged:
		return "it is damaged: " + r.Fault, ""
	case r.State == Running:
		return "it is running", ""
	case (m.Outcome == Running || m.Outcome == Interrupted) && !c.Interrupted:
		return fmt.Sprintf("it was %s and could be gone on with; --interrupted removes such runs too", cmp.Or(map[bool]Outcome{true: Killed}[m.Outcome == Running], m.Outcome)), ""
	}
	info, err := os.Lstat(r.Path)
	if err != nil || !info.IsDir() {
		return "it is a symbolic link", ""
	}
	if whole := partOf(r.Path); whole != "" {
		return "it is a part of " + whole, ""
	}
	name, err := foreign(r.Path, m)
	switch {
	case err != nil:
		return err.Error(), ""
	case name != "":
		return "it holds " + name + ", which is not a file of the run", ""
	}
	return "", m.ManifestSum
}

// partOf says which sweep or convergence study a run belongs to, or "".
func partOf(dir string) string {
	for range 3 {
		dir = filepath.Dir(dir)
		for name, what := range map[string]string{"sweep.json": "the sweep in ", convergenceJSON: "the convergence study in "} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return what + dir
			}
		}
	}
	return ""
}

// ownFile matches the files that a run directory may hold though its manifest does not list them: those that are being
// written, and what the run can be reported in.
var ownFile = regexp.MustCompile(`^manifest\.json$|(^|/)\.[^/]+\.[A-Z2-7]{26}\.tmp$|^report\.html$|^figures/(training|agreement|path-kernel|loss-account|tangent-kernel)\.(svg|png)$`)

// unlistedFile matches what a run that was cut short had no time to list.
var unlistedFile = regexp.MustCompile(`^(trajectory|arrays|events|parts|queue)/|^[a-z_]+\.(safetensors|json|jsonl|yaml)$`)

// foreign returns the first file of a run directory that is not the run's, or "".
func foreign(dir string, m *Manifest) (name string, err error) {
	listed := map[string]bool{}
	for _, f := range m.Files {
		listed[f.Path] = true
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		within, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		within = filepath.ToSlash(within)
		own := listed[within] || ownFile.MatchString(within) || m.Outcome != Completed && unlistedFile.MatchString(within)
		if !own || !e.Type().IsRegular() {
			name = within
			return fs.SkipAll
		}
		return nil
	})
	return name, err
}

// rests returns what removals that were cut short have left beside the runs.
func rests(dirs []string, runs []ListedRun) (found []string) {
	parents := slices.Clone(dirs)
	for _, r := range runs {
		parents = append(parents, filepath.Dir(r.Path))
	}
	for i, p := range parents {
		parents[i] = filepath.Clean(p)
	}
	slices.Sort(parents)
	for _, parent := range slices.Compact(parents) {
		entries, _ := os.ReadDir(parent)
		for _, e := range entries {
			if e.IsDir() && removedName.MatchString(e.Name()) {
				found = append(found, filepath.Join(parent, e.Name()))
			}
		}
	}
	return found
}

// Remove removes the directory: it takes its lock, checks that it is still what it was, gives it a hidden name in its
// folder, and deletes that. So a run is whole or gone, whenever the removal is cut short; [Cleaning.Plan] finds the
// rest. Symbolic links are not followed.
func (r *Removal) Remove() (err error) {
	dir := r.Run.Path
	fail := func(err error) error { return fmt.Errorf("remove run directory %s: %w", dir, err) }
	if r.Left != "" {
		return fail(errors.New(r.Left))
	}
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, parent.Close()) }()
	name := filepath.Base(dir)
	if !r.rest {
		lock, held, err := LockFolder(dir)
		if err != nil {
			return fail(err)
		}
		if lock != nil {
			defer lock.Close()
		}
		m, err := ReadManifest(dir)
		switch {
		case err != nil:
			return fail(err)
		case held, m.ManifestSum != r.sum, lock == nil && m.Outcome == Running:
			return fail(errors.New("it has changed, or a process writes it; nothing of it was removed"))
		}
		hidden := ".pkm-removed-" + rand.Text()
		if err := parent.Rename(name, hidden); err != nil {
			return fail(err)
		}
		name = hidden
	}
	if err := parent.RemoveAll(name); err != nil {
		return fail(fmt.Errorf("%w; what is left of it is in %s, which the next pkm clean removes", err, filepath.Join(filepath.Dir(dir), name)))
	}
	return nil
}

// ParseAge reads a span of time, such as 90m, 12h, 7d or 2w.
func ParseAge(text string) (time.Duration, error) {
	for unit, day := range map[string]int{"d": 1, "w": 7} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			hours, err := time.ParseDuration(number + "h")
			if err == nil && hours > 0 && hours < 1e6*time.Hour {
				return hours * 24 * time.Duration(day), nil
			}
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 {
		return 0, fmt.Errorf("%q is no span of time; allowed: numbers above zero with a unit, such as 90m, 12h, 7d or 2w", text)
	}
	return age, nil
}
