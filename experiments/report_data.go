package experiments

import (
	"math"
	"slices"
)

// mostPoints bounds the points of a scatter plot, and the steps of a curve.
const mostPoints = 12000

// reportData is what the scripts of the page read.
type reportData struct {
	Name      string        `json:"name"`
	Classes   []string      `json:"classes"`
	Training  curves        `json:"training"`
	Agreement agreementData `json:"agreement"`
	Heat      *heatMap      `json:"heat"`
	Spectrum  *spectrumData `json:"spectrum"`
	Explorer  *explorer     `json:"explorer"`
}

// curves are those of training over steps; what a run does not have is nil.
type curves struct {
	Step     []int    `json:"step"`
	Loss     []Figure `json:"loss"`
	Accuracy []Figure `json:"accuracy"`
	Residual []Figure `json:"residual"`
	Rate     []Figure `json:"rate"`
}

// agreementData is outputs of the network, ascending, and what the machines of its outputs say of them.
type agreementData struct {
	Output   string             `json:"output"` // packed
	Of       int                `json:"of"`     // outputs, of which some are shown
	Machines []machineAgreement `json:"machines"`
}

// machineAgreement is of one machine.
type machineAgreement struct {
	Name       string `json:"name"`
	Prediction string `json:"prediction"` // packed, in the order of Output
	Error      string `json:"error"`      // |ŷ − f|
	// Of the queries of a machine with a certificate: what its steps missed, ascending, and the largest error.
	Bound  string `json:"bound,omitempty"`
	Missed string `json:"missed,omitempty"`
}

// spectrumData is the analysis of the tangent kernel over training.
type spectrumData struct {
	Step        []int      `json:"step"`
	Eigenvalues [][]Figure `json:"eigenvalues"` // the largest few, each over steps
	First       []Figure   `json:"first"`       // all at the first step
	Last        []Figure   `json:"last"`        // and at the last
	Rank        []Figure   `json:"rank"`
	Alignment   []Figure   `json:"alignment"`
	Centered    []Figure   `json:"centered"`
	Distance    []Figure   `json:"distance"`
}

// newReportData reads what the page shows.
func newReportData(r *reportSource) (*reportData, error) {
	d := &reportData{Name: r.manifest.Name, Classes: r.classes, Training: r.curves(), Spectrum: r.spectrum()}
	var err error
	if d.Agreement, err = r.agreement(); err != nil {
		return nil, err
	}
	if d.Heat, err = newHeatMap(r); err != nil {
		return nil, err
	}
	d.Explorer, err = newExplorer(r)
	return d, err
}

// curves returns those of training, thinned.
func (r *reportSource) curves() (c curves) {
	every := 1 + len(r.steps)/2000
	for i, s := range r.steps {
		if i%every != 0 && i != len(r.steps)-1 {
			continue
		}
		c.Step = append(c.Step, s.Step)
		c.Loss, c.Accuracy = append(c.Loss, s.Loss), append(c.Accuracy, s.Accuracy)
		c.Residual, c.Rate = append(c.Residual, s.StepResidual), append(c.Rate, s.LearningRate)
	}
	for _, curve := range []*[]Figure{&c.Accuracy, &c.Residual} {
		if !slices.ContainsFunc(*curve, isFinite) {
			*curve = nil
		}
	}
	return c
}

func isFinite(f Figure) bool { return !math.IsNaN(float64(f - f)) }

// agreement returns the outputs and what machines say of them.
func (r *reportSource) agreement() (agreementData, error) {
	order := make([]int, len(r.final))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := r.final[a], r.final[b]; {
		case x < y || math.IsNaN(x) && !math.IsNaN(y):
			return -1
		case x > y || math.IsNaN(y) && !math.IsNaN(x):
			return 1
		}
		return 0
	})
	if every := (len(order) + mostPoints - 1) / mostPoints; every > 1 {
		kept := order[:0]
		for i := 0; i < len(order); i += every {
			kept = append(kept, order[i])
		}
		order = kept
	}
	a := agreementData{Output: pack(picked(r.final, order)), Of: len(r.final), Machines: []machineAgreement{}}
	for _, m := range r.machines {
		if m.target != "" {
			continue
		}
		errors := make([]float64, len(m.residual))
		for k, e := range m.residual {
			errors[k] = math.Abs(e)
		}
		entry := machineAgreement{Name: m.name, Prediction: pack(picked(m.predictions, order)), Error: pack(picked(errors, order))}
		bounds, missed, err := r.certificate(m, errors)
		if err != nil {
			return a, err
		}
		if bounds != nil {
			entry.Bound, entry.Missed = pack(bounds), pack(missed)
		}
		a.Machines = append(a.Machines, entry)
	}
	return a, nil
}

// picked returns values in an order.
func picked(values []float64, order []int) []float64 {
	out := make([]float64, len(order))
	for i, k := range order {
		out[i] = values[k]
	}
	return out
}

// certificate returns, for every query, what the steps of a machine missed (ascending) and the largest error of its
// outputs; nil for a machine without a certificate.
func (r *reportSource) certificate(m reportMachine, errors []float64) (bounds, missed []float64, err error) {
	const name = "/step_residual_sum"
	if has, err := r.shape(m.name + name); has == nil || err != nil {
		return nil, nil, err
	}
	M, C := r.summary.Samples.Query, r.summary.Outputs
	sums, err := r.array(m.name+name, M)
	if err != nil {
		return nil, nil, err
	}
	order := byClass(M, nil, sums)
	for _, q := range order[:min(M, mostPoints)] {
		bounds, missed = append(bounds, sums[q]), append(missed, slices.Max(errors[q*C:(q+1)*C]))
	}
	return bounds, missed, nil
}

// spectrum returns the analysis of the run, nil where there is none.
func (r *reportSource) spectrum() *spectrumData {
	if len(r.analysis) == 0 {
		return nil
	}
	const most = 6
	s := &spectrumData{First: r.analysis[0].Eigenvalues, Last: r.analysis[len(r.analysis)-1].Eigenvalues}
	count := min(most, len(s.First))
	s.Eigenvalues = make([][]Figure, count)
	every := 1 + len(r.analysis)/1000
	for i, line := range r.analysis {
		if i%every != 0 && i != len(r.analysis)-1 {
			continue
		}
		s.Step = append(s.Step, line.Step)
		s.Rank, s.Alignment = append(s.Rank, line.EffectiveRank), append(s.Alignment, line.Alignment)
		s.Centered, s.Distance = append(s.Centered, line.CenteredAlignment), append(s.Distance, line.DistanceFromInitial)
		for k := range count {
			v := Figure(math.NaN())
			if k < len(line.Eigenvalues) {
				v = line.Eigenvalues[k]
			}
			s.Eigenvalues[k] = append(s.Eigenvalues[k], v)
		}
	}
	return s
}
