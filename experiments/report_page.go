package experiments

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

// report is what the template of the page reads. Its texts are escaped there.
type report struct {
	Name, Description string
	Facts             []fact
	Tiles             []tile
	Machines          table
	Faults            []string
	Bound             *table
	Training          table
	HeatText          string
	Heat              *table
	Spectrum          *table
	Has               struct{ Machines, Images, Certificate, Accuracy, Residual, Shares bool }
	Queries           string // which are shown
	Figures           bool   // whether the run writes its plots as files
	Classes           []string
	Commands          []string // that would record the shares that the run has not

	Style   template.CSS
	Data    template.JS
	Scripts []template.JS
}

// fact is a property of the run.
type fact struct{ Label, Value string }

// tile is a figure that stands out.
type tile struct{ Value, Label, Note string }

// table has a head and rows of as many cells.
type table struct {
	Head []string
	Rows [][]string
	Note string
}

// newReport returns what the page says without scripts.
func newReport(r *reportSource, d *reportData) *report {
	p := &report{Name: r.manifest.Name, Description: r.config.Describe(), Facts: r.facts(), Tiles: r.tiles(), Machines: r.machineTable(),
		Training: trainingTable(d.Training), Classes: r.classes, Figures: r.config.Figures}
	for _, b := range r.summary.Baselines {
		if b.Figures.Fault != "" {
			p.Faults = append(p.Faults, b.Name+": "+b.Figures.Fault)
		}
	}
	if g := r.summary.Generalization; g != nil {
		p.Bound = boundTable(g)
	}
	if d.Heat != nil {
		p.HeatText, p.Heat = d.Heat.describe(), d.Heat.table(r.classes)
	}
	if len(r.analysis) > 0 {
		p.Spectrum = spectrumTable(r.analysis)
	}
	p.Has.Machines, p.Has.Images = len(d.Explorer.Machines) > 0, d.Explorer.Images != nil
	p.Has.Accuracy, p.Has.Residual = d.Training.Accuracy != nil, d.Training.Residual != nil
	for _, m := range d.Agreement.Machines {
		p.Has.Certificate = p.Has.Certificate || m.Bound != ""
	}
	if e := d.Explorer; e.Queries < e.Of {
		p.Queries = fmt.Sprintf("The first %d of %d queries are shown; arrays/ has all.", e.Queries, e.Of)
	}
	if !r.config.Decompose.Layers {
		p.Commands = append(p.Commands, "decompose.layers=true")
	}
	if r.config.Decompose.Windows == 0 && r.config.Decompose.Epochs == 0 {
		p.Commands = append(p.Commands, "decompose.windows=10")
	}
	return p
}

// facts returns what one wants to know of a run at a glance.
func (r *reportSource) facts() []fact {
	s, m := r.summary, r.manifest
	samples := fmt.Sprintf("%s training, %s queries", thousands(s.Samples.Train), thousands(s.Samples.Query))
	facts := []fact{{"data", r.config.Data.Source}, {"samples", samples}, {"weights", thousands(s.Parameters)}, {"outputs", thousands(s.Outputs)},
		{"steps", thousands(s.Steps)}, {"seed", strconv.FormatInt(m.Seed, 10)}, {"precision", r.config.Precision}, {"begun", m.Started.Format("2006-01-02 15:04 UTC")}}
	if m.Stopped != "" {
		facts = append(facts, fact{"stopped early", m.Stopped})
	}
	return append(facts, fact{"pkm", shortVersion(m.PkmVersion)})
}

// shortVersion leaves of a version without a release, v0.0.0-TIME-COMMIT, the commit.
func shortVersion(v string) string {
	name, commit, _ := strings.Cut(v, " ")
	if parts := strings.Split(name, "-"); len(parts) == 3 {
		return parts[2]
	}
	return strings.TrimSpace(name + " " + commit[:min(12, len(commit))])
}

// thousands writes a whole number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// tiles returns the figures that stand out: those of the network, and of its best machine.
func (r *reportSource) tiles() []tile {
	n := r.summary.Network
	var tiles []tile
	for _, m := range r.summary.Machines {
		if m.Figures.Target == "" {
			tiles = append(tiles, tile{shown(m.Figures.RelativeError), "relative error", "of the machine " + m.Name})
			break
		}
	}
	if isFinite(n.QueryAccuracy) {
		tiles = append(tiles, tile{accuracy(n.QueryAccuracy), "query accuracy", "of the network"})
	}
	tiles = append(tiles, tile{shown(n.TrainLoss), "training loss", "after the last step"}, tile{shown(n.QueryLoss), "query loss", "on samples held out"})
	return tiles
}

// shown is number with the signs of print.
func shown(f Figure) string {
	text := number(f)
	if text == "-" {
		return "–"
	}
	mantissa, exponent, ok := strings.Cut(text, "e")
	if ok {
		n, _ := strconv.Atoi(exponent) // that strconv wrote
		mantissa += "e" + strconv.Itoa(n)
	}
	return strings.ReplaceAll(mantissa, "-", "−")
}

// accuracy writes the share of correct classes.
func accuracy(f Figure) string { return fmt.Sprintf("%.3g %%", 100*float64(f)) }

// machineTable compares machines and baselines with the network.
func (r *reportSource) machineTable() table {
	t := table{Head: []string{"machine", "family / rule", "largest error", "RMS error", "relative error", "certificate", "argmax agreement", "query accuracy"}}
	for i, m := range r.summary.Machines {
		f := m.Figures
		rule, certificate := "", "–"
		if i < len(r.config.Machines) {
			rule = r.config.Machines[i].Family + " / " + r.config.Machines[i].Rule
		}
		if f.Target != "" {
			rule += ", of the " + f.Target
		}
		if f.Certificate != nil {
			certificate = shown(f.Certificate.AccumulatedResidual)
		}
		t.Rows = append(t.Rows, []string{m.Name, rule, shown(f.MaxAbsError), shown(f.RMSE), shown(f.RelativeError), certificate,
			shown(f.ArgmaxAgreement), shown(f.QueryAccuracy)})
	}
	for _, m := range r.summary.Baselines {
		f := m.Figures
		t.Rows = append(t.Rows, []string{m.Name, "baseline", shown(f.MaxAbsError), shown(f.RMSE), shown(f.RelativeError), "–",
			shown(f.ArgmaxAgreement), shown(f.QueryAccuracy)})
	}
	return t
}

// boundTable shows the bound of the generalisation gap.
func boundTable(g *Generalization) *table {
	t := &table{Head: []string{"", "value"}, Rows: [][]string{
		{"measured gap, query loss − training loss", shown(g.MeasuredGap)},
		{"bound", shown(g.Bound)},
		{"complexity, (B/N)·√trace", shown(g.Complexity)},
		{"B = √∫‖∇L‖²dτ", shown(g.Norm)},
		{"trace, Σ K_T(z, z) over training samples", shown(g.Trace)},
	}}
	if g.Deviation != nil {
		t.Rows = append(t.Rows, []string{"deviation of one training set", shown(*g.Deviation)})
	}
	return t
}

// mostTableRows bounds the tables behind curves.
const mostTableRows = 40

// thin returns which of n rows a table shows, the first and the last among them.
func thin(n int) []int {
	if n <= mostTableRows {
		mostly := make([]int, n)
		for i := range mostly {
			mostly[i] = i
		}
		return mostly
	}
	var rows []int
	for i := range mostTableRows {
		rows = append(rows, i*(n-1)/(mostTableRows-1))
	}
	return rows
}

// trainingTable is the table behind the curves of training.
func trainingTable(c curves) table {
	t := table{Head: []string{"step", "loss"}}
	if c.Accuracy != nil {
		t.Head = append(t.Head, "accuracy")
	}
	if c.Residual != nil {
		t.Head = append(t.Head, "step residual")
	}
	t.Head = append(t.Head, "learning rate")
	for _, i := range thin(len(c.Step)) {
		row := []string{strconv.Itoa(c.Step[i]), shown(c.Loss[i])}
		if c.Accuracy != nil {
			row = append(row, shown(c.Accuracy[i]))
		}
		if c.Residual != nil {
			row = append(row, shown(c.Residual[i]))
		}
		t.Rows = append(t.Rows, append(row, shown(c.Rate[i])))
	}
	return t
}

// spectrumTable is the table behind the curves of the tangent kernel.
func spectrumTable(lines []KernelAnalysis) *table {
	t := &table{Head: []string{"step", "largest eigenvalue", "effective rank", "alignment", "centred alignment", "distance from the first"}}
	for _, i := range thin(len(lines)) {
		l, first := lines[i], "–"
		if len(l.Eigenvalues) > 0 {
			first = shown(l.Eigenvalues[0])
		}
		t.Rows = append(t.Rows, []string{strconv.Itoa(l.Step), first, shown(l.EffectiveRank), shown(l.Alignment), shown(l.CenteredAlignment), shown(l.DistanceFromInitial)})
	}
	return t
}

// table is the table behind the heat map, nil of many classes or none.
func (h *heatMap) table(classes []string) *table {
	if len(h.means) == 0 || len(classes) > mostKeptGroups {
		return nil
	}
	t := &table{Head: append([]string{"queries of"}, classes...)}
	for k, means := range h.means {
		row := []string{classes[k]}
		for _, v := range means {
			row = append(row, shown(Figure(v)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
