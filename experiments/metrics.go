package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
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

// MetricsWriter appends lines to metrics.jsonl. Its methods may be called by several goroutines.
type MetricsWriter struct{ *appender }

// Metrics returns the writer of metrics.jsonl, the same at every call. It is
// closed by Finish.
func (d *RunDir) Metrics() (*MetricsWriter, error) {
	a, err := d.appendTo(metricsName)
	if err != nil {
		return nil, err
	}
	return &MetricsWriter{a}, nil
}

// Write appends one line.
func (m *MetricsWriter) Write(s StepMetrics) error {
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write %s: %w", metricsName, err)
	}
	return m.append(append(line, '\n'))
}

// rewriteMetrics lets edit change every line of metrics.jsonl that was written, and writes the file anew, and the event file.
func (e *experiment[T]) rewriteMetrics(edit func(*StepMetrics)) error {
	w, err := e.dir.Metrics()
	if err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("write %s: %w", metricsName, err) }
	content, err := os.ReadFile(filepath.Join(e.dir.path, metricsName))
	if err != nil {
		return fail(err)
	}
	var text bytes.Buffer
	var lines []StepMetrics
	for line := range bytes.Lines(content) {
		var m StepMetrics
		if err := json.Unmarshal(line, &m); err != nil {
			return fail(err)
		}
		edit(&m)
		lines = append(lines, m)
		written, err := json.Marshal(m)
		if err != nil {
			return fail(err)
		}
		text.Write(append(written, '\n'))
	}
	if err := w.replace(e.dir.path, text.Bytes()); err != nil {
		return err
	}
	log, err := e.events()
	if log == nil || err != nil {
		return err
	}
	return log.file.replace(e.dir.path, eventsOf(log.start, lines))
}
