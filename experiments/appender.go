package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"pkm/internal/atomicfile"
)

// appender appends records to a file of a run directory. Each record is handed to the
// system whole and at once, so that a run that is killed keeps all records but,
// at worst, the one being written. Its methods may be called by several
// goroutines.
type appender struct {
	name  string // within the run directory
	mu    sync.Mutex
	f     *os.File
	hash  hash.Hash
	bytes int64
}

// appendTo returns the appender of a file, the same at every call: a new file, or that which keep has taken over.
func (d *RunDir) appendTo(name string) (*appender, error) {
	if err := d.open(name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.appended[name]; a != nil {
		return a, nil
	}
	path := filepath.Join(d.path, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("write to run directory %s: %w", d.path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("write to run directory %s: %w", d.path, err)
	}
	return d.append(&appender{name: name, f: f, hash: sha256.New()}), nil
}

// keep takes over a file of a resumed run with this content, of which it may hold more.
func (d *RunDir) keep(name string, content []byte) error {
	path := filepath.Join(d.path, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("resume run %s: %w", d.path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("resume run %s: %w", d.path, err)
	}
	if _, err = f.WriteAt(content, 0); err == nil {
		err = f.Truncate(int64(len(content)))
	}
	if err != nil {
		return fmt.Errorf("resume run %s: %w", d.path, errors.Join(err, f.Close()))
	}
	h := sha256.New()
	h.Write(content)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.append(&appender{name: name, f: f, hash: h, bytes: int64(len(content))})
	return nil
}

// append registers an appender; d.mu is held.
func (d *RunDir) append(a *appender) *appender {
	if d.appended == nil {
		d.appended = map[string]*appender{}
	}
	d.appended[a.name] = a
	return a
}

// replace replaces all records, of the file in the run directory dir, at once.
func (a *appender) replace(dir string, content []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := filepath.Join(dir, filepath.FromSlash(a.name))
	if _, err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", a.name, err)
	}
	err = a.f.Close()
	a.f, a.hash, a.bytes = f, sha256.New(), int64(len(content))
	a.hash.Write(content)
	return err
}

// append writes a record.
func (a *appender) append(record []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.f.WriteAt(record, a.bytes); err != nil {
		// Whole records only: take back what a full disk let through.
		return fmt.Errorf("write %s: %w", a.name, errors.Join(err, a.f.Truncate(a.bytes)))
	}
	a.hash.Write(record)
	a.bytes += int64(len(record))
	return nil
}

// record returns the file as it is now.
func (a *appender) record() FileRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return FileRecord{Path: a.name, Bytes: a.bytes, SHA256: hex.EncodeToString(a.hash.Sum(nil))}
}

// sync flushes what was written to the disk.
func (a *appender) sync() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.f.Sync()
}

func (a *appender) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.f.Sync(), a.f.Close())
}
