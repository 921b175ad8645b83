package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"pkm/experiments"
)

// progress shows how far a run is: a bar for each phase on a terminal, a line every few
// seconds elsewhere.
type progress struct {
	out     io.Writer
	clock   func() time.Time
	between time.Duration // of lines
	next    time.Time     // line
	pool    *mpb.Progress // nil where the output is no terminal
	bar     *mpb.Bar      // of the phase

	mu    sync.Mutex // of what follows: a goroutine of the pool draws the bars
	phase experiments.Phase
	first int       // steps that were done when the phase began
	began time.Time // the phase
	now   experiments.Progress
	ended map[experiments.Phase]string // figures of the phases that are over
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, clock: time.Now, between: 5 * time.Second, ended: map[experiments.Phase]string{}}
	// A terminal without a size, as scripts make them, shows no bar.
	if width, height, err := size(out); err == nil && width > 0 && height > 0 {
		p.pool = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))
	}
	return p
}

// size returns the size of the terminal that out is.
func size(out io.Writer) (width, height int, err error) {
	f, ok := out.(*os.File)
	if !ok {
		return 0, 0, os.ErrInvalid
	}
	return term.GetSize(int(f.Fd()))
}

// update is told as a phase begins and of its steps.
func (p *progress) update(phase experiments.Phase, now experiments.Progress) {
	p.mu.Lock()
	begins := phase != p.phase
	if begins {
		p.ended[p.phase] = p.figures()
		p.phase, p.first, p.began = phase, now.Step, p.clock()
		p.next = p.began.Add(p.between)
	}
	p.now = now
	p.mu.Unlock()
	switch {
	case p.pool != nil && begins:
		p.end(false)
		p.bar = p.newBar(phase, now.Steps)
		p.bar.SetCurrent(int64(now.Step))
	case p.pool != nil:
		p.bar.SetCurrent(int64(now.Step))
	default:
		p.line(begins)
	}
}

// line writes a line, if it is time for one or the phase is over.
func (p *progress) line(begins bool) {
	switch now := p.clock(); {
	case p.now.Steps == 0:
		fmt.Fprintf(p.out, "%s\n", p.phase)
	case p.now.Step == p.now.Steps, !begins && !now.Before(p.next):
		p.next = now.Add(p.between)
		fmt.Fprintf(p.out, "%s: step %d/%d  %s\n", p.phase, p.now.Step, p.now.Steps, p.figures())
	}
}

// newBar adds the bar of a phase; one that does not go by steps only shows its time.
func (p *progress) newBar(phase experiments.Phase, steps int) *mpb.Bar {
	name := decor.Name(fmt.Sprintf("%-11s", phase))
	if steps == 0 {
		return p.pool.New(0, mpb.NopStyle(), mpb.PrependDecorators(name), mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)))
	}
	return p.pool.AddBar(int64(steps), mpb.PrependDecorators(name, decor.CountersNoUnit("%d/%d")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.phase != phase {
				return p.ended[phase] // the bar is drawn a last time
			}
			return p.figures()
		})))
}

// figures returns loss, residual, rate and time left of the phase.
func (p *progress) figures() string {
	var parts []string
	if !math.IsNaN(p.now.Loss) {
		parts = append(parts, fmt.Sprintf("loss %.4g", p.now.Loss))
	}
	if !math.IsNaN(p.now.Residual) {
		parts = append(parts, fmt.Sprintf("step residual %.1e", p.now.Residual))
	}
	if seconds := p.clock().Sub(p.began).Seconds(); p.now.Step > p.first && seconds > 0 {
		rate := float64(p.now.Step-p.first) / seconds
		parts = append(parts, fmt.Sprintf("%.3g steps/s", rate))
		if left := float64(p.now.Steps-p.now.Step) / rate; left > 0 && left < 1e9 {
			parts = append(parts, time.Duration(math.Ceil(left)*float64(time.Second)).String()+" left")
		}
	}
	return strings.Join(parts, "  ")
}

// end leaves the bar of a phase that is over, complete or as it is.
func (p *progress) end(aborted bool) {
	switch {
	case p.bar == nil:
	case aborted:
		p.bar.Abort(false)
	default:
		p.bar.SetTotal(-1, true) // a phase may end before its last step
	}
}

// Write writes a note, above the bars where there are some.
func (p *progress) Write(note []byte) (int, error) {
	if p.pool != nil {
		return p.pool.Write(note)
	}
	return p.out.Write(note)
}

// finish ends the bars.
func (p *progress) finish(completed bool) {
	if p.pool != nil {
		p.end(!completed)
		p.pool.Wait()
	}
}
