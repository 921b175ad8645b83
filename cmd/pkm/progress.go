package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"pkm/experiments"
)

// progress shows how far a run is: a bar on a terminal, a line every few seconds
// elsewhere.
type progress struct {
	out     io.Writer
	steps   int
	start   time.Time
	next    time.Time // of the next line
	last    experiments.Progress
	pool    *mpb.Progress // nil where the output is no terminal
	bar     *mpb.Bar
	between time.Duration
}

func newProgress(out io.Writer, steps int) *progress {
	p := &progress{out: out, steps: steps, start: time.Now(), between: 5 * time.Second}
	// A terminal without a size, as scripts make them, shows no bar.
	if width, height, err := size(out); err == nil && width > 0 && height > 0 {
		p.pool = mpb.New(mpb.WithOutput(out), mpb.WithWidth(80))
		p.bar = p.pool.AddBar(int64(steps),
			mpb.PrependDecorators(decor.CountersNoUnit("step %d/%d ", decor.WCSyncSpace)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.figures() }),
				decor.OnComplete(decor.Any(func(decor.Statistics) string { return " " + p.left() }), "")))
	}
	return p
}

// size returns the size of the terminal that out is, an error when it is none.
func size(out io.Writer) (width, height int, err error) {
	f, ok := out.(*os.File)
	if !ok {
		return 0, 0, os.ErrInvalid
	}
	return term.GetSize(int(f.Fd()))
}

// update is told of every step.
func (p *progress) update(now experiments.Progress) {
	p.last = now
	if p.bar != nil {
		p.bar.SetCurrent(int64(now.Step))
		return
	}
	if t := time.Now(); t.After(p.next) || now.Step == now.Steps {
		p.next = t.Add(p.between)
		fmt.Fprintf(p.out, "step %d/%d  %s %s\n", now.Step, now.Steps, p.figures(), p.left())
	}
}

// figures returns loss, residual and rate.
func (p *progress) figures() string {
	residual := ""
	if !math.IsNaN(p.last.Residual) {
		residual = fmt.Sprintf("  step residual %.1e", p.last.Residual)
	}
	loss := ""
	if !math.IsNaN(p.last.Loss) { // as in an account of steps
		loss = fmt.Sprintf(" loss %.4g", p.last.Loss)
	}
	return fmt.Sprintf("%s%s  %.1f steps/s", loss, residual, p.rate())
}

func (p *progress) rate() float64 {
	return float64(p.last.Step) / max(time.Since(p.start).Seconds(), 1e-9)
}

func (p *progress) left() string {
	if p.last.Step == 0 || p.last.Step == p.steps {
		return ""
	}
	return fmt.Sprintf(" %s left", time.Duration(float64(p.steps-p.last.Step)/p.rate()*float64(time.Second)).Round(time.Second))
}

// finish takes the bar away or leaves it complete.
func (p *progress) finish(completed bool) {
	if p.bar == nil {
		return
	}
	if !completed {
		p.bar.Abort(false)
	}
	p.pool.Wait()
}
