package sweeps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pkm/experiments"
	"pkm/internal/compute"
)

// maxDeliveries bounds how often a task is delivered: one that so many workers have died of,
// or handed back, has failed.
const maxDeliveries = 50

// Worker takes trials from a sweep's work queue, one at a time.
type Worker struct {
	Conn   *nats.Conn
	Sweep  string // its id; "": the only one on the server that is not over
	Dir    string // folder of the sweep, as this machine sees it
	Engine compute.Engine
	Name   string        // such as host/process
	Wait   time.Duration // for the sweep to be on the server
	Log    func(format string, args ...any)

	parts experiments.PartWorker
}

// Run works until the coordinator says that the sweep is over, or drain is closed: then the
// trial under way is finished, and none is taken. When ctx is done the step under way is
// finished, the trial's state saved, and the task handed back at once; the error is then the
// cause of ctx. A worker that dies has its task delivered to another after the time that
// the coordinator has set.
func (w *Worker) Run(ctx context.Context, drain <-chan struct{}) error {
	w.parts.Engine = w.Engine
	js, err := jetstream.New(w.Conn)
	if err != nil {
		return fmt.Errorf("open the work queue: %w", err)
	}
	var consumer jetstream.Consumer
	err = patiently(ctx, w.Wait, noSweep, func() error {
		consumer, err = w.open(ctx, js)
		return err
	})
	if err != nil {
		return err
	}
	q := &queue{w.Conn, js, w.Sweep}
	beat := consumer.CachedInfo().Config.AckWait / 4
	told := make(chan struct{}, 1)
	over, err := w.Conn.Subscribe(q.subject("over"), func(*nats.Msg) {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("listen for the end of sweep %s: %w", w.Sweep, err)
	}
	defer over.Unsubscribe()
	for {
		select {
		case <-drain:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		m, err := next(ctx, q, consumer, told)
		if err == nil {
			if err := w.work(ctx, q, m, beat); errors.Is(err, errGone) {
				return nil
			} else if err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, errOver) {
			return nil
		}
		if over, err := q.isOver(ctx); over || errors.Is(err, jetstream.ErrStreamNotFound) { // done and cleared away
			return nil
		}
		if !errors.Is(err, nats.ErrTimeout) { // the server is away, or comes back
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// errOver says that the coordinator has announced the end: there will be no more tasks.
var errOver = errors.New("the sweep is over")

// next waits half a second for a task, or until told that there will be none, so that the end of a sweep waits for no worker
// that has nothing to do. Only then is a request left behind: a task on its way to it would be lost until it is delivered again.
func next(ctx context.Context, q *queue, consumer jetstream.Consumer, told <-chan struct{}) (jetstream.Msg, error) {
	type answer struct {
		task jetstream.Msg
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		m, err := consumer.Next(jetstream.FetchMaxWait(500 * time.Millisecond))
		answers <- answer{m, err}
	}()
	for {
		select {
		case a := <-answers:
			return a.task, a.err
		case <-told:
			if over, err := q.isOver(ctx); err == nil && over {
				return nil, errOver
			}
		}
	}
}

// open opens the sweep's queue.
func (w *Worker) open(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	if w.Sweep == "" {
		id, err := onlySweep(ctx, w.Conn, js)
		if err != nil {
			return nil, err
		}
		w.Sweep = id
	}
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	consumer, err := js.Consumer(ctx, (&queue{w.Conn, js, w.Sweep}).tasks(), "workers")
	if err != nil {
		return nil, fmt.Errorf("open the work queue of sweep %s: %w", w.Sweep, err)
	}
	return consumer, nil
}

// errNoSweep says that a server has no sweep.
var errNoSweep = errors.New("there is none yet; start it with pkm sweep FILE --server")

// noSweep reports whether a queue cannot be opened as its sweep has not begun.
func noSweep(err error) bool {
	return errors.Is(err, errNoSweep) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound)
}

// patiently calls try again for so long as it fails with an error that may pass.
func patiently(ctx context.Context, wait time.Duration, passes func(error) bool, try func() error) error {
	for end := time.Now().Add(wait); ; {
		err := try()
		if err == nil || !passes(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// work does one task. Its error is that of ctx; the task is then handed back.
func (w *Worker) work(ctx context.Context, q *queue, m jetstream.Msg, beat time.Duration) error {
	var task Task
	if err := json.Unmarshal(m.Data(), &task); err != nil {
		w.Log("a task that cannot be read is left out: %v", err)
		return m.Term()
	}
	quiet := make(chan struct{})
	defer close(quiet)
	go func() {
		for {
			select {
			case <-time.After(beat):
				_ = m.InProgress() // where the server is away the next one reaches it
			case <-quiet:
				return
			}
		}
	}()
	what := "trial"
	if task.Part != nil {
		what = "part"
	}
	var r *Result
	if meta, err := m.Metadata(); err == nil && meta.NumDelivered > maxDeliveries {
		r = &Result{Trial: task.Trial.Number, Attempt: task.Attempt, State: Failed, Message: fmt.Sprintf("%d workers died of it or handed it back", maxDeliveries)}
	} else {
		if task.Part != nil {
			r, err = w.part(ctx, &task)
		} else {
			w.Log("trial %d, attempt %d", task.Trial.Number, task.Attempt)
			r, err = execute(ctx, w.Dir, &task, w.Engine, max(4*beat, leastPatience), w.reporter(q, &task))
		}
		if err != nil {
			if nak := m.Nak(); nak == nil && w.Conn.IsConnected() {
				_ = w.Conn.FlushTimeout(5 * time.Second)
			}
			w.Log("%s %d is handed back: %v", what, task.Trial.Number, err)
			return err
		}
	}
	r.Worker = w.Name
	if err := q.publish(ctx, q.subject("result", r.Trial, r.Attempt), r); err != nil {
		return err
	}
	acknowledging, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	if err := m.DoubleAck(acknowledging); err != nil {
		w.Log("%s %d: its end is not acknowledged, so it is delivered again, and found done: %v", what, r.Trial, err)
	}
	return nil
}

// part does a part of a run. The error is that of ctx, or says that this worker cannot do parts of the
// run: another may.
func (w *Worker) part(ctx context.Context, task *Task) (*Result, error) {
	p := task.Part
	w.Log("part %d, attempt %d: steps %d to %d, queries %d to %d", task.Trial.Number, task.Attempt, p.From, p.To, p.First, p.First+p.Count)
	start := time.Now()
	r := &Result{Trial: task.Trial.Number, Attempt: task.Attempt, State: Completed, Steps: p.To - p.From}
	files, err := w.parts.Do(ctx, w.Dir, *p, task.Carry)
	var unfit *experiments.ResumeError
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &unfit):
		return nil, err
	case err != nil:
		r.State, r.Message = Failed, firstLine(err)
	default:
		r.Files = &files
	}
	r.Seconds = time.Since(start).Seconds()
	return r, nil
}

// reporter says how far a trial is, at most twice a second.
func (w *Worker) reporter(q *queue, task *Task) func(experiments.Progress) {
	var next time.Time
	return func(p experiments.Progress) {
		now := time.Now()
		if now.Before(next) {
			return
		}
		next = now.Add(500 * time.Millisecond)
		text, err := json.Marshal(Report{Worker: w.Name, Trial: task.Trial.Number, Attempt: task.Attempt, Step: p.Step, Steps: p.Steps, Loss: experiments.Figure(p.Loss)})
		if err == nil {
			_ = w.Conn.Publish(q.subject("progress"), text) // nobody may be listening
		}
	}
}

// WorkerName returns the name of this process among workers.
func WorkerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
