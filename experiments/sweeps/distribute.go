package sweeps

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"pkm/experiments"
	"pkm/internal/atomicfile"
)

// Distribution has the parts of one run done by workers.
type Distribution struct {
	Server  Access           // URL "": a server embedded in this process
	Workers int              // processes on this machine
	Worker  func() *exec.Cmd // as in Options
	Lost    time.Duration    // as in Options
	// Observe, if not nil, is called with how many parts are done, and notes.
	Observe func(done, of int, note string)
}

// partAttempts is how often a part may fail.
const partAttempts = 3

// queueFolder is that of an embedded server within the folder of a run, until its account is done.
const queueFolder = "queue"

// Do has every part of a job done, and returns their files. A job that is interrupted is gone on with where its
// results are: on the server, or in the folder of the embedded one. It is an [experiments.Options.Distribute].
func (d Distribution) Do(ctx context.Context, job experiments.Job) (files []experiments.PartFiles, err error) {
	folder := filepath.Join(job.Dir, queueFolder)
	access := d.Server
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("distribute run %s: %w", job.Dir, err)
	}
	if access.URL == "" {
		e, err := startServer(folder)
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
	id, err := jobID(folder)
	if err != nil {
		return nil, fmt.Errorf("distribute run %s: %w", job.Dir, err)
	}
	q, err := newQueue(conn, id)
	if err != nil {
		return nil, err
	}
	if err := q.create(ctx, d.Lost); err != nil {
		return nil, err
	}
	if err := errors.Join(q.begin(ctx), q.forgetTasks(ctx)); err != nil {
		return nil, err
	}
	w := &distribution{Distribution: d, job: job, queue: q, parts: make([]partState, len(job.Parts))}
	if w.Observe == nil {
		w.Observe = func(int, int, string) {}
	}
	if d.Server.URL != "" {
		w.Observe(0, len(w.parts), fmt.Sprintf("for workers: pkm worker --server %s --sweep %s --dir %s", withoutSecret(access.URL), id, job.Dir))
	}
	if err := w.run(ctx, access); err != nil {
		return nil, err
	}
	for _, p := range w.parts {
		files = append(files, p.files)
	}
	if err := q.remove(ctx); err != nil {
		return nil, err
	}
	return files, os.RemoveAll(folder)
}

// jobID returns the id of the job in whose folder the queue's is, on a server that may have others: that which the job began with.
func jobID(folder string) (string, error) {
	path := filepath.Join(folder, "id")
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return string(text), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	id := strings.ToLower(rand.Text()[:10])
	_, err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, id)
		return err
	})
	return id, err
}

// distribution is a job under way.
type distribution struct {
	Distribution
	job   experiments.Job
	queue *queue
	parts []partState
	done  int
}

// partState is how far a part is.
type partState struct {
	attempt  int // the last that is known of, 0: none
	failures int // that this process has seen
	done     bool
	files    experiments.PartFiles
}

func (w *distribution) run(parent context.Context, access Access) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	f := follow(ctx, w.queue)
	for known := false; !known; {
		select {
		case m := <-f.messages:
			if _, err := w.learn(m); err != nil {
				return err
			}
		case <-f.caughtUp:
			known = true
		case err := <-f.failed:
			return err
		}
	}
	for i := range w.parts {
		w.recheck(i)
	}
	w.Observe(w.done, len(w.parts), "")
	for i := range w.parts {
		if !w.parts[i].done && w.ready(i) {
			if err := w.issue(ctx, i); err != nil {
				return err
			}
		}
	}
	workers := &localWorkers{options: Options{Dir: w.job.Dir, Workers: w.Workers, Worker: w.Worker}, logs: filepath.Join(w.job.Dir, queueFolder), access: access, id: w.queue.id, notes: make(chan string, 64)}
	workers.start()
	defer workers.stop()
	for w.done < len(w.parts) {
		select {
		case m := <-f.messages:
			r, err := w.learn(m)
			if err != nil {
				return err
			}
			if err := w.ended(ctx, r); err != nil {
				return err
			}
		case note := <-workers.notes:
			w.Observe(w.done, len(w.parts), note)
		case err := <-workers.failed():
			return err
		case err := <-f.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("stopped after %d of %d parts of run %s: %w", w.done, len(w.parts), w.job.Dir, context.Cause(ctx))
		}
	}
	return w.queue.publish(ctx, w.queue.subject("over"), struct{}{})
}

// ready reports whether the part that part i takes up is done.
func (w *distribution) ready(i int) bool {
	after := w.job.Parts[i].After
	return after < 0 || w.parts[after].done
}

// recheck takes back that the part before part i is done, where part i has to take up its carry and that is not there, whole.
// It reports whether it did.
func (w *distribution) recheck(i int) bool {
	after := w.job.Parts[i].After
	if after < 0 || w.parts[i].done || !w.parts[after].done || experiments.HasPart(w.job.Dir, w.parts[after].files.Carry) {
		return false
	}
	w.parts[after].done = false
	w.done--
	return true
}

// issue puts a part into the work queue.
func (w *distribution) issue(ctx context.Context, i int) error {
	p := &w.parts[i]
	p.attempt++
	task := &Task{Trial: Trial{Number: i, CopyOf: -1}, Attempt: p.attempt, Part: &w.job.Parts[i]}
	if after := w.job.Parts[i].After; after >= 0 {
		task.Carry = w.parts[after].files.Carry
	}
	return w.queue.publish(ctx, w.queue.subject("task"), task)
}

// learn takes up a result; it returns one that is news.
func (w *distribution) learn(m message) (*Result, error) {
	parts := strings.Split(m.subject, ".")
	if len(parts) != 5 || parts[2] != "result" {
		return nil, nil
	}
	var r Result
	if err := json.Unmarshal(m.data, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", m.subject, err)
	}
	if r.Trial < 0 || r.Trial >= len(w.parts) {
		return nil, fmt.Errorf("read %s: a result of part %d of %d", m.subject, r.Trial, len(w.parts))
	}
	p := &w.parts[r.Trial]
	p.attempt = max(p.attempt, r.Attempt)
	if p.done {
		return nil, nil
	}
	// What a part has left may be gone with the folder, or be taken up already.
	if r.State == Completed && r.Files != nil && experiments.HasPart(w.job.Dir, r.Files.Sums) {
		p.done, p.files = true, *r.Files
		w.done++
	}
	return &r, nil
}

// ended goes on after a result: with the parts that waited for it, or with another attempt.
func (w *distribution) ended(ctx context.Context, r *Result) error {
	if r == nil {
		return nil
	}
	i := r.Trial
	p := &w.parts[i]
	if !p.done {
		message := r.Message
		if message == "" {
			message = "its file is not there: do the workers share the folder of the run?"
		}
		if p.failures++; p.failures >= partAttempts {
			return fmt.Errorf("part %d of run %s failed %d times: %s", i, w.job.Dir, p.failures, message)
		}
		w.Observe(w.done, len(w.parts), fmt.Sprintf("part %d: attempt %d failed: %s", i, r.Attempt, message))
		if w.recheck(i) { // what it takes up is damaged, and is made again
			return w.issue(ctx, w.job.Parts[i].After)
		}
		return w.issue(ctx, i)
	}
	w.Observe(w.done, len(w.parts), "")
	if after := w.job.Parts[i].After; after >= 0 {
		if carry := w.parts[after].files.Carry; carry != "" {
			if err := experiments.RemovePart(w.job.Dir, carry); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	for j := range w.parts {
		if w.job.Parts[j].After == i && !w.parts[j].done {
			if err := w.issue(ctx, j); err != nil {
				return err
			}
		}
	}
	return nil
}
