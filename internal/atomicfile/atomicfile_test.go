package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return s
}

func TestWriteReplacesAndDigests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	for _, text := range []string{"before", "abc"} {
		d, err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Fatalf("read %q, %v; want %q", got, err, text)
		}
		if d.Bytes != int64(len(text)) {
			t.Errorf("size %d of %q", d.Bytes, text)
		}
		// The SHA-256 of "abc": FIPS 180-2, appendix B.1.
		const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
		if text == "abc" && d.SHA256 != abc {
			t.Errorf("SHA-256 %s, want %s", d.SHA256, abc)
		}
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("folder holds %v, want one file", got)
	}
}

func TestFailureKeepsWhatWasThere(t *testing.T) {
	errDisk := errors.New("disk full")
	tests := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"error after bytes", func(w io.Writer) error {
			// More than the buffer, so that bytes have reached the temporary file.
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
			return errDisk
		}},
		{"panic", func(io.Writer) error { panic(errDisk) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "a.txt")
			if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
			func() {
				defer func() { _ = recover() }()
				if _, err := Write(path, tt.write); !errors.Is(err, errDisk) {
					t.Errorf("error %v, want it to wrap %v", err, errDisk)
				}
			}()
			if got, _ := os.ReadFile(path); string(got) != "before" {
				t.Errorf("file holds %d bytes, want those before", len(got))
			}
			if got := names(t, folder); len(got) != 1 {
				t.Errorf("folder holds %v, want the temporary file gone", got)
			}
		})
	}
}

func TestRenameFailureRemovesTemporary(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "taken")
	if err := os.Mkdir(path, 0o755); err != nil { // a file cannot replace a folder
		t.Fatal(err)
	}
	if _, err := Write(path, func(io.Writer) error { return nil }); err == nil {
		t.Fatal("a folder was replaced")
	}
	if got := names(t, folder); len(got) != 1 {
		t.Errorf("folder holds %v, want the temporary file gone", got)
	}
}

func TestMissingFolder(t *testing.T) {
	_, err := Write(filepath.Join(t.TempDir(), "no", "a"), func(io.Writer) error { return nil })
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
}
