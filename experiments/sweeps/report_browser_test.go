package sweeps

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a page that is open in headless Chromium.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	faults []string // messages of the console and requests to the network
}

// openPage opens a file at a width. The test is skipped where there is no Chromium.
func openPage(t testing.TB, file string, width int64) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("opens a browser")
	}
	if !slices.ContainsFunc([]string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"},
		func(name string) bool { _, err := exec.LookPath(name); return err == nil }) {
		t.Skip("no Chromium is installed: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 800), chromedp.Navigate("file://"+file),
		chromedp.WaitReady(chromedp.CSS("html[data-drawn]"))); err != nil {
		t.Fatalf("open %s: %v, %q", file, err, b.faults)
	}
	t.Logf("%d pixels wide: open and drawn in %v", width, time.Since(begun).Round(time.Millisecond))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Error(fault)
		}
	})
	return b
}

// listen notes what the page must not do.
func (b *browser) listen(event any) {
	fault := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "file://") {
			fault = "request of " + u
		}
	case *runtime.EventConsoleAPICalled:
		fault = fmt.Sprintf("console: %s", e.Type)
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			fault += " " + x.Description
		}
	case *log.EventEntryAdded:
		fault = "log: " + e.Entry.Text
	}
	if fault != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.faults = append(b.faults, fault)
	}
}

// evaluate returns the value of an expression.
func evaluate[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// drag presses, moves and lets go within the brush of an axis, at shares of its height from the foot.
func (b *browser) drag(axis int, from, to float64) {
	b.t.Helper()
	box := evaluate[[3]float64](b, fmt.Sprintf(`(() => { const e = document.querySelector('[data-axis="%d"]'); e.scrollIntoView({ block: 'center', behavior: 'instant' });
		const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.bottom, r.height]; })()`, axis))
	at := func(share float64) float64 { return box[1] - share*box[2] }
	b.do(chromedp.MouseEvent(chromedp.MousePressed, box[0], at(from), chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent(chromedp.MouseMoved, box[0], at((from+to)/2), chromedp.ButtonLeft),
		chromedp.MouseEvent(chromedp.MouseMoved, box[0], at(to), chromedp.ButtonLeft),
		chromedp.MouseEvent(chromedp.MouseReleased, box[0], at(to), chromedp.ButtonLeft, chromedp.ClickCount(1)))
}

// text returns that of an element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
}

// trials returns the numbers in the first column of the table, when the filters have come to rest.
func (b *browser) trials() []string {
	b.t.Helper()
	return evaluate[[]string](b, `new Promise((done) => setTimeout(() => done([...document.querySelectorAll('#table tbody th')].map((e) => e.textContent)), 250))`)
}

func TestReportInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a browser")
	}
	dir := writeStudy(t, 300)
	if err := WriteReport(dir); err != nil {
		t.Fatal(err)
	}
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := openPage(t, filepath.Join(dir, ReportName), 1280)

	// chosen returns the trials that a condition holds for, the best first, those without the metric after them.
	cell := func(row []string, name string) float64 { return numberOf(row[r.Column(name)]) }
	chosen := func(holds func(row []string) bool) (numbers []string) {
		sorted := r.Sorted()
		for _, row := range sorted {
			if holds(row) {
				numbers = append(numbers, row[0])
			}
		}
		for _, row := range r.Rows {
			if row[r.Column(r.Metric.Name)] == "" && holds(row) {
				numbers = append(numbers, row[0])
			}
		}
		return numbers
	}
	expect := func(what string, want []string) {
		t.Helper()
		if got := b.trials(); !slices.Equal(got, want[:min(len(want), 100)]) {
			t.Errorf("%s: trials %v, want %v", what, got, want)
		}
	}
	all := func([]string) bool { return true }
	expect("at first", chosen(all))

	// Sorting, with the keyboard, and pages.
	b.do(chromedp.Focus(chromedp.CSS("#table thead th:nth-child(1) button")), chromedp.KeyEvent(kb.Enter))
	expect("by number", columnOf(r.Rows, 0)[:100])
	if got := evaluate[string](b, `document.querySelector('#table [aria-sort]').textContent + document.querySelector('#table [aria-sort]').getAttribute('aria-sort')`); got != "trialascending" {
		t.Errorf("sorted by %s", got)
	}
	b.do(chromedp.Click(chromedp.CSS("#page-on")), chromedp.Click(chromedp.CSS("#page-on")))
	expect("the last page", columnOf(r.Rows, 0)[200:])
	b.do(chromedp.Click(chromedp.CSS("#table thead th:nth-child(1) button")))
	down := columnOf(r.Rows, 0)
	slices.Reverse(down)
	expect("from the last", down)
	b.do(chromedp.Click(chromedp.CSS("#table thead th:nth-child(3) button")))

	// The state and a text.
	evaluate[bool](b, `(() => { const e = document.getElementById('table-state'); e.value = [...e.options].find((o) => o.textContent === 'failed').value; return e.dispatchEvent(new Event('change')); })()`)
	expect("those that failed", chosen(func(row []string) bool { return row[r.Column("state")] == "failed" }))
	evaluate[bool](b, `(() => { const e = document.getElementById('table-state'); e.value = ''; return e.dispatchEvent(new Event('change')); })()`)
	b.do(chromedp.SendKeys(chromedp.CSS("#table-text"), "EARLY"))
	expect("those with a text", chosen(func(row []string) bool { return row[r.Column("state")] == "terminated" }))
	evaluate[bool](b, `(() => { const e = document.getElementById('table-text'); e.value = ''; return e.dispatchEvent(new Event('input')); })()`)

	// A brush on the axis of the learning rate, the second: its upper half but for the ends.
	b.drag(1, 0.5, 0.9)
	limits := evaluate[[2]string](b, `['least', 'most'].map((end) => document.getElementById('filter-1-' + end).value)`)
	low, high := numberOf(limits[0]), numberOf(limits[1])
	if !(low > 2e-3 && low < 5e-3 && high > 0.25 && high < 0.4) {
		t.Errorf("the brush is from %s to %s, want about 0.00316 to 0.316", limits[0], limits[1])
	}
	within := func(row []string) bool {
		x := cell(row, "training.optimizer.learning_rate")
		return x >= low && x <= high
	}
	expect("brushed", chosen(within))
	if got, want := b.text("#kept"), fmt.Sprintf("%d of 300 trials kept", len(chosen(within))); got != want {
		t.Errorf("announced %q, want %q", got, want)
	}

	// And one by keyboard: momentum, which only some have.
	evaluate[bool](b, `document.getElementById('filters').open = true`)
	b.do(chromedp.Focus(chromedp.CSS("#filter-2-most")), chromedp.KeyEvent("0.5"), chromedp.KeyEvent(kb.Enter))
	both := func(row []string) bool { return within(row) && cell(row, "training.optimizer.momentum") <= 0.5 }
	expect("brushed and typed", chosen(both))
	if len(chosen(both)) == 0 {
		t.Error("no trial is kept, which tests nothing")
	}
	// A click lets the brush go.
	b.drag(1, 0.3, 0.3)
	expect("without the brush", chosen(func(row []string) bool { return cell(row, "training.optimizer.momentum") <= 0.5 }))
	b.do(chromedp.Click(chromedp.CSS("#clear")))
	expect("all again", chosen(all))
	// A category by its boxes, and by its axis.
	b.do(chromedp.Click(chromedp.CSS(`#filter-fields input[type=checkbox][value="2"]`)))
	expect("without a category", chosen(func(row []string) bool { return row[r.Column("training.optimizer.kind")] != hostile }))
	b.drag(0, 0.05, 0.3)
	expect("a category by its axis", chosen(func(row []string) bool { return row[r.Column("training.optimizer.kind")] == "sgd" }))
	b.do(chromedp.Click(chromedp.CSS("#clear")))

	expect("all at the end", chosen(all))

	// The pair that matters most, then another.
	if got := evaluate[string](b, `document.getElementById('contour-x').selectedOptions[0].textContent`); got != "learning_rate" {
		t.Errorf("the contour is over %s at first", got)
	}
	evaluate[bool](b, `(() => { const e = document.getElementById('contour-y'); e.value = '3'; return e.dispatchEvent(new Event('change')); })()`)
	if label := evaluate[string](b, `document.querySelector('#plot-contour canvas').getAttribute('aria-label')`); !strings.Contains(label, "learning_rate and training.steps") {
		t.Errorf("the contour is %q", label)
	}
	// Every canvas has something on it.
	if blank := evaluate[int](b, `[...document.querySelectorAll('canvas')].filter((c) => !new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer).some((v) => v !== 0)).length`); blank != 0 {
		t.Errorf("%d plots are blank", blank)
	}
	if n := evaluate[int](b, `document.querySelectorAll('canvas').length`); n != 10 {
		t.Errorf("%d plots, want the history, the parallel coordinates, 7 slices and a contour", n)
	}
	// Links lead to trials.
	if href, want := evaluate[string](b, `document.querySelector('#table tbody a').getAttribute('href')`), "./"+r.Sorted()[0][r.Column("folder")]+"/"; href != want {
		t.Errorf("the first link is %s, want %s", href, want)
	}
	if title := evaluate[string](b, `document.title`); title != "study: sweep" {
		t.Errorf("the title is %q", title)
	}
}

func columnOf(rows [][]string, i int) (texts []string) {
	for _, row := range rows {
		texts = append(texts, row[i])
	}
	return texts
}

// No page is wider than a phone, and one of 5,000 trials opens; how fast, it says.
func TestReportOpens(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a browser")
	}
	for _, trials := range []int{0, 1, 3, 5000} {
		t.Run(strconv.Itoa(trials), func(t *testing.T) {
			dir := writeStudy(t, trials)
			begun := time.Now()
			if err := WriteReport(dir); err != nil {
				t.Fatal(err)
			}
			t.Logf("written in %v", time.Since(begun).Round(time.Millisecond))
			for _, width := range []int64{390, 1280} {
				b := openPage(t, filepath.Join(dir, ReportName), width)
				if over := evaluate[int](b, `document.documentElement.scrollWidth - window.innerWidth`); over > 0 {
					t.Errorf("%d pixels are wider than the window", over)
				}
				t.Logf("scripts done after %s ms, drawn after %s ms", evaluate[string](b, `document.documentElement.dataset.ready`), evaluate[string](b, `document.documentElement.dataset.drawn`))
			}
		})
	}
}

// The report of 5,000 trials, from the start of its navigation until all of it is drawn:
// at most 3 s.
func BenchmarkOpenSweepReport(b *testing.B) {
	dir := writeStudy(b, 5000)
	if err := WriteReport(dir); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		drawn := evaluate[string](openPage(b, filepath.Join(dir, ReportName), 1280), `document.documentElement.dataset.drawn`)
		ms, err := strconv.ParseFloat(drawn, 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(ms/1000, "s/open")
	}
}
