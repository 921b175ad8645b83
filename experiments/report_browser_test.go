package experiments

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 800), chromedp.Navigate("file://"+file),
		chromedp.WaitReady(chromedp.CSS("html[data-drawn]"))); err != nil {
		t.Fatalf("open %s: %v, %q", file, err, b.faults)
	}
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
func evaluate[T any](b *browser, format string, args ...any) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](fmt.Sprintf(format, args...)))
	if err != nil {
		b.t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
	return v
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// choose gives a select element a value.
func (b *browser) choose(id, value string) {
	b.t.Helper()
	evaluate[bool](b, `(() => { const e = document.getElementById(%q); e.value = %q; return e.dispatchEvent(new Event('change')); })()`, id, value)
}

// shown returns the query shown, and the strongest samples for and against.
func (b *browser) shown() [3]int {
	b.t.Helper()
	return evaluate[[3]int](b, `[Number(document.getElementById('query-title').dataset.query),
		...['for', 'against'].map((id) => Number((document.querySelector('#' + id + ' tbody tr') || { dataset: { sample: -1 } }).dataset.sample))]`)
}

const reported = `
name: reported
data: {train: 120, query: 12, noise: {labels: 0.1}}
network: {hidden: [12]}
training: {steps: 12, optimizer: {learning_rate: 0.2}}
machines:
  - {name: exact, family: exact, rule: gauss-3}
  - {name: flow, family: flow, rule: trapezoid}
  - {name: losses, family: exact, rule: gauss-3, target: loss}
decompose: {layers: true, windows: 4}
analysis: {every: 4, samples: 30}
bound: {kind: loss-path-kernel}
`

// explored are a machine's contributions, read by hand.
type explored struct {
	M, C, N       int
	contributions []float64
	class         []int64
}

// strongest returns the samples with the largest and the smallest contribution to an output, of a class or, for -1,
// of all.
func (a explored) strongest(query, output, class int) (up, down int) {
	up, down = -1, -1
	row := a.contributions[(query*a.C+output)*a.N:][:a.N]
	for i, v := range row {
		if class >= 0 && a.class[i] != int64(class) {
			continue
		}
		if v > 0 && (up < 0 || v > row[up]) {
			up = i
		}
		if v < 0 && (down < 0 || v < row[down]) {
			down = i
		}
	}
	return up, down
}

func TestReportInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a browser")
	}
	r := mustExecute(t, reported)
	b := openPage(t, filepath.Join(r.Path, "report.html"), 1280)
	a := explored{12, 10, 120, readArray[float64](t, r.Path, "exact/contributions"), readArray[int64](t, r.Path, "train_targets")}
	chosen := Classes(readArray[float64](t, r.Path, "outputs_final"), 10)
	expect := func(what string, query, output, class int) {
		t.Helper()
		up, down := a.strongest(query, output, class)
		if got, want := b.shown(), [3]int{query, up, down}; got != want {
			t.Errorf("%s: query and strongest samples are %v, want %v", what, got, want)
		}
	}

	expect("at first", 0, chosen[0], -1)
	b.do(chromedp.Click(chromedp.CSS("#query-3")))
	expect("after a click", 3, chosen[3], -1)
	b.do(chromedp.KeyEvent(kb.ArrowRight))
	expect("after an arrow", 4, chosen[4], -1)
	if got := evaluate[string](b, `document.activeElement.id + [...document.querySelectorAll('#queries [tabindex="0"]')].map((e) => e.id)`); got != "query-4query-4" {
		t.Errorf("focus and tab stops are %q, want those of query 4", got)
	}
	if live, want := evaluate[string](b, `document.querySelector('[aria-live]').textContent`), "Query 4,"; !strings.HasPrefix(live, want) {
		t.Errorf("announced %q, want %q…", live, want)
	}
	b.do(chromedp.KeyEvent(kb.End))
	expect("after End", 11, chosen[11], -1)
	b.do(chromedp.KeyEvent(kb.ArrowRight)) // there is none
	expect("after the last", 11, chosen[11], -1)
	columns := evaluate[int](b, `[...document.querySelectorAll('#queries > *')].filter((o, i, all) => o.offsetTop === all[0].offsetTop).length`)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	expect("after a line up", 11-columns, chosen[11-columns], -1)

	b.choose("output", "7")
	expect("another output", 11-columns, 7, -1)
	b.choose("class-filter", "2")
	expect("of a class", 11-columns, 7, 2)
	b.do(chromedp.Click(chromedp.CSS("#for button")))
	up, _ := a.strongest(11-columns, 7, 2)
	if title := evaluate[string](b, `document.getElementById('layer-title').textContent`); title != fmt.Sprintf("By layer, of sample #%d", up) {
		t.Errorf("after a click on the sample %d: %q", up, title)
	}
	b.choose("class-filter", "")
	b.choose("machine", "1")
	a.contributions = readArray[float64](t, r.Path, "flow/contributions")
	expect("another machine", 11-columns, 7, -1)
	b.choose("machine", "2")
	a.C, a.contributions = 1, readArray[float64](t, r.Path, "losses/contributions")
	expect("of the loss", 11-columns, 0, -1)
	if charts := evaluate[int](b, `document.querySelectorAll('.uplot canvas').length`); charts != 12 {
		t.Errorf("%d charts are drawn, want 12", charts)
	}
	if fault := evaluate[string](b, `[...document.querySelectorAll('.chart .hint')].map((e) => e.textContent).join()`); fault != "" {
		t.Error(fault)
	}
}

// Texts of data and configuration stay texts, and no page is wider than a phone.
func TestReportTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a browser")
	}
	const hostile = `</script><script>document.title = "taken"</script>`
	folder := t.TempDir()
	var rows strings.Builder
	rows.WriteString("width,a long name of a column,c,kind\n")
	for i := range 40 {
		kind := "b & <i>b</i>"
		if i%2 == 0 {
			kind = `"` + strings.ReplaceAll(hostile, `"`, `""`) + `"`
		}
		fmt.Fprintf(&rows, "%d,%g,%d,%s\n", i%7, float64(i)/3, i%5, kind)
	}
	if err := os.WriteFile(filepath.Join(folder, "data.csv"), []byte(rows.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	run := mustExecute(t, "name: texts\n", "data={source: csv, path: "+filepath.Join(folder, "data.csv")+", train: 30, query: 8}", "network.hidden=[4]", "training.steps=5")
	r, err := openRun(run.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.root.Close()
	r.manifest.Name = hostile + strings.Repeat("a-long-name-", 20)
	page := filepath.Join(folder, "report.html")
	f, err := os.Create(page)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{360, 1280} {
		b := openPage(t, page, width)
		if got := evaluate[string](b, `document.querySelector('h1').textContent`); got != r.manifest.Name {
			t.Errorf("the name is %q", got)
		}
		if got := evaluate[string](b, `document.title`); got != r.manifest.Name+": network and kernel machine" {
			t.Errorf("the title is %q", got)
		}
		if got := evaluate[string](b, `document.querySelector('#class-filter').options[1].textContent`); got != hostile {
			t.Errorf("the class is %q", got)
		}
		if n := evaluate[int](b, `document.scripts.length`); n != 3 {
			t.Errorf("%d scripts, want 3", n)
		}
		evaluate[bool](b, `(() => { document.querySelectorAll('details').forEach((d) => { d.open = true; }); return true; })()`)
		if got := evaluate[int64](b, `document.documentElement.scrollWidth`); got > width {
			t.Errorf("the page is %d pixels wide in a window of %d: %s", got, width, evaluate[string](b,
				`[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, nav') && e.getBoundingClientRect().right > innerWidth).map((e) => e.tagName + '#' + e.id + '.' + e.className).join(' ')`))
		}
	}
}

// Runs of other kinds, and with numbers that no axis shows, have a report without faults.
func TestReportOfOtherRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a browser")
	}
	for _, test := range []struct {
		name      string
		overrides []string
		pictures  bool // of the query
	}{
		{"no machine", []string{"machines=[]", "path_kernel=none"}, false},
		{"one logit of a CNN", []string{"data.classes=[3,8]", "loss.kind=logistic", "network={kind: cnn, hidden: [], convs: [{filters: 2, kernel: 3, pool: none}]}",
			"training.batch_size=16", "training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.1", "decompose.epochs=1", "~machines[2]"}, true},
		{"a regression", []string{"data={source: sinusoid, train: 20, query: 4}", "loss.kind=squared-error", "path_kernel=full"}, false},
		{"standardised", []string{"data.standardize=true", "precision=float32", "machines=[{name: p, family: exact, rule: left, target: log-probability}]"}, true},
		{"extreme", []string{"network.init.gain=1e300", "training.loss_limit=0", "analysis.every=1"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustExecute(t, small, test.overrides...)
			b := openPage(t, filepath.Join(r.Path, "report.html"), 800)
			if got := evaluate[string](b, `document.querySelector('h1').textContent`); got != "small" {
				t.Errorf("the name is %q", got)
			}
			if got := evaluate[bool](b, `document.querySelector('#query-picture canvas') !== null`); got != test.pictures {
				t.Errorf("a picture of the query: %t", got)
			}
			if test.name == "a regression" {
				title, text := evaluate[string](b, `document.getElementById('account-title').textContent`), evaluate[string](b, `document.getElementById('query-text').textContent`)
				columns := evaluate[int](b, `[...document.querySelectorAll('#for th, #against th')].filter((e) => e.textContent === 'target').length`)
				if title != "The account of output 0" || !strings.HasPrefix(text, "Target ") || columns == 0 {
					t.Errorf("title %q, query %q, %d columns of targets", title, text, columns)
				}
			}
		})
	}
}

// A report of 1,000 training and 200 query images, of noise, which does not compress.
func TestReportOfManyImages(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	dir := noiseRun(t, 1000, 200, 10)
	page := filepath.Join(t.TempDir(), "report.html")
	if err := WriteReportFile(page, dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB", float64(info.Size())/1e6)
	if info.Size() >= 15e6 {
		t.Errorf("%d bytes, want less than 15 MB", info.Size())
	}
	b := openPage(t, page, 1280)
	if n := evaluate[int](b, `document.querySelectorAll('#queries > *').length`); n != 200 {
		t.Errorf("%d queries, want all 200", n)
	}
	t.Logf("interactive after %d ms, all plots after %d ms", evaluate[int](b, `Number(document.documentElement.dataset.ready)`), evaluate[int](b, `Number(document.documentElement.dataset.drawn)`))
}

// A report of 1,000 training and 200 query images, from the start of its navigation to the
// time when it answers: at most 2 s.
func BenchmarkOpenReport(b *testing.B) {
	page := filepath.Join(b.TempDir(), "report.html")
	if err := WriteReportFile(page, noiseRun(b, 1000, 200, 10)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ready := evaluate[int](openPage(b, page, 1280), `Number(document.documentElement.dataset.ready)`)
		b.ReportMetric(float64(ready)/1000, "s/open")
	}
}
