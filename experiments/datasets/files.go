package datasets

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

// Reader reads files one after the other, and hashes what they hold.
type Reader struct {
	all  hash.Hash
	read []File
}

// File is a file that was read.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
}

// NewReader returns a reader that has read nothing.
func NewReader() *Reader { return &Reader{all: sha256.New()} }

// Files returns the files that were read, in that order.
func (f *Reader) Files() []File { return f.read }

// SHA256 returns the hash of the bytes of the files, one after the other, in lower-case
// hexadecimal: of a single file the SHA-256 of that file.
func (f *Reader) SHA256() string { return hex.EncodeToString(f.all.Sum(nil)) }

// each calls parse with the content of the file at path, unzipped if it is gzip. All of
// the file is hashed, whatever parse left of it. An error that is no *Error gets the path.
func (f *Reader) each(path string, parse func(r *bufio.Reader) error) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	one := sha256.New()
	size := &counter{}
	raw := bufio.NewReaderSize(io.TeeReader(file, io.MultiWriter(one, f.all, size)), 1<<16)
	content := raw
	if start, _ := raw.Peek(2); string(start) == "\x1f\x8b" {
		unzipped, err := gzip.NewReader(raw)
		if err != nil {
			return locate(path, fmt.Errorf("not a whole gzip file: %w", err))
		}
		content = bufio.NewReaderSize(unzipped, 1<<16)
	}
	if err := parse(content); err != nil {
		return locate(path, err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return locate(path, err)
	}
	f.read = append(f.read, File{Path: path, Bytes: size.n, SHA256: hex.EncodeToString(one.Sum(nil))})
	return nil
}

// counter counts the bytes written to it.
type counter struct{ n int64 }

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// open opens a regular file.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{Path: path, Fault: "no such file; paths are taken from the working directory", Err: err}
	case err != nil:
		return nil, &Error{Path: path, Fault: err.Error(), Err: err}
	case info.IsDir():
		return nil, &Error{Path: path, Fault: "found a folder, a file is due"}
	case !info.Mode().IsRegular():
		return nil, &Error{Path: path, Fault: "not a regular file"}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &Error{Path: path, Fault: err.Error(), Err: err}
	}
	return file, nil
}

// locate gives an error its path.
func locate(path string, err error) error {
	var known *Error
	switch {
	case errors.As(err, &known):
		if known.Path == "" {
			known.Path = path
		}
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Path: path, Fault: "the file is cut: " + err.Error() + "; get it again", Err: err}
	}
	return &Error{Path: path, Fault: err.Error(), Err: err}
}

// readBytes reads n bytes. Memory grows with what r holds, not with n.
func readBytes(r io.Reader, n int) ([]byte, error) {
	const first = 1 << 20
	data := make([]byte, 0, min(n, first))
	for len(data) < n {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(n, 2*cap(data))), data...)
		}
		got, err := io.ReadFull(r, data[len(data):cap(data)])
		data = data[:len(data)+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("found %d bytes of data where the header needs %d: %w", len(data), n, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}

// atEnd returns an error unless r is at its end.
func atEnd(r *bufio.Reader) error {
	if _, err := r.ReadByte(); err == nil {
		return errors.New("more bytes follow than its header says; get the file again")
	} else if err != io.EOF {
		return err
	}
	return nil
}
