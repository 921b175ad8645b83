package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Status is the result of a check.
type Status string

// The results of a check.
const (
	StatusOK     Status = "ok"
	StatusFailed Status = "FAILED"
	StatusNote   Status = "note" // worth knowing, but no fault
)

// Check is one thing that Verify looked at.
type Check struct {
	Subject string // a file of the run directory, or "machine NAME"
	Status  Status
	Fault   Fault // of a file, empty if it has none
	Detail  string
}

// Identity says whether final = initial + Σ contributions + regularization +
// residual.
type Identity string

// The states of the identity.
const (
	IdentityHolds      Identity = "holds"
	IdentityBroken     Identity = "does not hold"
	IdentityNotChecked Identity = "could not be checked" // for some machine
	IdentityNone       Identity = "not claimed"          // the run has no machine
)

// VerifyReport is what Verify found.
type VerifyReport struct {
	Path      string
	Outcome   Outcome // of the run, by its manifest; empty if that cannot be read
	Checks    []Check
	Identity  Identity
	Machines  int     // machines for which the identity was computed
	Deviation float64 // largest deviation from the identity, over all of them
}

// OK reports whether no check failed and the identity holds for every machine
// there is. A run that diverged or was interrupted is OK when its files are: it has
// no identity to check. One that is still running, was killed or failed is not.
func (r *VerifyReport) OK() bool {
	if len(r.failed()) > 0 {
		return false
	}
	switch r.Outcome {
	case Completed:
		return r.Identity == IdentityHolds || r.Machines == 0 && r.Identity == IdentityNone
	case Diverged, Interrupted:
		return true
	}
	return false
}

func (r *VerifyReport) failed() []Check {
	var failed []Check
	for _, c := range r.Checks {
		if c.Status == StatusFailed {
			failed = append(failed, c)
		}
	}
	return failed
}

func (r *VerifyReport) add(status Status, subject, format string, args ...any) {
	r.Checks = append(r.Checks, Check{Subject: subject, Status: status, Detail: fmt.Sprintf(format, args...)})
}

func (r *VerifyReport) fault(e *FileError) {
	r.Checks = append(r.Checks, Check{Subject: e.Path, Status: StatusFailed, Fault: e.Fault, Detail: e.Detail})
}

// Print writes one line per check and a last one with the verdict.
func (r *VerifyReport) Print(w io.Writer) error {
	var b strings.Builder
	for _, c := range r.Checks {
		fault := ""
		if c.Fault != "" {
			fault = string(c.Fault) + ": "
		}
		fmt.Fprintf(&b, "%-6s  %s: %s%s\n", c.Status, c.Subject, fault, c.Detail)
	}
	failed := r.failed()
	var bad []string
	for _, c := range failed {
		bad = append(bad, strings.TrimSpace(c.Subject+" "+string(c.Fault)))
	}
	const formula = "final = initial + sum of contributions + regularization + residual"
	switch {
	case len(failed) == 0 && r.Outcome != Completed:
		verdict := "there is no identity to check"
		if r.Outcome != Diverged && r.Outcome != Interrupted {
			verdict = "it was not finished, so nothing is known of files that the manifest does not list"
		}
		fmt.Fprintf(&b, "files that the manifest lists are as they were written; the run is %s: %s\n", r.Outcome, verdict)
	case r.OK() && r.Identity == IdentityNone:
		fmt.Fprintf(&b, "every file is as it was written; the run has no machine, so there is no identity to check\n")
	case r.OK():
		fmt.Fprintf(&b, "identity holds: %s for %d machine(s), to %.2g; every file is as it was written\n", formula, r.Machines, r.Deviation)
	case len(failed) == 0:
		fmt.Fprintf(&b, "identity %s: %s\n", r.Identity, formula)
	default:
		fmt.Fprintf(&b, "%d check(s) failed (%s); identity %s: %s\n", len(failed), strings.Join(bad, ", "), r.Identity, formula)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Verify checks the run directory at dir from its files alone.
//
// Every file that the manifest lists must be there with the size and SHA-256
// that it had when it was written, and so must the manifest. Then, for each
// machine, the residual and the figures of summary.json are computed again from
// the arrays, and the network's outputs and losses from the weights and inputs. What is wrong is in the report; the error is only for a dir that
// cannot be looked at. Files outside dir are never read, wherever a manifest or
// a link may point. Cost: reading everything once; the memory of the largest
// machine's contributions.
func Verify(dir string) (*VerifyReport, error) { return verifyRun(dir, true) }

// verifyRun is Verify, with or without the network.
func verifyRun(dir string, network bool) (*VerifyReport, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", dir, err)
	}
	defer root.Close()
	r := &VerifyReport{Path: dir}
	manifest := r.verifyManifest(dir)
	if manifest != nil {
		r.verifyFiles(root, manifest)
	}
	v := verifier{VerifyReport: r, root: root, completed: manifest == nil || manifest.Outcome == Completed}
	v.verifyNumbers()
	if network && r.Outcome == Completed && len(r.failed()) == 0 {
		v.verifyNetwork()
	}
	return r, nil
}

// verifyManifest checks the manifest and returns it, nil if it is no good.
func (r *VerifyReport) verifyManifest(dir string) *Manifest {
	m, err := ReadManifest(dir)
	var damaged *FileError
	switch {
	case errors.As(err, &damaged):
		r.fault(damaged)
		r.add(StatusNote, manifestName, "without it no other file can be compared with what was written")
		return nil
	case err != nil:
		r.add(StatusFailed, manifestName, "%v", err)
		return nil
	}
	r.Outcome = m.Outcome
	r.add(StatusOK, manifestName, "SHA-256 agrees; pkm %s, %s %s/%s, seed %d", m.PkmVersion, m.GoVersion, m.OS, m.Arch, m.Seed)
	if m.Outcome != Completed {
		reason := ""
		if m.Reason != "" {
			reason = ": " + m.Reason
		}
		r.add(StatusNote, manifestName, "the run was not completed, it is %s%s", m.Outcome, reason)
	}
	return m
}

// verifyFiles checks every file of the manifest, and looks for others.
func (r *VerifyReport) verifyFiles(root *os.Root, m *Manifest) {
	listed := map[string]bool{manifestName: true}
	for _, f := range m.Files {
		listed[f.Path] = true
		var damaged *FileError
		switch err := verifyFile(root, f); {
		case err == nil:
			r.add(StatusOK, f.Path, "%d bytes, SHA-256 agrees", f.Bytes)
		case errors.As(err, &damaged):
			r.fault(damaged)
		default:
			r.add(StatusFailed, f.Path, "%v", err)
		}
	}
	err := fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !e.IsDir() && !listed[name] {
			detail := "unlisted: it is not of this run, or was added later"
			if m.Outcome == Running || m.Outcome == Failed {
				detail = "unlisted: it was written after the manifest, or added later"
			}
			r.add(StatusNote, name, "%s", detail)
		}
		return nil
	})
	if err != nil {
		r.add(StatusFailed, ".", "%v", err)
	}
}

// verifyFile compares a file with its record.
func verifyFile(root *os.Root, want FileRecord) error {
	fault := func(f Fault, format string, args ...any) error {
		return &FileError{Path: want.Path, Fault: f, Detail: fmt.Sprintf(format, args...)}
	}
	f, err := openFile(root, want.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fault(FaultMissing, "%d bytes were written", want.Bytes)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err != nil {
		return err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	switch {
	case n < want.Bytes:
		return fault(FaultCut, "%d of %d bytes are left", n, want.Bytes)
	case n > want.Bytes:
		return fault(FaultAltered, "%d bytes where %d were written", n, want.Bytes)
	case sum != want.SHA256:
		return fault(FaultAltered, "SHA-256 is %s, %s was written", sum, want.SHA256)
	}
	return nil
}

// openFile opens a regular file of the run directory. Anything else, a named
// pipe for instance, could block the reader.
func openFile(root *os.Root, name string) (*os.File, error) {
	name = filepath.FromSlash(name)
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file but %s", name, info.Mode())
	}
	return root.Open(name)
}
