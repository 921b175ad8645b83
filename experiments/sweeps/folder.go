package sweeps

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"pkm/experiments"
)

// FolderError reports a folder in which a sweep cannot be begun or gone on with.
type FolderError struct{ Dir, Fault string }

func (e *FolderError) Error() string { return fmt.Sprintf("sweep in %s: %s", e.Dir, e.Fault) }

// open creates the folder of a sweep, or opens it to go on, and locks it.
func (s *Sweep) open(o Options) (*Definition, *os.File, error) {
	fail := func(format string, args ...any) (*Definition, *os.File, error) {
		return nil, nil, &FolderError{o.Dir, fmt.Sprintf(format, args...)}
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail("it cannot be read: %v", err)
	}
	old, unreadable := ReadDefinition(o.Dir)
	var none *FolderError
	switch {
	case o.Resume && len(entries) > 0 && unreadable != nil:
		return nil, nil, unreadable
	case !o.Resume && unreadable == nil:
		return fail("one is there; go on with it: --resume, or choose another folder with --out")
	case !o.Resume && len(entries) > 0:
		return fail("there is something else in it; choose another folder with --out")
	case unreadable != nil && !errors.As(unreadable, &none):
		return nil, nil, unreadable
	}
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return fail("it cannot be created: %v", err)
	}
	lock, held, err := experiments.LockFolder(o.Dir)
	if err != nil {
		return fail("it cannot be locked: %v", err)
	}
	if held {
		return fail("another process is running it")
	}
	id := strings.ToLower(rand.Text()[:10])
	if old != nil {
		id = old.ID
	}
	d, err := s.definition(id)
	if err == nil && old != nil {
		if difference := old.differs(d); difference != "" {
			err = &FolderError{o.Dir, "it is another one: " + difference + "; choose another folder with --out"}
		} else if d.Trials < old.Trials {
			err = &FolderError{o.Dir, fmt.Sprintf("it is one of %d trials, now there would be %d: run_cap can grow only", old.Trials, d.Trials)}
		} else if old.Server != "" && o.Server.URL == "" && !o.LeaveServer {
			err = &FolderError{o.Dir, fmt.Sprintf("its results are on the server %s; give it with --server, or go on without it with --server '', which reads results again from the folders of the trials", old.Server)}
		}
	}
	if err == nil {
		d.Server = withoutSecret(o.Server.URL)
		err = d.write(o.Dir)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	return d, lock, nil
}
