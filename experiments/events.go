package experiments

import (
	"fmt"
	"math"
	"time"

	"pkm/internal/tfevents"
)

// eventLog writes the lines of metrics.jsonl as scalars to an event file of TensorBoard as well, in events/: loss, accuracy,
// learning_rate and step_residual, without those that are not numbers. A nil log writes nothing.
type eventLog struct {
	file  *appender
	start time.Time
}

// events returns the log of a run, or nil where its configuration asks for none.
func (e *experiment[T]) events() (*eventLog, error) {
	if !e.config.TensorBoard {
		return nil, nil
	}
	start := e.dir.manifest.Started
	name := eventsName(start)
	file, err := e.dir.appendTo(name)
	if err != nil {
		return nil, err
	}
	l := &eventLog{file, start}
	if file.record().Bytes == 0 {
		err = file.append(tfevents.AppendVersion(nil, start))
	}
	return l, err
}

// eventsName returns the name of the event file of a run that started then: TensorBoard knows such files by tfevents.
func eventsName(start time.Time) string {
	return fmt.Sprintf("events/events.out.tfevents.%010d.pkm", start.Unix())
}

// keepEvents writes the event file of a resumed run anew, from the lines of metrics.jsonl that stay.
func (e *experiment[T]) keepEvents(lines []StepMetrics) error {
	if !e.config.TensorBoard {
		return nil
	}
	start := e.dir.manifest.Started
	return e.dir.keep(eventsName(start), eventsOf(start, lines))
}

// eventsOf returns the event file of lines.
func eventsOf(start time.Time, lines []StepMetrics) []byte {
	content := tfevents.AppendVersion(nil, start)
	for _, line := range lines {
		content = appendEvents(content, start, line)
	}
	return content
}

// write appends the scalars of a line.
func (l *eventLog) write(line StepMetrics) error {
	if l == nil {
		return nil
	}
	return l.file.append(appendEvents(nil, l.start, line))
}

// appendEvents appends the record of a line.
func appendEvents(b []byte, start time.Time, line StepMetrics) []byte {
	var scalars []tfevents.Scalar
	for _, s := range []tfevents.Scalar{{Tag: "loss", Value: float64(line.Loss)}, {Tag: "accuracy", Value: float64(line.Accuracy)},
		{Tag: "learning_rate", Value: float64(line.LearningRate)}, {Tag: "step_residual", Value: float64(line.StepResidual)}} {
		if !math.IsNaN(s.Value - s.Value) {
			scalars = append(scalars, s)
		}
	}
	return tfevents.AppendScalars(b, start.Add(time.Duration(float64(line.Seconds)*float64(time.Second))), int64(line.Step), scalars)
}
