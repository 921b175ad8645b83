package experiments

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/plot/plotter"
)

// The account of the mean loss follows the network's at every bound, and is drawn; with momentum there is none. Fails if
// a window is added a bound early or late.
func TestLossAccount(t *testing.T) {
	long(t)
	for momentum, want := range map[string]int{"0": 1, "0.9": 0} {
		r := mustExecute(t, small, "figures=true", "training.steps=9", "training.optimizer.momentum="+momentum, "decompose.windows=4",
			"machines=[{name: loss, family: exact, rule: gauss-4, target: loss}, {name: outputs, family: exact, rule: left}]")
		root, err := os.OpenRoot(r.Path)
		must(t, err)
		defer root.Close()
		config, err := r.Config()
		must(t, err)
		source, err := openReportSource(root, config, r.Manifest, r.Summary)
		must(t, err)
		accounts, err := source.lossAccounts()
		must(t, err)
		if len(accounts) != want {
			t.Fatalf("momentum %s: %d accounts, want %d", momentum, len(accounts), want)
		}
		_, missing := os.Stat(filepath.Join(r.Path, "figures", "loss-account.svg"))
		if drawn := missing == nil; drawn != (want > 0) {
			t.Errorf("momentum %s: the account is drawn: %v", momentum, drawn)
		}
		for _, a := range accounts {
			if n := len(a.network); n != 5 || a.network[n-1].X != 9 || math.Abs(a.network[n-1].Y-float64(r.Summary.Network.QueryLoss)) > 1e-12 {
				t.Errorf("the network's losses %v, want five that end at %g", a.network, r.Summary.Network.QueryLoss)
			}
			for i, p := range a.account {
				if p.X != a.network[i].X || math.Abs(p.Y-a.network[i].Y) > 1e-9 { // the quadrature's error, some 1e-12
					t.Errorf("the account at bound %d is %v, the network %v", i, p, a.network[i])
				}
			}
		}
	}
}

// An account without any error is drawn without the panel of errors.
func TestAccountWithoutError(t *testing.T) {
	line := plotter.XYs{{X: 0, Y: 1}, {X: 1, Y: 0.5}}
	panels, err := accountPanels([]lossAccount{{"exact", line, line}})
	if err != nil || len(panels) != 1 {
		t.Errorf("%d panels, %v", len(panels), err)
	}
}
