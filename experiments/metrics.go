package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"

	"pkm/internal/atomicfile"
)

const metricsName = "metrics.jsonl"

// Figure is a number of a JSON file. JSON has no NaN and no infinity: they are
// written as null, and null is read as NaN. All others round-trip.
type Figure float64

// MarshalJSON implements json.Marshaler.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Figure) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// StepMetrics is a line of metrics.jsonl. What does not apply is NaN.
type StepMetrics struct {
	Step         int    `json:"step"`          // from 0
	Loss         Figure `json:"loss"`          // training loss before the step
	Accuracy     Figure `json:"accuracy"`      // training accuracy before the step; NaN without classes
	LearningRate Figure `json:"learning_rate"` // of the step
	StepResidual Figure `json:"step_residual"` // largest |residual| of the step over queries and outputs
	Seconds      Figure `json:"seconds"`       // since training began
}

// MetricsWriter appends lines to metrics.jsonl. Each line is handed to the
// system whole and at once, so that a run that is killed keeps all lines but,
// at worst, the one being written. Its methods may be called by several
// goroutines.
type MetricsWriter struct {
	mu    sync.Mutex
	f     *os.File
	hash  hash.Hash
	bytes int64
}

// Metrics returns the writer of metrics.jsonl, the same at every call. It is
// closed by Finish.
func (d *RunDir) Metrics() (*MetricsWriter, error) {
	if err := d.open(metricsName); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.metrics == nil {
		f, err := os.OpenFile(filepath.Join(d.path, metricsName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return nil, fmt.Errorf("write to run directory %s: %w", d.path, err)
		}
		d.metrics = &MetricsWriter{f: f, hash: sha256.New()}
	}
	return d.metrics, nil
}

// Write appends one line.
func (m *MetricsWriter) Write(s StepMetrics) error {
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write %s: %w", metricsName, err)
	}
	line = append(line, '\n')
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.f.WriteAt(line, m.bytes); err != nil {
		// Complete lines only: take back what a full disk let through.
		return fmt.Errorf("write %s: %w", metricsName, errors.Join(err, m.f.Truncate(m.bytes)))
	}
	m.hash.Write(line)
	m.bytes += int64(len(line))
	return nil
}

// record returns the file as it is now.
func (m *MetricsWriter) record() FileRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	return FileRecord{Path: metricsName, Bytes: m.bytes, SHA256: hex.EncodeToString(m.hash.Sum(nil))}
}

// sync flushes what was written to the disk.
func (m *MetricsWriter) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.f.Sync()
}

func (m *MetricsWriter) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.f.Sync(), m.f.Close())
}

// rewriteMetrics lets edit change every line that was written. The file is replaced whole.
func (d *RunDir) rewriteMetrics(edit func(*StepMetrics)) error {
	w, err := d.Metrics()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	path := filepath.Join(d.path, metricsName)
	fail := func(err error) error { return fmt.Errorf("write %s: %w", metricsName, err) }
	content, err := os.ReadFile(path)
	if err != nil {
		return fail(err)
	}
	var lines bytes.Buffer
	for line := range bytes.Lines(content) {
		var m StepMetrics
		if err := json.Unmarshal(line, &m); err != nil {
			return fail(err)
		}
		edit(&m)
		text, err := json.Marshal(m)
		if err != nil {
			return fail(err)
		}
		lines.Write(append(text, '\n'))
	}
	if _, err := atomicfile.Write(path, func(to io.Writer) error {
		_, err := to.Write(lines.Bytes())
		return err
	}); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0o666)
	if err != nil {
		return fail(err)
	}
	err = w.f.Close()
	w.f, w.hash, w.bytes = f, sha256.New(), int64(lines.Len())
	w.hash.Write(lines.Bytes())
	return err
}
