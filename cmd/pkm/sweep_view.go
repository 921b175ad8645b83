package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pkm/experiments/sweeps"
)

// sweepView shows how far a sweep is: a table that is drawn again and again on a terminal, a line for
// each trial elsewhere.
type sweepView struct {
	out     io.Writer
	sweep   *sweeps.Sweep
	width   int // of the terminal, 0: none
	lines   int // of the table on the screen
	next    time.Time
	start   time.Time
	before  int // trials that were finished when it began
	begun   bool
	running map[int]sweeps.Report // by trial
}

func newSweepView(out io.Writer, s *sweeps.Sweep) *sweepView {
	v := &sweepView{out: out, sweep: s, start: time.Now(), running: map[int]sweeps.Report{}}
	if width, height, err := size(out); err == nil && width > 0 && height > 0 {
		v.width = width
	}
	return v
}

// observe is told of every change.
func (v *sweepView) observe(e sweeps.Event) {
	done := finished(e.Table)
	if !v.begun {
		v.begun, v.before = true, done
		if e.Result != nil {
			v.before--
		}
		if v.before > 0 {
			v.say("%d trials are finished already", v.before)
		}
	}
	switch {
	case e.Note != "":
		v.say("%s", e.Note)
	case e.Report != nil:
		v.running[e.Report.Trial] = *e.Report
	case e.Result != nil:
		delete(v.running, e.Result.Trial)
		if v.width == 0 || e.Result.State == sweeps.Failed {
			v.say("%s", v.line(e.Table, e.Result))
		}
	}
	if now := time.Now(); v.width > 0 && (now.After(v.next) || done == e.Table.Trials) {
		v.next = now.Add(200 * time.Millisecond)
		v.draw(e.Table)
	}
}

// say writes a line above the table.
func (v *sweepView) say(format string, args ...any) {
	v.clear()
	fmt.Fprintf(v.out, format+"\n", args...)
}

// line describes a trial that has ended.
func (v *sweepView) line(t *sweeps.Table, r *sweeps.Result) string {
	what := string(r.State)
	switch r.State {
	case sweeps.Completed:
		what = fmt.Sprintf("%s %s", v.sweep.Metric.Name, figure(r.Value(v.sweep.Metric.Name)))
	default:
		what += ": " + r.Message
	}
	text := fmt.Sprintf("%d/%d  trial %d  %s  (%.1f s)", finished(t), t.Trials, r.Trial, what, r.Seconds)
	if best := t.Best(); best != nil {
		text += fmt.Sprintf("  best %s, trial %d", figure(best.Result.Value(v.sweep.Metric.Name)), best.Trial.Number)
	}
	return text
}

// draw draws the table in the place of the last one.
func (v *sweepView) draw(t *sweeps.Table) {
	lines := []string{v.counts(t) + v.left(t)}
	if best := t.Best(); best != nil {
		lines = append(lines, fmt.Sprintf("best: trial %d  %s %s  %s", best.Trial.Number, v.sweep.Metric.Name, figure(best.Result.Value(v.sweep.Metric.Name)), v.parameters(best.Trial)))
	}
	var running []int
	for trial := range v.running {
		if trial < len(t.Rows) && t.Rows[trial].State() == sweeps.Pending {
			running = append(running, trial)
		}
	}
	slices.Sort(running)
	for _, trial := range running {
		r := v.running[trial]
		lines = append(lines, fmt.Sprintf("  trial %d  step %d/%d  loss %.4g  %s", trial, r.Step, r.Steps, float64(r.Loss), v.parameters(t.Rows[trial].Trial)))
	}
	v.clear()
	for _, line := range lines {
		if utf8.RuneCountInString(line) > v.width-1 {
			line = string([]rune(line)[:v.width-2]) + "…"
		}
		fmt.Fprintln(v.out, line)
	}
	v.lines = len(lines)
}

// clear takes the table off the screen.
func (v *sweepView) clear() {
	if v.lines > 0 {
		fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", v.lines)
		v.lines = 0
	}
}

// finish leaves the screen to what follows.
func (v *sweepView) finish() { v.clear() }

// parameters returns the values of a trial, by the last part of their keys.
func (v *sweepView) parameters(t *sweeps.Trial) string {
	var parts []string
	for i, p := range v.sweep.Space {
		if t.Values[i] != "" && p.Count() != 1 {
			parts = append(parts, p.Key[strings.LastIndexByte(p.Key, '.')+1:]+"="+t.Values[i])
		}
	}
	return strings.Join(parts, " ")
}

// counts says how many trials are finished and how.
func (v *sweepView) counts(t *sweeps.Table) string {
	text := fmt.Sprintf("%d of %d trials", finished(t), t.Trials)
	for _, s := range []sweeps.State{sweeps.Completed, sweeps.Terminated, sweeps.Diverged, sweeps.Failed} {
		if n := t.Count(s); n > 0 {
			text += fmt.Sprintf(", %d %s", n, s)
		}
	}
	return text
}

// left estimates how long the rest takes.
func (v *sweepView) left(t *sweeps.Table) string {
	done := finished(t)
	if done <= v.before || done == t.Trials {
		return ""
	}
	each := time.Since(v.start) / time.Duration(done-v.before)
	return fmt.Sprintf(", about %s left", (each * time.Duration(t.Trials-done)).Round(time.Second))
}

func finished(t *sweeps.Table) int { return len(t.Rows) - t.Count(sweeps.Pending) }

func figure(x float64) string { return fmt.Sprintf("%.4g", x) }
