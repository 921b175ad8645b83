package experiments

import (
	"context"
	"errors"
	"math"
	"time"

	"pkm/graphs"
	"pkm/training"
)

// stepLog is the hook that writes metrics.jsonl and tells the observer.
type stepLog[T graphs.Float] struct {
	*experiment[T]
	metrics *MetricsWriter
	events  *eventLog
	start   time.Time
}

func newStepLog[T graphs.Float](e *experiment[T]) (*stepLog[T], error) {
	metrics, err := e.dir.Metrics()
	if err != nil {
		return nil, err
	}
	events, err := e.events()
	start := time.Now().Add(-time.Duration(e.seconds * float64(time.Second))) // a resumed run goes on counting
	return &stepLog[T]{experiment: e, metrics: metrics, events: events, start: start}, err
}

// Step implements training.Hook.
func (l *stepLog[T]) Step(_ context.Context, s *training.Step[T]) error {
	l.stepSizes = append(l.stepSizes, s.LearningRate)
	l.residuals = append(l.residuals, l.tracker.residual)
	err := l.write(s, l.tracker.residual)
	p := Progress{Step: s.Index + 1, Steps: l.config.Training.Steps, Loss: s.Loss, Residual: l.tracker.residual}
	if l.options.Progress != nil {
		l.options.Progress(p)
	}
	l.tell(PhaseTraining, p)
	return err
}

// Finish implements training.Hook: the last line holds loss and accuracy at w_S.
func (l *stepLog[T]) Finish(_ context.Context, s *training.Step[T]) error {
	l.result = s
	return l.write(s, math.NaN())
}

func (l *stepLog[T]) write(s *training.Step[T], residual float64) error {
	line := StepMetrics{Step: s.Index, Loss: Figure(s.Loss), Accuracy: Figure(l.accuracy(s)),
		LearningRate: Figure(s.LearningRate), StepResidual: Figure(residual), Seconds: Figure(time.Since(l.start).Seconds())}
	return errors.Join(l.metrics.Write(line), l.events.write(line))
}

// accuracy returns that of a step's batch.
func (e *experiment[T]) accuracy(s *training.Step[T]) float64 {
	if e.train.Labels == nil {
		return math.NaN()
	}
	if s.Batch == nil {
		return training.Accuracy(s.Outputs, e.train.Labels)
	}
	labels := make([]int, len(s.Batch))
	for j, i := range s.Batch {
		labels[j] = e.train.Labels[i]
	}
	return training.Accuracy(s.Outputs, labels)
}
