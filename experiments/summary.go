package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const summaryName = "summary.json"

// Summary is summary.json: the figures that runs are compared by.
type Summary struct {
	Samples    SampleCounts     `json:"samples"`
	Outputs    int              `json:"outputs"`    // C
	Parameters int              `json:"parameters"` // P
	Steps      int              `json:"steps"`      // S
	Network    NetworkFigures   `json:"network"`
	Machines   MachineSummaries `json:"machines"`
	Baselines  MachineSummaries `json:"baselines,omitempty"` // by kind
	// Generalization is nil where the configuration asks for no bound.
	Generalization *Generalization `json:"generalization,omitempty"`
	Layers         []string        `json:"layers,omitempty"` // L: of contributions_by_layer, in the names of the weights
}

// SampleCounts are the numbers of training samples, N, and of query samples, M.
type SampleCounts struct {
	Train int `json:"train"`
	Query int `json:"query"`
}

// NetworkFigures are those of the trained network itself.
type NetworkFigures struct {
	TrainLoss     Figure `json:"train_loss"`
	QueryLoss     Figure `json:"query_loss"`
	QueryAccuracy Figure `json:"query_accuracy"` // NaN without classes
}

// MachineFigures compare a kernel machine's predictions ŷ with the trained
// network's outputs f(w_S), over all queries and outputs.
type MachineFigures struct {
	MaxAbsError     Figure        `json:"max_abs_error"`         // max|ŷ − f(w_S)|
	RMSE            Figure        `json:"rmse"`                  // √mean (ŷ − f(w_S))²
	RelativeError   Figure        `json:"relative_error"`        // max|ŷ − f(w_S)| / max|f(w_S) − f(w_0)|
	ArgmaxAgreement Figure        `json:"argmax_agreement"`      // share of queries given the same class by both
	QueryAccuracy   Figure        `json:"query_accuracy"`        // share of queries that ŷ classifies correctly
	Certificate     *Certificate  `json:"certificate,omitempty"` // of a machine that integrates within steps
	Conditioning    *Conditioning `json:"conditioning,omitempty"`
	Target          string        `json:"target,omitempty"` // that the figures are of, where it is not the outputs
	Fault           string        `json:"fault,omitempty"`  // why a baseline has no predictions
}

// Certificate says how exact an account is, and what that took: what the quadrature missed
// of the outputs' change in every step, which is known without it.
type Certificate struct {
	Tolerance           *Figure `json:"tolerance,omitempty"`  // of the run, of an adaptive machine
	LargestResidual     Figure  `json:"largest_residual"`     // of any step, query and output
	AccumulatedResidual Figure  `json:"accumulated_residual"` // the largest sum over steps of any query
	WorstStep           int     `json:"worst_step"`           // of the largest residual, −1: none
	WorstQuery          int     `json:"worst_query"`
	Nodes               int     `json:"nodes"`      // Jacobians of single queries that were evaluated
	Refined             int     `json:"refined"`    // quadratures of a query's step that were refined
	Shortfalls          int     `json:"shortfalls"` // of these, that ran out of nodes above the tolerance
}

// Conditioning says how far the coefficients a = −∫Kℓ′dτ / ∫K dτ can be
// trusted: they mean little where the path kernel nearly vanishes.
type Conditioning struct {
	Threshold         Figure `json:"threshold"`          // of |∫K dτ|
	SmallKernels      int    `json:"small_kernels"`      // path kernels below the threshold
	LargeCoefficients *int   `json:"large_coefficients"` // coefficients beyond any loss derivative on the path; null without coefficients
	MaxAbsCoefficient Figure `json:"max_abs_coefficient"`
}

// MachineSummary is a named machine's figures.
type MachineSummary struct {
	Name    string
	Figures MachineFigures
}

// MachineSummaries are the figures of a run's machines in the order of the
// configuration. In JSON they are one object, by name, in the same order.
type MachineSummaries []MachineSummary

// MarshalJSON implements json.Marshaler. Two machines of one name are an error.
func (ms MachineSummaries) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	seen := map[string]bool{}
	b.WriteByte('{')
	for i, m := range ms {
		if seen[m.Name] {
			return nil, fmt.Errorf("two machines are called %q", m.Name)
		}
		seen[m.Name] = true
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		figures, err := json.Marshal(m.Figures)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(figures)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (ms *MachineSummaries) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("machines must be an object, by name, found %.40s", b)
	}
	*ms = MachineSummaries{}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		m := MachineSummary{Name: t.(string)} // a key of an object is always a string
		if seen[m.Name] {
			return fmt.Errorf("two machines are called %q", m.Name)
		}
		seen[m.Name] = true
		if err := d.Decode(&m.Figures); err != nil {
			return fmt.Errorf("machine %q: %w", m.Name, err)
		}
		*ms = append(*ms, m)
	}
	return nil
}

// Get returns the figures of the machine called name, and whether there is one.
func (ms MachineSummaries) Get(name string) (MachineFigures, bool) {
	for _, m := range ms {
		if m.Name == name {
			return m.Figures, true
		}
	}
	return MachineFigures{}, false
}
