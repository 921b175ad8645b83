package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"

	"pkm/internal/compute"
)

// ExplainOptions say what of a run is explained. A class is its name in
// the data, or its number where the data give names that are no whole numbers; of a regression
// it is the number of an output.
type ExplainOptions struct {
	Query   int    // of the run's; without Input
	Input   string // file of samples that are explained instead: NPY, an image or CSV
	Label   string // class, or numbers to predict, of the samples of Input; "": not known
	Machine string // name; "": the first that accounts for the target
	Target  string // output (or class), margin, loss or log-probability; "": what Machine accounts for, and with Against a margin
	Class   string // "": the one that the network predicts
	Against string // of a margin; "": the best of the others
	// Replay follows the path again for a query whose account is stored, too, so that its shares by
	// layer and by window of steps are known.
	Replay bool
	// Engine opens the engine of a replay, for the name of the BLAS that the run was made with; its
	// caller closes it. Not called where the account is stored.
	Engine func(blas string) (compute.Engine, error)
	// Progress, if not nil, is called while a path is followed.
	Progress func(Progress)
}

// ExplainError reports what cannot be explained as it was asked for.
type ExplainError struct {
	Run   string
	Fault string // what was found
	Do    string // what to do
}

// Error implements error.
func (e *ExplainError) Error() string {
	return fmt.Sprintf("explain run %s: %s; %s", e.Run, e.Fault, e.Do)
}

// Explanation is the account of one value h of one sample, sorted:
//
//	h(f(x; w_S)) = h(f(x; w_0)) + Σ_i Q_i + R + residual.
//
// It is what pkm explain --json writes. A share is |Q_i| over Σ_i |Q_i| of all training samples.
type Explanation struct {
	Run     string        `json:"run"`
	Name    string        `json:"name"`
	Sample  Explained     `json:"sample"`
	Target  ExplainTarget `json:"target"`
	Machine ExplainSource `json:"machine"`
	Sum     ExplainSum    `json:"sum"`
	For     []Push        `json:"for"`     // training samples with Q_i > 0, the strongest first
	Against []Push        `json:"against"` // with Q_i < 0, the strongest first
	// What the training samples contributed that are not in For and Against.
	OthersFor     Others `json:"others_for"`
	OthersAgainst Others `json:"others_against"`
	Neutral       int    `json:"neutral"` // training samples with Q_i = 0
	// Of the class of the training sample; of each layer's weights; of the windows of steps in
	// which the gradients of the samples were taken. Empty where the run does not have them.
	ByClass  []Share  `json:"by_class,omitempty"`
	ByLayer  []Share  `json:"by_layer,omitempty"`
	ByWindow []Share  `json:"by_window,omitempty"`
	Missing  []string `json:"missing,omitempty"` // keys of the configuration, with values, for what is not there

	units    *units    // of the inputs
	pictures *pictures // nil for what is no image
	features []string  // names of the inputs, or nil
}

// Explained is the sample that is explained.
type Explained struct {
	Query          *int     `json:"query,omitempty"`      // of the run
	DataIndex      *int64   `json:"data_index,omitempty"` // row of the data set
	File           string   `json:"file,omitempty"`       // that the sample is from instead, and
	Row            *int     `json:"row,omitempty"`        // its place in it, from 0
	Label          string   `json:"label,omitempty"`      // class
	Predicted      string   `json:"predicted,omitempty"`  // by the network
	OutputsInitial []Figure `json:"outputs_initial"`      // f(x; w_0) (C)
	OutputsFinal   []Figure `json:"outputs_final"`        // f(x; w_S) (C)
	Inputs         []Figure `json:"inputs"`               // as the network saw them
}

// ExplainTarget is the value that is explained.
type ExplainTarget struct {
	Kind    string `json:"kind"` // output, margin, loss or log-probability
	Class   string `json:"class,omitempty"`
	Against string `json:"against,omitempty"` // of a margin
	Text    string `json:"text"`
}

// ExplainSource is where the account is from.
type ExplainSource struct {
	Name   string `json:"name"`
	Family string `json:"family"`
	Rule   string `json:"rule"`
	Source string `json:"source"` // stored or replayed
}

// ExplainSum is the sum that closes.
type ExplainSum struct {
	Initial        Figure `json:"initial"`        // h(f(x; w_0))
	Contributions  Figure `json:"contributions"`  // Σ_i Q_i
	Regularization Figure `json:"regularization"` // R
	Machine        Figure `json:"machine"`        // the sum of these
	Network        Figure `json:"network"`        // h(f(x; w_S))
	Residual       Figure `json:"residual"`       // network − machine
	Absolute       Figure `json:"absolute"`       // Σ_i |Q_i|, of which shares are
	Samples        int    `json:"samples"`        // N
}

// Push is what one training sample contributed.
type Push struct {
	Rank          int      `json:"rank"`       // from 1
	Index         int      `json:"index"`      // in train_inputs.npy
	DataIndex     int64    `json:"data_index"` // row of the data set
	Label         string   `json:"label"`      // that it was trained with: a class, or the numbers
	OriginalLabel string   `json:"original_label,omitempty"`
	Contribution  Figure   `json:"contribution"`
	Share         Figure   `json:"share"`
	ByLayer       []Figure `json:"by_layer,omitempty"`  // in the order of the explanation's
	ByWindow      []Figure `json:"by_window,omitempty"` // in the order of the explanation's
	Inputs        []Figure `json:"inputs"`              // as the network saw them
}

// Others are training samples that are not listed one by one.
type Others struct {
	Count        int    `json:"count"`
	Contribution Figure `json:"contribution"`
	Share        Figure `json:"share"`
}

// Share is a part of the account. Its share is Σ_i |Q_i| of the part over the sum of that over all parts.
type Share struct {
	Name           string `json:"name"`
	Samples        int    `json:"samples,omitempty"`    // of a class
	FirstStep      *int   `json:"first_step,omitempty"` // of a window, and
	EndStep        *int   `json:"end_step,omitempty"`   // the first step after it
	Contribution   Figure `json:"contribution"`         // Σ_i Q_i
	For            Figure `json:"for"`                  // of the samples with Q_i > 0
	Against        Figure `json:"against"`              // of those with Q_i < 0
	Share          Figure `json:"share"`
	Regularization Figure `json:"regularization"` // of a layer or a window
}

// Explain accounts for one value of a query of the run in dir, or of each sample of a file, with
// the top strongest training samples for and against it (0: all). What the run has stored is
// read; what it has not is computed by following the path of its weights again, from
// w_0 and the samples in the run directory, which must end in the same final weights, bit for bit.
// Errors: *ExplainError for what was asked for, *FileError for a damaged run, *MemoryError, and the cause of ctx.
// Cost: of what is stored, reading it once; of a replay, that of the run with its queries
// replaced by the samples.
func Explain(ctx context.Context, dir string, top int, o ExplainOptions) ([]*Explanation, error) {
	run, err := LoadRun(dir)
	if err != nil {
		return nil, unexplained(dir, err)
	}
	x := &explainer{run: run, options: o, top: top}
	fail := func(err error) ([]*Explanation, error) {
		var asked *ExplainError
		if errors.As(err, &asked) {
			return nil, asked
		}
		return nil, fmt.Errorf("explain run %s: %w", dir, err)
	}
	if x.root, err = os.OpenRoot(dir); err != nil {
		return fail(err)
	}
	defer x.root.Close()
	if err := x.open(); err != nil {
		return fail(err)
	}
	samples, err := x.samples()
	if err != nil {
		return fail(err)
	}
	target, err := x.resolve(samples)
	if err != nil {
		return fail(err)
	}
	accounts, err := x.accounts(ctx, samples, target)
	if err != nil {
		return fail(err)
	}
	var all []*Explanation
	for k := range samples.count() {
		e, err := x.explain(samples, k, target, accounts)
		if err != nil {
			return fail(err)
		}
		all = append(all, e)
	}
	return all, nil
}

// unexplained says why there is nothing to explain in dir, which could not be read.
func unexplained(dir string, err error) error {
	m, unreadable := ReadManifest(dir)
	if unreadable != nil || m.Outcome == Completed {
		return fmt.Errorf("explain run %s: %w", dir, err)
	}
	reason := ""
	if m.Reason != "" {
		reason = " (" + m.Reason + ")"
	}
	resume := "go on with it by pkm run CONFIG --resume --out " + dir
	if m.Outcome == Running {
		if held, err := beingWritten(dir); err == nil && !held {
			return &ExplainError{Run: dir, Fault: "the run was killed, or the machine stopped", Do: resume}
		}
	}
	do := map[Outcome]string{
		Running:     "wait for it",
		Interrupted: resume,
		Diverged:    "there is no final network to explain: run it again with a lower training.optimizer.learning_rate",
		Failed:      "run it again once the reason is mended",
	}[m.Outcome]
	return &ExplainError{Run: dir, Fault: fmt.Sprintf("the run is %s, not completed%s", m.Outcome, reason), Do: do}
}
