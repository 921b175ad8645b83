package sweeps

import (
	"fmt"
	"html/template"
	"math"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// reportPage is what the template of the page reads. Its texts are escaped there.
type reportPage struct {
	Name, Lead   string
	Facts, Tiles []reportFact
	Best         []reportFact // parameters of the best trial
	BestTrial    int
	BestLink     string // its report, or its folder
	Command      string // that runs the best trial again
	Importance   *reportTable
	Explained    string // how far the importance can be trusted
	Doubtful     bool
	Improvements reportTable
	Slices       []reportTable
	Space        []SpaceLine
	Metric       string
	Log          bool
	Trials       int
	Has          struct{ Metric, Pair, Parameters bool }

	Style   template.CSS
	Data    template.JS
	Scripts []template.JS
}

// reportFact is a figure or a word with what it is.
type reportFact struct{ Label, Value, Note string }

// reportTable has a head and rows of as many cells.
type reportTable struct {
	Name string
	Head []string
	Rows []reportRow
}

// reportRow is cells and, of a table with bars, the share of the first number.
type reportRow struct {
	Cells []string
	Share string // CSS length
}

// methods say what drew the trials.
var methods = map[string]string{"grid": "of a grid", "random": "by random search", "sobol": "of a Sobol' sequence",
	"tpe": "by tree-structured Parzen estimators (TPE)", "cmaes": "by CMA-ES"}

// newReportPage returns what the page says without scripts; i is nil where there is no importance.
func newReportPage(r *Results, d *reportData, i *Importance, dir string) *reportPage {
	p := &reportPage{Name: strings.TrimSuffix(filepath.Base(r.File), filepath.Ext(r.File)), Metric: r.Metric.Name, Log: d.Metric.Log, Trials: len(r.Rows), BestTrial: -1, Space: r.Space}
	if abs, err := filepath.Abs(dir); err == nil && r.File == "" {
		p.Name = filepath.Base(abs)
	}
	method := methods[r.Method]
	p.Lead = fmt.Sprintf("%s %s, to %s %s.", count(r.Definition.Trials, "trial"), method, r.Metric.Goal, r.Metric.Name)
	counts := make([]int, len(states))
	for _, s := range d.State {
		counts[s]++
	}
	counts[len(states)-1] += max(0, r.Definition.Trials-len(r.Rows)) // not drawn yet
	p.Facts = []reportFact{{Label: "method", Value: r.Method}, {Label: "metric", Value: r.Metric.Name}, {Label: "goal", Value: r.Metric.Goal}}
	for i, s := range states {
		if counts[i] > 0 {
			p.Facts = append(p.Facts, reportFact{Label: string(s), Value: strconv.Itoa(counts[i])})
		}
	}
	seconds := 0.0
	for _, s := range d.Seconds {
		if x, ok := s.(float64); ok {
			seconds += x
		}
	}
	p.Facts = append(p.Facts, reportFact{Label: "time of all trials", Value: duration(seconds)}, reportFact{Label: "pkm", Value: r.PkmVersion})
	p.Has.Parameters = len(d.Parameters) > 0
	numbers := 0
	for _, c := range d.Parameters {
		if c.Kind == number {
			numbers++
		}
	}
	p.Tiles = []reportFact{{"trials completed", strconv.Itoa(counts[0]), fmt.Sprintf("of %d", r.Definition.Trials)}}
	if d.Best >= 0 {
		p.Has.Metric, p.Has.Pair = true, numbers > 1
		p.best(r, d)
	}
	if i != nil {
		p.importance(d, *i)
	}
	p.Improvements = d.improvements()
	for _, c := range d.Parameters {
		p.Slices = append(p.Slices, d.slice(c))
	}
	return p
}

// best fills in what is said of the best trial.
func (p *reportPage) best(r *Results, d *reportData) {
	p.BestTrial = d.Number[d.Best]
	median := d.median(nil)
	p.Tiles = append([]reportFact{{"best " + d.Metric.Short, shown(d.metric[d.Best]), "trial " + strconv.Itoa(p.BestTrial)},
		{"median " + d.Metric.Short, shown(median), "of completed trials"}}, p.Tiles...)
	for _, c := range d.Parameters {
		value := c.texts[d.Best]
		if value == "" {
			value = "not there"
		}
		p.Best = append(p.Best, reportFact{Label: c.Name, Value: value})
	}
	if folder := d.Folder[d.Best]; folder != "" {
		p.BestLink = "./" + folder + "/"
		if slices.Contains(d.Reports, d.Best) {
			p.BestLink += ReportName
		}
		p.Command = "pkm run " + path.Join(folder, "config.yaml")
	}
}

// importance fills in the importance of parameters, the greatest first.
func (p *reportPage) importance(d *reportData, i Importance) {
	t := &reportTable{Head: []string{"parameter", "share of the variance"}}
	order := make([]int, len(d.Parameters))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case i.Shares[a] > i.Shares[b]:
			return -1
		case i.Shares[a] < i.Shares[b]:
			return 1
		}
		return 0
	})
	add := func(name string, share float64) {
		t.Rows = append(t.Rows, reportRow{[]string{name, fmt.Sprintf("%.1f %%", 100*share)}, fmt.Sprintf("%.2f%%", 100*share)})
	}
	for _, j := range order {
		add(d.Parameters[j].Name, i.Shares[j])
	}
	if len(order) > 1 {
		add("several together, and chance", i.Interactions)
	}
	p.Importance, p.Explained, p.Doubtful = t, fmt.Sprintf("%.0f %%", 100*max(0, i.Explained)), !(i.Explained > 0.5)
}

// improvements lists the trials that were the best of those up to them.
func (d *reportData) improvements() reportTable {
	t := reportTable{Head: []string{"trial", d.Metric.Name}}
	for _, c := range d.Parameters {
		t.Head = append(t.Head, c.Short)
	}
	best := math.NaN()
	for i, x := range d.metric {
		if math.IsNaN(x) || !math.IsNaN(best) && !d.better(x, best) {
			continue
		}
		best = x
		cells := []string{strconv.Itoa(d.Number[i]), shown(x)}
		for _, c := range d.Parameters {
			cells = append(cells, orDash(c.texts[i]))
		}
		t.Rows = append(t.Rows, reportRow{Cells: cells})
	}
	return t
}

// mostGroups bounds the rows of a slice's table.
const mostGroups = 12

// slice is the table of a parameter: the metric by value, or by part of the axis where there are more
// values than mostGroups.
func (d *reportData) slice(c *column) reportTable {
	t := reportTable{Name: c.Name, Head: []string{c.Short, "trials", "best", "median"}}
	add := func(name string, in func(i int) bool) {
		n, best := 0, math.NaN()
		for i, x := range d.metric {
			if !math.IsNaN(x) && in(i) {
				n++
				if math.IsNaN(best) || d.better(x, best) {
					best = x
				}
			}
		}
		if n > 0 {
			t.Rows = append(t.Rows, reportRow{Cells: []string{name, strconv.Itoa(n), shown(best), shown(d.median(in))}})
		}
	}
	switch distinct := c.distinct(); {
	case c.Kind == category:
		for l, name := range c.Levels {
			add(name, func(i int) bool { return c.indices[i] == l })
		}
	case len(distinct) <= mostGroups:
		for _, v := range distinct {
			add(strconv.FormatFloat(v, 'g', -1, 64), func(i int) bool { return c.numbers[i] == v })
		}
	default:
		const parts = 8
		edge := func(k int) float64 {
			share := float64(k) / parts
			if c.Log {
				return c.Min * math.Pow(c.Max/c.Min, share)
			}
			return c.Min + share*(c.Max-c.Min)
		}
		for k := range parts {
			low, high := edge(k), edge(k+1)
			add(shown(low)+" to "+shown(high), func(i int) bool {
				x := c.numbers[i]
				return (x >= low || k == 0) && (x < high || k == parts-1) && !math.IsNaN(x)
			})
		}
	}
	add("not there", func(i int) bool { return c.texts[i] == "" })
	return t
}

// median is that of the metric of the trials that are in, of all for nil.
func (d *reportData) median(in func(i int) bool) float64 {
	var all []float64
	for i, x := range d.metric {
		if !math.IsNaN(x) && (in == nil || in(i)) {
			all = append(all, x)
		}
	}
	sort.Float64s(all)
	n := len(all)
	if n == 0 {
		return math.NaN()
	}
	return all[(n-1)/2]/2 + all[n/2]/2
}

// breaks cuts a name where a line may end.
func breaks(name string) []string {
	var parts []string
	for _, part := range strings.SplitAfter(name, ".") {
		parts = append(parts, strings.SplitAfter(part, "_")...)
	}
	return parts
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// shown writes four digits, with the signs of print.
func shown(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	text := strconv.FormatFloat(x, 'g', 4, 64)
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok {
		n, _ := strconv.Atoi(exponent) // that strconv wrote
		text = mantissa + "e" + strconv.Itoa(n)
	}
	return strings.ReplaceAll(text, "-", "−")
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// duration writes seconds as one reads them.
func duration(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}
