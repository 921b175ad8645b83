package experiments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pkm/internal/compute"
	"pkm/internal/npy"
)

// gonumEngine is the Engine of ExplainOptions in tests, which all run with gonum.
func gonumEngine(string) (compute.Engine, error) { return compute.Open("gonum") }

func explained(t *testing.T, run string, o ExplainOptions) *Explanation {
	t.Helper()
	if o.Engine == nil {
		o.Engine = gonumEngine
	}
	all, err := Explain(context.Background(), run, 0, o)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// byIndex returns the contributions (N) of an explanation that lists all training samples.
func byIndex(e *Explanation) []float64 {
	q := make([]float64, e.Sum.Samples)
	for _, p := range slices.Concat(e.For, e.Against) {
		q[p.Index] = float64(p.Contribution)
	}
	return q
}

// differ reports the largest difference, relative to 1 or the largest of a where that is more.
func differ(a, b []float64) float64 {
	d, scale := 0.0, 1.0
	for i := range a {
		d, scale = max(d, math.Abs(a[i]-b[i])), max(scale, math.Abs(a[i]))
	}
	return d / scale
}

// linearRun is two steps of f(x) = w·x from w = 0 with η = 1/2 on four rows; every number is a multiple of 2⁻⁸.
func linearRun(t *testing.T, overrides ...string) string {
	t.Helper()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	train, query := write("train.csv", "width,height,price\n1,0,2\n0,1,-1\n1,1,1\n2,-1,0\n"), write("query.csv", "width,height,price\n1,2,3\n")
	return mustExecute(t, `
name: linear
data: {source: csv, path: `+train+`, task: regression, train: 4, query: 1, held_out: {path: `+query+`}}
network: {hidden: [], bias: false, init: {scheme: zeros}}
loss: {kind: squared-error}
training: {steps: 2, optimizer: {learning_rate: 0.5}}
machines: [{name: exact, family: exact, rule: left}]
decompose: {layers: true, windows: 2}
`, overrides...).Path
}

// Q_i = (η/N) Σ_s (y_i − w_s·x_i)(x_i·x) by hand, for x = (1, 2):
// w_0 = 0, so that step 0 gives y_i·(x_i·x)/8: 2·1/8, −1·2/8, 1·3/8, 0, and w_1 = Σ y_i x_i/8 = (3, 0)/8;
// step 1 gives (2−3/8)·1/8, −1·2/8, (1−3/8)·3/8, (0−6/8)·0.
func TestExplainLinear(t *testing.T) {
	e := explained(t, linearRun(t), ExplainOptions{})
	want := map[int64][2]float64{0: {2. / 8, 13. / 64}, 1: {-2. / 8, -2. / 8}, 2: {3. / 8, 15. / 64}, 3: {0, 0}}
	found := 0
	for _, p := range slices.Concat(e.For, e.Against) {
		found++
		w := want[p.DataIndex]
		if float64(p.Contribution) != w[0]+w[1] || float64(p.ByWindow[0]) != w[0] || float64(p.ByWindow[1]) != w[1] || p.ByLayer[0] != p.Contribution {
			t.Errorf("row %d: %+v, want %g and %g", p.DataIndex, p, w[0], w[1])
		}
		if total := 29./64 + 39./64 + 32./64; math.Abs(float64(p.Share)-math.Abs(w[0]+w[1])/total) > 1e-15 { // one rounding
			t.Errorf("row %d: share %g", p.DataIndex, p.Share)
		}
	}
	if found != 3 || e.Neutral != 1 || e.For[0].DataIndex != 2 || e.Against[0].DataIndex != 1 {
		t.Errorf("found %d, neutral %d, first %+v", found, e.Neutral, e.For[0])
	}
	if s := e.Sum; s.Initial != 0 || s.Contributions != 36./64 || s.Machine != 36./64 || s.Network != 36./64 || s.Residual != 0 {
		t.Errorf("sum %+v", s)
	}
	if !slices.Equal(e.features, []string{"width", "height"}) {
		t.Errorf("features %v", e.features)
	}
}

// The JSON of the linear run, whose numbers are exact on every platform.
func TestExplainGolden(t *testing.T) {
	run := linearRun(t)
	e := explained(t, run, ExplainOptions{})
	e.Run = "runs/linear"
	for name, write := range map[string]func(*bytes.Buffer) error{
		"explain.json": func(b *bytes.Buffer) error { return WriteExplanationsJSON(b, []*Explanation{e}) },
		"explain.csv":  func(b *bytes.Buffer) error { return WriteExplanationsCSV(b, []*Explanation{e}) },
		"explain.txt":  func(b *bytes.Buffer) error { return e.WriteText(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s is\n%s", name, b.Bytes())
		}
	}
}

// explainCases are runs of every kind of account.
var explainCases = map[string][]string{
	"descent":            nil,
	"standardised":       {"data.standardize=true"},
	"batches":            {"training.batch_size=12"},
	"momentum and decay": {"training.optimizer.momentum=0.9", "training.optimizer.weight_decay=0.01", "machines=[{name: exact, family: exact, rule: gauss-3}]"},
	"adam, adaptive":     {"training.optimizer.kind=adam", "training.optimizer.learning_rate=0.01", "network.activation=relu", "machines=[{name: exact, family: exact, rule: adaptive}]"},
	"domingos":           {"machines=[{name: exact, family: flow, rule: trapezoid}]"},
	"gradient flow":      {"~training.optimizer.learning_rate", "training.steps=20", "training.optimizer.kind=flow", "training.optimizer.time=0.5", "machines=[{name: exact, family: flow, rule: trapezoid}]"},
	"stopped early":      {"training.stop.loss=2.2", "training.steps=50"},
	"in single":          {"precision=float32"},
}

// A query of the run that is given as a file is accounted for as it was stored: 1e-10 in double
// precision (products of other sizes round otherwise), and of the rounding of float32 in single. Windows are differences of sums, and
// carry the rounding of these.
func TestReplayIsStored(t *testing.T) {
	long(t)
	digits, err := LoadDigits()
	if err != nil {
		t.Fatal(err)
	}
	for name, overrides := range explainCases {
		t.Run(name, func(t *testing.T) {
			tolerance := 1e-10
			if name == "in single" {
				tolerance = 1e-4
			}
			run := mustExecute(t, small, append(overrides, "decompose.layers=true", "decompose.windows=3")...).Path
			stored := explained(t, run, ExplainOptions{Query: 2, Machine: "exact", Class: "4"})
			row := int(*stored.Sample.DataIndex)
			input := filepath.Join(t.TempDir(), "sample.npy")
			writeNPY(t, input, []int{8, 8}, digits.Inputs[row*64:(row+1)*64])
			for which, o := range map[string]ExplainOptions{"file": {Input: input}, "query": {Query: 2, Replay: true}} {
				o.Machine, o.Class = "exact", "4"
				e := explained(t, run, o)
				if e.Machine.Source != "replayed" || stored.Machine.Source != "stored" {
					t.Errorf("%s: sources %q and %q", which, e.Machine.Source, stored.Machine.Source)
				}
				if d := differ(byIndex(stored), byIndex(e)); !(d <= tolerance) {
					t.Errorf("%s: contributions differ by %.2g", which, d)
				}
				a, b := stored.Sum, e.Sum
				sums := func(s ExplainSum) []float64 {
					return []float64{float64(s.Initial), float64(s.Contributions), float64(s.Regularization), float64(s.Network), float64(s.Residual)}
				}
				if d := differ(sums(a), sums(b)); !(d <= tolerance) {
					t.Errorf("%s: %+v, stored %+v", which, b, a)
				}
				for side, parts := range map[string][2][]Share{"layer": {stored.ByLayer, e.ByLayer}, "window": {stored.ByWindow, e.ByWindow}} {
					// Windows that a run has not come to are left out.
					if n := len(parts[0]); n != len(parts[1]) || n == 0 || side == "layer" && n != 3 {
						t.Fatalf("%s: by %s %d and %d parts", which, side, len(parts[0]), len(parts[1]))
					}
					for i, p := range parts[0] {
						if o := parts[1][i]; p.Name != o.Name || !(math.Abs(float64(p.Contribution-o.Contribution)) <= tolerance) || !(math.Abs(float64(p.Regularization-o.Regularization)) <= tolerance) {
							t.Errorf("%s: by %s: %+v, stored %+v", which, side, o, p)
						}
					}
				}
			}
		})
	}
}

func writeNPY(t *testing.T, path string, shape []int, data []float64) {
	t.Helper()
	var b bytes.Buffer
	if err := npy.Write(&b, shape, data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A run that has lost its trajectory makes it again, and ends in the same account.
func TestReplayWithoutTrajectory(t *testing.T) {
	run := mustExecute(t, small, explainCases["momentum and decay"]...).Path
	stored := explained(t, run, ExplainOptions{Query: 1})
	if err := os.RemoveAll(filepath.Join(run, "trajectory")); err != nil {
		t.Fatal(err)
	}
	if d := differ(byIndex(stored), byIndex(explained(t, run, ExplainOptions{Query: 1, Replay: true}))); !(d <= 1e-10) {
		t.Errorf("contributions differ by %.2g", d)
	}
}

// Every part sums to the whole, and the whole to the network's value, for every target.
func TestExplainCloses(t *testing.T) {
	run := mustExecute(t, small, "machines=[{name: exact, family: exact, rule: gauss-3}, {name: loss, family: exact, rule: gauss-3, target: loss}]", "decompose={layers: true, windows: 2, classes: true}").Path
	for _, o := range []ExplainOptions{{Query: 0}, {Query: 1, Target: "margin"}, {Query: 2, Target: "loss"}, {Query: 3, Target: "log-probability", Class: "7"}, {Query: 3, Input: "", Machine: "loss"}} {
		o.Engine = gonumEngine
		all, err := Explain(context.Background(), run, 4, o)
		if err != nil {
			t.Fatal(err)
		}
		e := all[0]
		s := e.Sum
		if r := math.Abs(float64(s.Residual)); !(r <= 1e-9) || s.Machine != s.Initial+s.Contributions+s.Regularization || s.Residual != s.Network-s.Machine {
			t.Errorf("%+v: %+v", o, s)
		}
		total, share := e.OthersFor.Contribution+e.OthersAgainst.Contribution, e.OthersFor.Share+e.OthersAgainst.Share
		for _, p := range slices.Concat(e.For, e.Against) {
			total, share = total+p.Contribution, share+p.Share
			var layers Figure
			for _, q := range p.ByLayer {
				layers += q
			}
			if !(math.Abs(float64(layers-p.Contribution)) <= 1e-12) {
				t.Errorf("%+v: layers of sample %d sum to %g, not %g", o, p.Index, layers, p.Contribution)
			}
		}
		if len(e.For) != 4 || len(e.Against) != 4 || 8+e.OthersFor.Count+e.OthersAgainst.Count+e.Neutral != 40 || !(math.Abs(float64(total-s.Contributions)) <= 1e-12) || !(math.Abs(float64(share-1)) <= 1e-12) {
			t.Errorf("%+v: listed and others sum to %g, shares to %g", o, total, share)
		}
		for name, parts := range map[string][]Share{"class": e.ByClass, "layer": e.ByLayer, "window": e.ByWindow} {
			var sum, share Figure
			for _, p := range parts {
				sum, share = sum+p.Contribution, share+p.Share
				if !(math.Abs(float64(p.For+p.Against-p.Contribution)) <= 1e-12) {
					t.Errorf("%+v: %s: %+v", o, name, p)
				}
			}
			if !(math.Abs(float64(sum-s.Contributions)) <= 1e-12) || !(math.Abs(float64(share-1)) <= 1e-12) {
				t.Errorf("%+v: by %s %g, of %g; shares %g", o, name, sum, s.Contributions, share)
			}
		}
	}
}

// Loss and log-probability are those of the outputs at both ends, replayed or stored, and the loss is minus
// the log-probability of the label; the margin is the difference of two outputs, sample by sample.
func TestExplainTargets(t *testing.T) {
	run := mustExecute(t, small, "machines=[{name: exact, family: exact, rule: gauss-3}, {name: loss, family: exact, rule: gauss-3, target: loss}]").Path
	stored := explained(t, run, ExplainOptions{Query: 5, Target: "loss"})
	again := explained(t, run, ExplainOptions{Query: 5, Target: "loss", Machine: "exact"})
	log := explained(t, run, ExplainOptions{Query: 5, Target: "log-probability", Class: stored.Sample.Label})
	if stored.Machine.Source != "stored" || stored.Machine.Name != "loss" || again.Machine.Source != "replayed" || log.Machine.Source != "replayed" {
		t.Errorf("sources %+v, %+v, %+v", stored.Machine, again.Machine, log.Machine)
	}
	minus := byIndex(log)
	for i := range minus {
		minus[i] = -minus[i]
	}
	for which, q := range map[string][]float64{"replayed": byIndex(again), "log-probability": minus} {
		if d := differ(byIndex(stored), q); !(d <= 1e-10) { // the same quantity
			t.Errorf("%s: differs from the stored loss by %.2g", which, d)
		}
	}
	for _, end := range []struct {
		f    []Figure
		loss Figure
		log  Figure
	}{{stored.Sample.OutputsInitial, stored.Sum.Initial, log.Sum.Initial}, {stored.Sample.OutputsFinal, stored.Sum.Network, log.Sum.Network}} {
		var z float64
		for _, f := range end.f {
			z += math.Exp(float64(f))
		}
		var label int
		fmt.Sscan(stored.Sample.Label, &label)
		want := math.Log(z) - float64(end.f[label])
		if !(math.Abs(float64(end.loss)-want) <= 1e-12) || !(math.Abs(float64(end.log)+want) <= 1e-12) {
			t.Errorf("loss %g, log-probability %g, want ±%g", end.loss, end.log, want)
		}
	}
	a, b := explained(t, run, ExplainOptions{Query: 5, Class: "8"}), explained(t, run, ExplainOptions{Query: 5, Class: "1"})
	margin := explained(t, run, ExplainOptions{Query: 5, Class: "8", Against: "1"})
	difference := byIndex(a)
	for i, q := range byIndex(b) {
		difference[i] -= q
	}
	if margin.Target.Kind != "margin" || margin.Machine.Source != "stored" || !slices.Equal(difference, byIndex(margin)) || margin.Sum.Network != a.Sum.Network-b.Sum.Network {
		t.Errorf("margin %+v", margin.Target)
	}
	best := explained(t, run, ExplainOptions{Query: 5})
	second := explained(t, run, ExplainOptions{Query: 5, Target: "margin"})
	for c, f := range best.Sample.OutputsFinal {
		if f > best.Sum.Network || fmt.Sprint(c) != best.Target.Class && best.Sum.Network-f < second.Sum.Network {
			t.Errorf("class %d of output %g: the best is %g, the margin %g", c, f, best.Sum.Network, second.Sum.Network)
		}
	}
}

// The only output of the logistic loss is the logit of the second class: minus it speaks for the first.
func TestExplainLogit(t *testing.T) {
	run := mustExecute(t, small, "data.classes=[3, 8]", "loss.kind=logistic").Path
	one, zero := explained(t, run, ExplainOptions{Class: "8"}), explained(t, run, ExplainOptions{Class: "3"})
	margin := explained(t, run, ExplainOptions{Class: "3", Against: "8"})
	if one.Sum.Network != -zero.Sum.Network || one.For[0].Index != zero.Against[0].Index || one.For[0].Contribution != -zero.Against[0].Contribution || margin.Sum != zero.Sum {
		t.Errorf("%+v and %+v", one.Sum, zero.Sum)
	}
	predicted := explained(t, run, ExplainOptions{})
	if predicted.Sum.Network < 0 || predicted.Target.Class != predicted.Sample.Predicted {
		t.Errorf("predicted %+v, explained %+v", predicted.Sample.Predicted, predicted.Target)
	}
}

// What is wrong is said, and what to do about it.
func TestExplainFaults(t *testing.T) {
	run := mustExecute(t, small).Path
	bare := mustExecute(t, small, "machines=[]", "path_kernel=none").Path
	coloured := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(coloured, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short.npy")
	writeNPY(t, short, []int{2, 63}, make([]float64, 126))
	plain := filepath.Join(t.TempDir(), "plain.npy")
	writeNPY(t, plain, []int{64}, make([]float64, 64))
	diverged, _, err := tryExecute(t, small, "training.optimizer.learning_rate=1e6", "training.steps=50", "network.activation=relu")
	if err == nil {
		t.Fatal("the run did not diverge")
	}
	gone := mustExecute(t, small).Path
	if err := os.Remove(filepath.Join(gone, "arrays", "exact", "contributions.npy")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		run  string
		o    ExplainOptions
		want string
	}{
		{run, ExplainOptions{Query: 7}, "no query 7, but 7 queries; choose one from 0 to 6"},
		{run, ExplainOptions{Query: -1}, "no query -1"},
		{run, ExplainOptions{Machine: "exakt"}, `no machine "exakt", but exact, trapezoid, flow; name one of them`},
		{run, ExplainOptions{Class: "12"}, "--class 12: the run has the classes 0, 1, 2"},
		{run, ExplainOptions{Class: "3", Against: "3"}, "both 3; name two"},
		{run, ExplainOptions{Target: "gradient"}, `no target "gradient"; --target is output`},
		{run, ExplainOptions{Target: "loss", Class: "3"}, "the loss of a sample is no value of a class"},
		{run, ExplainOptions{Target: "loss", Input: plain}, "has no label, without which it has no loss; name its class"},
		{run, ExplainOptions{Input: plain, Label: "12"}, "the label 12: the run has the classes"},
		{run, ExplainOptions{Label: "1"}, "--label is for samples of --input"},
		{run, ExplainOptions{Input: coloured}, `a file that ends in ".txt"`},
		{run, ExplainOptions{Input: short}, "found an array of shape [2 63], samples of 64 inputs are due"},
		{run, ExplainOptions{Input: "nowhere.npy"}, "no such file"},
		{bare, ExplainOptions{}, "has no machine, so nothing of it is accounted for; run it again with +machines="},
		{diverged, ExplainOptions{}, "the run is diverged, not completed"},
		{t.TempDir(), ExplainOptions{}, "this is not a run directory"},
		{gone, ExplainOptions{}, "arrays/exact/contributions.npy is missing"},
	} {
		c.o.Engine = gonumEngine
		_, err := Explain(context.Background(), c.run, 10, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "explain run ") {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// A replay is stopped by its context, and tells how far it is.
func TestReplayStops(t *testing.T) {
	run := mustExecute(t, small).Path
	ctx, cancel := context.WithCancelCause(context.Background())
	cause, told := errors.New("enough"), 0
	_, err := Explain(ctx, run, 10, ExplainOptions{Query: 0, Replay: true, Engine: gonumEngine, Progress: func(p Progress) {
		if told++; p.Step == 2 {
			cancel(cause)
		}
	}})
	if !errors.Is(err, cause) || told != 2 {
		t.Errorf("%v after %d steps", err, told)
	}
}
