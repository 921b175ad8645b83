package sweeps

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// TokenVariable holds the token of the server in a process's environment, where other users
// of the machine do not see it.
const TokenVariable = "PKM_SERVER_TOKEN"

// localWorkers keeps processes of workers on this machine, and starts another for each that
// ends before the sweep does. Each has one core.
type localWorkers struct {
	options Options
	logs    string // folder of what the workers say; "": that of the sweep
	access  Access
	id      string
	notes   chan string

	idle    bool // that what they run counts no more; set before stop
	done    chan struct{}
	broken  chan error
	running sync.WaitGroup
}

// start starts the workers.
func (w *localWorkers) start() {
	w.done, w.broken = make(chan struct{}), make(chan error, 1)
	for i := range w.options.Workers {
		w.running.Add(1)
		go func() {
			defer w.running.Done()
			if err := w.keep(i + 1); err != nil {
				select {
				case w.broken <- err:
				default:
				}
			}
		}()
	}
}

// failed tells that workers do not come up.
func (w *localWorkers) failed() <-chan error { return w.broken }

// The time within which workers end by themselves when they are told to: with the step under way, and where there
// is none that counts. Then they are killed, as they may be stalled.
const (
	endsWithin     = 30 * time.Second
	idleEndsWithin = 5 * time.Second
)

// stop ends the workers: what they run is handed back.
func (w *localWorkers) stop() {
	close(w.done)
	w.running.Wait()
}

// keep keeps worker number n running until stop.
func (w *localWorkers) keep(n int) error {
	short := 0 // lives in a row
	for {
		start := time.Now()
		err := w.live(n)
		select {
		case <-w.done:
			return nil
		default:
		}
		if err == nil { // it has heard that the sweep is over before this process
			<-w.done
			return nil
		}
		if short++; time.Since(start) > 3*time.Second || killed(err) {
			short = 0
		}
		if short >= 3 {
			return fmt.Errorf("worker %d ends as soon as it begins (%w); what it says is in %s", n, err, w.log(n))
		}
		w.note("worker %d ended (%v); another takes its place", n, err)
	}
}

func (w *localWorkers) note(format string, args ...any) {
	select {
	case w.notes <- fmt.Sprintf(format, args...):
	case <-w.done:
	}
}

func (w *localWorkers) log(n int) string {
	folder := w.logs
	if folder == "" {
		folder = w.options.Dir
	}
	return filepath.Join(folder, fmt.Sprintf("worker-%d.log", n))
}

// live runs worker number n for one life. It ends with this process, whose death closes its
// standard input.
func (w *localWorkers) live(n int) error {
	log, err := os.OpenFile(w.log(n), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := w.options.Worker()
	cmd.Args = append(cmd.Args, "--server", w.access.URL, "--sweep", w.id, "--dir", w.options.Dir, "--until-stdin-closes")
	if w.access.CA != "" {
		cmd.Args = append(cmd.Args, "--tls-ca", w.access.CA)
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, TokenVariable+"="+w.access.Token, "GOMAXPROCS=1", "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1")
	cmd.Stdout, cmd.Stderr = log, log
	life, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.note("worker %d is process %d", n, cmd.Process.Pid)
	ended := make(chan struct{})
	go func() {
		select {
		case <-w.done:
			life.Close()
		case <-ended:
			return
		}
		within := endsWithin
		if w.idle {
			within = idleEndsWithin
		}
		select {
		case <-time.After(within):
			fmt.Fprintf(log, "the process did not end within %v, and is killed\n", within)
			_ = cmd.Process.Kill() // it may have ended just now
		case <-ended:
		}
	}()
	err = cmd.Wait()
	close(ended)
	if errors.Is(err, io.ErrClosedPipe) {
		err = nil
	}
	return err
}

// killed reports whether a process was ended by a signal: that says nothing about whether
// workers can run.
func killed(err error) bool {
	var exit interface{ Sys() any }
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}
