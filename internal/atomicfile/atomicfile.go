// Package atomicfile writes files that are either whole or absent.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Digest is the size and the SHA-256 (lower-case hexadecimal) of a file's bytes.
type Digest struct {
	Bytes  int64
	SHA256 string
}

// Write creates or replaces the file at path with the bytes that write
// produces and returns their digest.
//
// The bytes go to a temporary file in the same folder, which is flushed to the
// disk and renamed to path; then the folder is flushed. Whatever fails, or
// panics, path keeps what it held before and the temporary file is removed. The
// folder must exist. An error of write is wrapped.
func Write(path string, write func(io.Writer) error) (Digest, error) {
	folder, base := filepath.Split(path)
	return writeIn(folder, base, func(Digest) string { return base }, write)
}

// WriteNamed is Write into a folder, under the name that the digest gives: a file that says what is
// in it.
func WriteNamed(folder string, name func(Digest) string, write func(io.Writer) error) (Digest, error) {
	return writeIn(folder, "named", name, write)
}

func writeIn(folder, base string, name func(Digest) string, write func(io.Writer) error) (d Digest, err error) {
	fail := func(err error) (Digest, error) {
		return Digest{}, fmt.Errorf("write %s: %w", filepath.Join(folder, base), err)
	}

	// Not os.CreateTemp, whose files only their owner can read: the mode below
	// is subject to the user's umask, as of any other file.
	temp := filepath.Join(folder, "."+base+"."+rand.Text()+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fail(err)
	}
	// After success both do nothing: the file is closed, and has another name.
	defer os.Remove(temp)
	defer f.Close()

	hash := sha256.New()
	size := &counter{}
	buf := bufio.NewWriterSize(io.MultiWriter(f, hash, size), 1<<16)
	if err := write(buf); err != nil {
		return fail(err)
	}
	if err := errors.Join(buf.Flush(), f.Sync(), f.Close()); err != nil {
		return fail(err)
	}
	d = Digest{Bytes: size.n, SHA256: hex.EncodeToString(hash.Sum(nil))}
	if err := os.Rename(temp, filepath.Join(folder, name(d))); err != nil {
		return fail(err)
	}
	if err := syncFolder(folder); err != nil {
		return fail(err)
	}
	return d, nil
}

// syncFolder flushes the entries of a folder, so that a rename survives a
// power cut. Windows has no such call.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if folder == "" {
		folder = "."
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
