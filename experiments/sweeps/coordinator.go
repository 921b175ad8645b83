package sweeps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Options are what a coordinator needs beside the sweep.
type Options struct {
	Dir         string // folder of the sweep
	Resume      bool   // go on with the sweep in Dir
	RetryFailed bool   // with Resume: make another attempt at trials that have failed
	Server      Access // URL "": a server embedded in this process
	LeaveServer bool   // with Resume: go on without the server that the sweep began with
	Workers     int    // processes on this machine
	// Worker returns the command of a worker, to which arguments and variables are added.
	Worker func() *exec.Cmd
	Lost   time.Duration // after which a worker that says nothing is given up
	// Begun, if not nil, is called when the folder is this sweep's.
	Begun func()
	// Observe, if not nil, is called with every change, one at a time.
	Observe func(Event)
}

// Event is a change of a sweep.
type Event struct {
	Table  *Table  // as it is now; of the coordinator, and not to be kept
	Result *Result // that has ended a trial, or nil
	Report *Report // or nil
	Note   string  // or ""
}

// ahead is how many trials that depend on no result are drawn before those in front of them
// are finished, and, where workers have taken all of these, how many wait for a worker.
const ahead = 64

// coordinator draws trials and collects results.
type coordinator struct {
	sweep   *Sweep
	options Options
	queue   *queue
	sampler sampler
	table   *Table
	known   int       // trials that results.csv had the results of
	stopped bool      // no more trials are drawn, as one has failed
	next    time.Time // that the table's files are written, unless it is due
	asked   time.Time // how many tasks wait for a worker
}

// Run runs a sweep to its end and returns its table, also beside an error. A sweep that is
// killed, or interrupted through ctx, can be resumed; the error is then the cause of ctx. At the
// end, and when it is interrupted, it writes the sweep's report.
func Run(ctx context.Context, s *Sweep, o Options) (*Table, error) {
	d, lock, err := s.open(o)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if o.Begun != nil {
		o.Begun()
	}
	access := o.Server
	if access.URL == "" {
		e, err := startServer(filepath.Join(o.Dir, "queue"))
		if err != nil {
			return nil, err
		}
		defer e.stop()
		access = e.access
	}
	conn, err := Connect(access, "coordinator")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q, err := newQueue(conn, d.ID)
	if err != nil {
		return nil, err
	}
	if err := q.create(ctx, o.Lost); err != nil {
		return nil, err
	}
	if err := errors.Join(q.begin(ctx), q.forgetTasks(ctx)); err != nil {
		return nil, err
	}
	c := &coordinator{sweep: s, options: o, queue: q, table: newTable(d), known: known(o.Dir)}
	if c.sampler, err = s.newSampler(); err != nil {
		return nil, err
	}
	if o.Observe == nil {
		c.options.Observe = func(Event) {}
	}
	err = c.run(ctx, access)
	// Also of a sweep that is interrupted, or fails, if it has a table.
	var none *FolderError
	if unwritten := WriteReport(o.Dir); unwritten != nil && (err == nil || !errors.As(unwritten, &none)) {
		err = errors.Join(err, unwritten)
	}
	return c.table, err
}

// run reads what is known, then draws trials and waits for results until all are there.
func (c *coordinator) run(parent context.Context, access Access) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	f := follow(ctx, c.queue)
	for known := false; !known; {
		select {
		case m := <-f.messages:
			if _, err := c.learn(m); err != nil {
				return err
			}
		case <-f.caughtUp:
			known = true
		case err := <-f.failed:
			return err
		}
	}
	c.settle()
	c.noteRegaining()
	reports := make(chan Report, 64)
	progress, err := c.queue.conn.Subscribe(c.queue.subject("progress"), func(m *nats.Msg) {
		var r Report
		if json.Unmarshal(m.Data, &r) == nil {
			select {
			case reports <- r:
			default: // the next one says more
			}
		}
	})
	if err != nil {
		return fmt.Errorf("listen for progress: %w", err)
	}
	defer progress.Unsubscribe()
	workers := &localWorkers{options: c.options, access: access, id: c.queue.id, notes: make(chan string, 64)}
	if err := c.reissue(ctx); err != nil {
		return err
	}
	if !c.table.over() {
		workers.start()
		defer workers.stop()
	}
	every := time.NewTicker(time.Second) // workers take trials without a word
	defer every.Stop()
	for {
		if err := c.issue(ctx); err != nil {
			return err
		}
		if err := c.write(false); err != nil {
			return err
		}
		if c.over() {
			break
		}
		select {
		case m := <-f.messages:
			r, err := c.learn(m)
			if err != nil {
				return err
			}
			if r != nil {
				if err := c.ended(ctx, r); err != nil {
					return err
				}
			}
		case <-every.C:
		case r := <-reports:
			c.options.Observe(Event{Table: c.table, Report: &r})
		case note := <-workers.notes:
			c.options.Observe(Event{Table: c.table, Note: note})
		case err := <-workers.failed():
			return errors.Join(err, c.write(true))
		case err := <-f.failed:
			return errors.Join(err, c.write(true))
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), c.write(true))
		}
	}
	workers.idle = true
	if err := c.queue.publish(ctx, c.queue.subject("over"), struct{}{}); err != nil {
		return err
	}
	return c.finish(ctx)
}

// finish waits for nothing: it says how the sweep ended.
func (c *coordinator) finish(ctx context.Context) error {
	if err := c.write(true); err != nil {
		return err
	}
	if c.stopped {
		if err := c.queue.forgetTasks(ctx); err != nil {
			return err
		}
		for _, row := range c.table.Rows {
			if row.State() == Failed {
				return fmt.Errorf("the sweep is stopped, as on_failure says: trial %d failed: %s", row.Trial.Number, row.Result.Message)
			}
		}
	}
	return nil
}

// learn takes up what a stream says. It returns a result that was not known.
func (c *coordinator) learn(m message) (*Result, error) {
	parts := strings.Split(m.subject, ".") // pkm, id, trial or result, number, attempt
	switch {
	case len(parts) == 4 && parts[2] == "trial":
		var t Trial
		if err := json.Unmarshal(m.data, &t); err != nil {
			return nil, fmt.Errorf("read %s: %w", m.subject, err)
		}
		return nil, c.table.add(&t)
	case len(parts) == 5 && parts[2] == "result":
		var r Result
		if err := json.Unmarshal(m.data, &r); err != nil {
			return nil, fmt.Errorf("read %s: %w", m.subject, err)
		}
		if strconv.Itoa(r.Trial) != parts[3] || r.Trial >= len(c.table.Rows) {
			return nil, fmt.Errorf("read %s: a result of trial %d, which was not drawn", m.subject, r.Trial)
		}
		row := c.table.Rows[r.Trial]
		if row.Result != nil && row.Result.Attempt >= r.Attempt {
			return nil, nil
		}
		row.Result = &r
		return &r, nil
	}
	return nil, nil
}

// settle finds the trials that are finished among those that are known, and with
// RetryFailed takes back that those have failed that have.
func (c *coordinator) settle() {
	for _, row := range c.table.Rows {
		if row.Result == nil {
			continue
		}
		row.attempt = row.Result.Attempt
		if row.Result.State == Failed && row.Trial.Fault == "" && (row.attempt <= c.sweep.Retries || c.options.RetryFailed) {
			continue
		}
		row.finished = true
	}
	c.copyResults()
}

// reissue makes an attempt at every trial that is drawn and not finished.
func (c *coordinator) reissue(ctx context.Context) error {
	for _, row := range c.table.Rows {
		if row.finished || row.Trial.CopyOf >= 0 {
			continue
		}
		attempt := 1
		if row.Result != nil {
			attempt = row.Result.Attempt + 1
		}
		if err := c.attempt(ctx, row, attempt); err != nil {
			return err
		}
	}
	return nil
}

// attempt puts a trial into the work queue.
func (c *coordinator) attempt(ctx context.Context, row *Row, attempt int) error {
	if row.Trial.Fault != "" {
		r := &Result{Trial: row.Trial.Number, State: Failed, Message: row.Trial.Fault}
		return c.queue.publish(ctx, c.queue.subject("result", r.Trial, r.Attempt), r)
	}
	row.attempt = attempt
	return c.queue.publish(ctx, c.queue.subject("task"), &Task{Trial: *row.Trial, Attempt: attempt})
}

// ended takes up a result: the trial is finished, or another attempt is made.
func (c *coordinator) ended(ctx context.Context, r *Result) error {
	row := c.table.Rows[r.Trial]
	if r.State == Failed && r.Attempt <= c.sweep.Retries && row.Trial.Fault == "" && !c.stopped {
		c.options.Observe(Event{Table: c.table, Note: fmt.Sprintf("trial %d: attempt %d failed: %s", r.Trial, r.Attempt, r.Message)})
		return c.attempt(ctx, row, r.Attempt+1)
	}
	row.finished = true
	c.copyResults()
	c.options.Observe(Event{Table: c.table, Result: r})
	if r.State == Failed && c.sweep.OnFailure == "stop" {
		c.stopped = true
	}
	return nil
}

// copyResults gives trials that repeat an earlier one its result.
func (c *coordinator) copyResults() {
	for _, row := range c.table.Rows {
		if i := row.Trial.CopyOf; i >= 0 && c.table.Rows[i].finished {
			r := *c.table.Rows[i].Result
			r.Trial, r.Seconds = row.Trial.Number, 0
			row.Result, row.finished = &r, true
		}
	}
}

// issue draws the trials that can be drawn now.
func (c *coordinator) issue(ctx context.Context) error {
	t, room := len(c.table.Rows), -1
	for ; t < c.sweep.Trials && !c.stopped; t++ {
		done := c.table.leading()
		if c.sweep.sees(c.sampler, t) > done {
			return nil
		}
		if t >= done+ahead {
			if room < 0 {
				room = c.room(ctx)
			}
			if room == 0 {
				return nil
			}
			room--
		}
		var trials []*Trial
		var results []*Result
		for _, row := range c.table.Rows {
			trials, results = append(trials, row.Trial), append(results, row.Result)
		}
		trial, err := c.sweep.draw(c.sampler, t, trials, results)
		if err != nil {
			return err
		}
		if err := c.queue.publish(ctx, c.queue.subject("trial", t), trial); err != nil {
			return err
		}
		if err := c.table.add(trial); err != nil {
			return err
		}
		if trial.CopyOf >= 0 {
			c.copyResults()
			continue
		}
		if err := c.attempt(ctx, c.table.Rows[t], 1); err != nil {
			return err
		}
	}
	return nil
}

// room returns how many tasks can be added to those that wait for a worker. The server is asked at most
// every second.
func (c *coordinator) room(ctx context.Context) int {
	if time.Since(c.asked) < time.Second {
		return 0
	}
	c.asked = time.Now()
	n, err := c.queue.untaken(ctx)
	if err != nil {
		return 0 // the server is away
	}
	return max(0, ahead-n)
}

// over reports whether there is nothing to wait for.
func (c *coordinator) over() bool { return c.stopped || c.table.over() }

// write writes the table's files, at most every second and for a tenth of the time unless
// it is due, and not while they know more than the table.
func (c *coordinator) write(due bool) error {
	start := time.Now()
	if !due && start.Before(c.next) || c.regains() {
		return nil
	}
	err := c.table.write(c.options.Dir)
	end := time.Now()
	c.next = end.Add(max(time.Second, 10*end.Sub(start)))
	return err
}
