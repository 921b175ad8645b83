package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"pkm/experiments/datasets"
)

const manifestName = "manifest.json"

// Outcome says how far a run came.
type Outcome string

// The outcomes of a run. A run whose process was killed stays Running.
const (
	Running     Outcome = "running"
	Completed   Outcome = "completed"
	Diverged    Outcome = "diverged"    // a loss, weight or output stopped being finite
	Interrupted Outcome = "interrupted" // by the user
	Failed      Outcome = "failed"      // by an error
)

// Manifest says what a run directory holds and how it was made: manifest.json.
type Manifest struct {
	PkmVersion  string            `json:"pkm_version"` // never empty: by it a folder is known as ours
	Name        string            `json:"name"`        // of the configuration
	FastDevRun  bool              `json:"fast_dev_run,omitempty"`
	Outcome     Outcome           `json:"outcome"`
	Reason      string            `json:"reason"`  // why not completed; for Diverged the step and the tensor
	Stopped     string            `json:"stopped"` // why training ended early as completed, or ""
	Started     time.Time         `json:"started"`
	Finished    *time.Time        `json:"finished"` // nil while running; both times are UTC, to the second
	GoVersion   string            `json:"go_version"`
	Libraries   map[string]string `json:"libraries"` // versions of modules that the numbers pass through
	OS          string            `json:"os"`
	Arch        string            `json:"arch"`
	CPUs        int               `json:"cpus"`
	BLAS        string            `json:"blas"`
	Vector      string            `json:"vector"` // what computes element-wise functions
	Seed        int64             `json:"seed"`
	Data        DataProvenance    `json:"data"`
	PhaseTimes  map[string]Figure `json:"phase_seconds"` // wall-clock time of each phase
	PeakMemory  int64             `json:"peak_memory_bytes"`
	Files       []FileRecord      `json:"files"` // every file but manifest.json, by path
	ManifestSum string            `json:"manifest_sha256"`
}

// DataProvenance names the data of a run and the SHA-256 of their bytes.
type DataProvenance struct {
	Source  string          `json:"source"`
	SHA256  string          `json:"sha256"`            // of the files, one after the other
	Files   []datasets.File `json:"files,omitempty"`   // none of what is embedded
	Shape   []int           `json:"shape,omitempty"`   // of one sample: (channels, height, width) of images
	Inputs  []string        `json:"inputs,omitempty"`  // what the data call the inputs of a row
	Classes []string        `json:"classes,omitempty"` // what the data call the classes 0, 1, …, where not by these numbers
}

// FileRecord is a file of a run directory as it was written.
type FileRecord struct {
	Path   string `json:"path"` // within the run directory, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
}

// Fault is what can be wrong with a file of a run directory.
type Fault string

// The faults of a file.
const (
	FaultMissing Fault = "missing"
	FaultCut     Fault = "cut"     // shorter than it was written
	FaultAltered Fault = "altered" // other bytes than were written
)

// A FileError reports a damaged file of a run directory.
type FileError struct {
	Path   string // within the run directory
	Fault  Fault
	Detail string
}

func (e *FileError) Error() string { return fmt.Sprintf("%s is %s: %s", e.Path, e.Fault, e.Detail) }

// sumField is the field whose value is left out of the manifest's own hash. A
// quotation mark inside a JSON string is escaped, so no text can look like it.
var sumField = regexp.MustCompile(`"manifest_sha256": "([0-9a-f]{64})"`)

// encode returns the bytes of manifest.json. Their manifest_sha256 is the
// SHA-256 of the same bytes with an empty value there,
//
//	"manifest_sha256": ""
//
// so that any altered byte of the manifest is noticed. (It is no signature: who
// alters a file on purpose can compute it again.)
func (m Manifest) encode() ([]byte, error) {
	m.ManifestSum = ""
	b, err := encodeJSON(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	m.ManifestSum = hex.EncodeToString(sum[:])
	return encodeJSON(m)
}

// parseManifest checks and decodes the bytes of manifest.json. Its error is a
// *FileError.
func parseManifest(b []byte) (*Manifest, error) {
	fault := func(f Fault, format string, args ...any) (*Manifest, error) {
		return nil, &FileError{Path: manifestName, Fault: f, Detail: fmt.Sprintf(format, args...)}
	}
	var m Manifest
	err := json.Unmarshal(b, &m)
	// encoding/json has no type for this one error.
	if err != nil && strings.Contains(err.Error(), "unexpected end of JSON input") {
		return fault(FaultCut, "its JSON ends after %d bytes", len(b))
	}
	if err != nil {
		return fault(FaultAltered, "%v", err)
	}
	if m.PkmVersion == "" {
		return fault(FaultAltered, "it has no pkm_version, so it is not a manifest of pkm")
	}
	at := sumField.FindAllSubmatchIndex(b, -1)
	if len(at) != 1 {
		return fault(FaultAltered, "it has no manifest_sha256 of 64 hexadecimal digits")
	}
	from, to := at[0][2], at[0][3]
	sum := sha256.Sum256(bytes.Join([][]byte{b[:from], b[to:]}, nil))
	if got := hex.EncodeToString(sum[:]); got != string(b[from:to]) {
		return fault(FaultAltered, "its SHA-256 is %s, it says %s", got, b[from:to])
	}
	return &m, nil
}

// ReadManifest reads and checks the manifest of the run directory at path. The
// error wraps a *FileError if the manifest is missing, cut or altered.
func ReadManifest(path string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(path, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		err = &FileError{Path: manifestName, Fault: FaultMissing, Detail: "so this is not a run directory of pkm, or not a whole one"}
	}
	if err != nil {
		return nil, fmt.Errorf("read run directory %s: %w", path, err)
	}
	m, err := parseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("read run directory %s: %w", path, err)
	}
	return m, nil
}

// encodeJSON returns v as indented JSON with a final newline. It is how every
// JSON file of a run directory is written.
func encodeJSON(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// writeJSON writes v as encodeJSON does.
func writeJSON(w io.Writer, v any) error {
	b, err := encodeJSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
