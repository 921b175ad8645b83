package sweeps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hostile is a text that ends an element where it is not escaped.
const hostile = `</script><script>document.title = "taken"</script><!-- & 'x' -->`

// writeStudy writes a folder of n trials of a made-up function of eight parameters, one of which is there
// for one optimizer only, with trials that ended in every way.
func writeStudy(t testing.TB, n int) (dir string) {
	t.Helper()
	d := &Definition{ID: "study", PkmVersion: "test", File: "sweeps/study.yaml", Method: "random", Metric: Metric{"network.query_loss", "minimize"}, Trials: n + 1}
	add := func(key string, p Prior) {
		d.Parameters, d.Priors = append(d.Parameters, key), append(d.Priors, p)
		d.Space = append(d.Space, SpaceLine{"parameters." + key, p.Name})
	}
	kinds, widths := []string{"sgd", "adam", hostile}, []string{"[8]", "[64, 64]"}
	add("training.optimizer.kind", Prior{Name: "categorical", Values: kinds})
	add("training.optimizer.learning_rate", Prior{Name: "log_uniform", Min: 1e-5, Max: 1})
	add("training.optimizer.momentum", Prior{Name: "uniform", Max: 1})
	add("network.hidden", Prior{Name: "categorical", Values: widths})
	add("training.batch_size", Prior{Name: "categorical", Values: []string{"8", "32", "128"}})
	add("training.steps", Prior{Name: "int_uniform", Min: 50, Max: 500})
	add("network.init.gain", Prior{Name: "normal", Mu: 1, Sigma: 0.2})
	add("seed", Prior{Name: "constant", Values: []string{"1"}})
	table, random := newTable(d), rand.New(rand.NewPCG(5, 6))
	for i := range n {
		rate, steps := math.Pow(10, -5*random.Float64()), 50+random.IntN(451)
		momentum, gain := random.Float64(), 1+0.2*random.NormFloat64()
		kind, width, batch := kinds[random.IntN(3)], widths[random.IntN(2)], []string{"8", "32", "128"}[random.IntN(3)]
		loss := 0.2 + 0.3*math.Pow(math.Log10(rate)+2, 2) + 0.1*float64(len(width))/8 + 10/float64(steps)
		values := []string{kind, text(rounded(rate)), "", width, batch, strconv.Itoa(steps), text(rounded(gain)), "1"}
		if kind == "sgd" {
			values[2] = text(rounded(momentum))
			loss += momentum / 4
		}
		row := &Row{Trial: &Trial{Number: i, Hash: fmt.Sprintf("%064x", i+1), Values: values, CopyOf: -1}, Result: &Result{Trial: i, Attempt: 1, Steps: steps, Seconds: 5 * random.Float64()}, finished: true}
		switch {
		case i == n-1:
			row.finished, row.Result = false, nil
		case rate > 0.5:
			row.Result.State, row.Result.Message = Diverged, "the loss is NaN "+hostile
		case i%23 == 5:
			row.Result.State, row.Result.Message = Terminated, "ended early"
		case i%41 == 7:
			row.Result.State, row.Result.Message = Failed, "no space"
		default:
			row.Result.State, row.Result.Figures = Completed, []Figure{{"network.query_loss", figureOf(loss)}}
		}
		table.Rows = append(table.Rows, row)
	}
	dir = t.TempDir()
	if err := d.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := table.write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readPage writes the report of dir and returns it with its data.
func readPage(t *testing.T, dir string) (page string, data map[string]any) {
	t.Helper()
	if err := WriteReport(dir); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, ReportName))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindSubmatch(content)
	if found == nil {
		t.Fatal("there is no data")
	}
	if err := json.Unmarshal(found[1], &data); err != nil {
		t.Fatal(err)
	}
	return string(content), data
}

// The page shows the numbers of results.csv, all of their digits.
func TestReportHasTheNumbersOfTheTable(t *testing.T) {
	dir := writeStudy(t, 200)
	_, data := readPage(t, dir)
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal := func(what string, got any, want string) {
		t.Helper()
		if want == "" {
			if got != nil {
				t.Errorf("%s: %v where there is nothing", what, got)
			}
			return
		}
		x, err := strconv.ParseFloat(want, 64)
		if err != nil || got != x {
			t.Errorf("%s: %v, want %s", what, got, want)
		}
	}
	list := func(key string) []any { return data[key].([]any) }
	if len(list("parameters")) != 7 {
		t.Errorf("%d parameters, want the 7 that vary", len(list("parameters")))
	}
	for i, row := range r.Rows {
		for key, column := range map[string]string{"number": "trial", "values": r.Metric.Name, "steps": "steps", "seconds": "seconds"} {
			equal(fmt.Sprintf("trial %d, %s", i, column), list(key)[i], row[r.Column(column)])
		}
		if got := list("states")[int(list("state")[i].(float64))]; got != row[r.Column("state")] {
			t.Errorf("trial %d is %v, want %s", i, got, row[r.Column("state")])
		}
		if list("folder")[i] != row[r.Column("folder")] {
			t.Errorf("trial %d is in %v", i, list("folder")[i])
		}
		for _, p := range list("parameters") {
			p := p.(map[string]any)
			got, want := p["values"].([]any)[i], row[r.Column(p["name"].(string))]
			if levels, ok := p["levels"].([]any); ok && want != "" {
				if levels[int(got.(float64))] != want {
					t.Errorf("trial %d, %s: level %v, want %s", i, p["name"], got, want)
				}
				continue
			}
			equal(fmt.Sprintf("trial %d, %s", i, p["name"]), got, want)
		}
	}
	best := r.Sorted()[0]
	if got := list("number")[int(data["best"].(float64))]; fmt.Sprint(got) != best[0] {
		t.Errorf("the best is trial %v, want %s", got, best[0])
	}
}

func TestReportSaysWhatTheSweepIs(t *testing.T) {
	dir := writeStudy(t, 200)
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	best := r.Sorted()[0]
	folder := best[r.Column("folder")]
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o777); err != nil {
		t.Fatal(err)
	}
	page, _ := readPage(t, dir)
	if want := fmt.Sprintf(`<a href="./%s/">trial %s</a>`, folder, best[0]); !strings.Contains(page, want) {
		t.Errorf("no %s", want)
	}
	if err := os.WriteFile(filepath.Join(dir, folder, ReportName), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	page, data := readPage(t, dir)
	if want := fmt.Sprintf(`<a href="./%s/report.html">trial %s</a>`, folder, best[0]); !strings.Contains(page, want) {
		t.Errorf("no %s", want)
	}
	if got := fmt.Sprint(data["reports"]); got != "["+best[0]+"]" {
		t.Errorf("trials with reports: %s", got)
	}
	states := map[string]int{"pending": 1} // one of 201 is not drawn
	for _, row := range r.Rows {
		states[row[r.Column("state")]]++
	}
	for state, n := range states {
		if want := fmt.Sprintf("<dt>%s</dt><dd>%d</dd>", state, n); !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

// Texts of sweeps are texts, wherever they come from.
func TestReportEscapes(t *testing.T) {
	dir := writeStudy(t, 100)
	d, err := ReadDefinition(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.File, d.PkmVersion, d.Space[0].Says = hostile+".yaml", hostile, hostile
	d.Metric.Name, d.Parameters[3] = "network."+hostile, "network."+hostile+"2"
	if err := d.write(dir); err != nil {
		t.Fatal(err)
	}
	csv, err := os.ReadFile(filepath.Join(dir, csvName))
	if err != nil {
		t.Fatal(err)
	}
	quoted := strings.ReplaceAll(hostile, `"`, `""`)
	csv = bytes.Replace(csv, []byte("network.query_loss"), []byte(`"network.`+quoted+`"`), 1)
	csv = bytes.Replace(csv, []byte("network.hidden"), []byte(`"network.`+quoted+`2"`), 1)
	csv = bytes.ReplaceAll(csv, []byte("trials/0003-"), []byte("../../trials/0003-"))
	if err := os.WriteFile(filepath.Join(dir, csvName), csv, 0o666); err != nil {
		t.Fatal(err)
	}
	page, data := readPage(t, dir)
	if strings.Contains(page, "<script>document") || strings.Contains(page, "<!-- &") {
		t.Error("a text is an element")
	}
	if n := strings.Count(page, "</script>"); n != 4 {
		t.Errorf("%d ends of scripts, want those of the data and of three scripts", n)
	}
	if got := data["metric"].(map[string]any)["name"]; got != "network."+hostile {
		t.Errorf("the metric is %q", got)
	}
	if got := data["folder"].([]any)[3]; got != "" {
		t.Errorf("a folder outside of the sweep is linked to: %v", got)
	}
	levels := data["parameters"].([]any)[0].(map[string]any)["levels"].([]any)
	if !slices.Contains(levels, any(hostile)) {
		t.Errorf("levels %q", levels)
	}
}

// What cannot be read leaves the page that was there.
func TestReportOfNothing(t *testing.T) {
	if err := WriteReport(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no sweep") {
		t.Errorf("of an empty folder: %v", err)
	}
	dir := writeStudy(t, 20)
	if err := os.WriteFile(filepath.Join(dir, ReportName), []byte("before"), 0o666); err != nil {
		t.Fatal(err)
	}
	d, err := ReadDefinition(dir)
	if err != nil {
		t.Fatal(err)
	}
	head, rest := strings.Join(append(fixedColumns(), d.Parameters...), ",")+"\n", strings.Repeat(",", len(d.Parameters))+"\n"
	for _, csv := range []string{"", "trial,state\n0,completed\n", head + "0,odd,1,1,1,,x," + rest, head + "x,completed,1,1,1,,x," + rest} {
		if err := os.WriteFile(filepath.Join(dir, csvName), []byte(csv), 0o666); err != nil {
			t.Fatal(err)
		}
		err := WriteReport(dir)
		if err == nil || !strings.Contains(err.Error(), csvName) {
			t.Errorf("%q: %v", csv, err)
		}
	}
	entries, _ := os.ReadDir(dir)
	if content, err := os.ReadFile(filepath.Join(dir, ReportName)); string(content) != "before" || len(entries) != 4 {
		t.Errorf("the page is now %.20q, %v, and there are %d files", content, err, len(entries))
	}
	// Nothing is completed; nothing is drawn.
	for _, csv := range []string{"0,failed,1,1,1,,trials/0,no" + rest, ""} {
		if err := os.WriteFile(filepath.Join(dir, csvName), []byte(head+csv), 0o666); err != nil {
			t.Fatal(err)
		}
		if page, _ := readPage(t, dir); !strings.Contains(page, "No best trial yet") {
			t.Errorf("%q: there is a best trial", csv)
		}
	}
}

func TestShortNames(t *testing.T) {
	names := []string{"network.query_loss", "training.optimizer.kind", "network.kind", "seed", "loss.kind", "data.seed"}
	want := []string{"query_loss", "optimizer.kind", "network.kind", "seed", "loss.kind", "data.seed"}
	if got := shortNames(names); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestColumnAxes(t *testing.T) {
	for _, c := range []struct {
		prior    Prior
		texts    []string
		kind     string
		log      bool
		min, max float64
		levels   []int
		n        int
	}{
		{Prior{Name: "log_uniform", Min: 1e-4, Max: 1}, []string{"0.0001", "", "1"}, number, true, 1e-4, 1, []int{0, -1, 31}, 32},
		{Prior{Name: "uniform", Min: -1, Max: 1}, []string{"-1", "0", "0.99"}, number, false, -1, 1, []int{0, 16, 31}, 32},
		{Prior{Name: "int_uniform", Min: 1, Max: 3}, []string{"3", "1", "2"}, number, false, 1, 3, []int{2, 0, 1}, 3},
		{Prior{Name: "q_uniform", Min: 0.1, Max: 0.5, Q: 0.2}, []string{"0.4", "0.2"}, number, false, 0.1, 0.5, []int{1, 0}, 2},
		{Prior{Name: "normal", Mu: 0, Sigma: 1}, []string{"0.001", "-9", "9"}, number, false, -9, 9, []int{16, 0, 31}, 32},
		{Prior{Name: "log_normal", Mu: 0, Sigma: 1}, []string{"1.001", "1e-9"}, number, true, 1e-9, 1.001, []int{16, 0}, 32},
		{Prior{Name: "categorical", Values: []string{"1", "2", "8"}}, []string{"8", "1", "2"}, number, true, 1, 8, []int{2, 0, 1}, 3},
		{Prior{}, []string{"1", "2", "3"}, number, false, 1, 3, []int{0, 1, 2}, 3},
		{Prior{Name: "categorical", Values: []string{"b", "1", "a"}}, []string{"1", "", "b"}, category, false, 0, 0, []int{1, -1, 0}, 3},
		{Prior{}, []string{"true", "false"}, category, false, 0, 0, []int{0, 1}, 2},
		{Prior{}, []string{"NaN", "1"}, category, false, 0, 0, []int{0, 1}, 2},
	} {
		got := newColumn("p", c.prior, c.texts)
		f := newFactor(got)
		if got.Kind != c.kind || got.Log != c.log || got.Min != c.min || got.Max != c.max {
			t.Errorf("%v of %q: %s, log %v, from %g to %g", c.prior, c.texts, got.Kind, got.Log, got.Min, got.Max)
		}
		if !slices.Equal(f.level, c.levels) || len(f.weights) != c.n || f.ordered != (c.kind == number) {
			t.Errorf("%v of %q: levels %v of %d", c.prior, c.texts, f.level, len(f.weights))
		}
	}
}

// Many texts are no more levels than a set holds.
func TestFactorOfManyValues(t *testing.T) {
	var words, numbers []string
	for i := range 200 {
		words, numbers = append(words, fmt.Sprint("w", i)), append(numbers, fmt.Sprint(i))
	}
	for _, texts := range [][]string{words, numbers} {
		f := newFactor(newColumn("p", Prior{}, texts))
		if len(f.weights) > maxLevels || slices.Max(f.level) >= len(f.weights) || slices.Min(f.level) != 0 {
			t.Errorf("levels from %d to %d of %d", slices.Min(f.level), slices.Max(f.level), len(f.weights))
		}
	}
}

// The report of a large sweep is small enough to be sent around.
func TestReportOfManyTrialsIsSmall(t *testing.T) {
	dir := writeStudy(t, 5000)
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	size := counter(0)
	if err := r.writePage(io.MultiWriter(&size, io.Discard), dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", size)
	if size > 5_000_000 {
		t.Errorf("%d bytes, want at most 5 MB", size)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
