package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"

	"pkm/internal/npy"
)

// verifier computes again, from the arrays, what a run says of itself.
type verifier struct {
	*VerifyReport
	root      *os.Root
	completed bool // then every file must be there
	single    bool // the inputs are float32

	summary        *Summary // nil if it cannot be read
	M, C, N        int      // -1: not known
	initial, final []float64
	classes        []int
}

// verifyNumbers checks the shapes of the arrays, the identity and the figures.
func (v *verifier) verifyNumbers() {
	v.Identity = IdentityNotChecked
	v.M, v.C, v.N = -1, -1, -1
	if s, err := v.readSummary(); err != nil {
		v.absent(summaryName, err)
	} else {
		v.summary = s
		v.M, v.C, v.N = s.Samples.Query, s.Outputs, s.Samples.Train
	}
	v.verifyShapes()
	names, err := v.machineNames()
	if err != nil {
		v.absent("arrays", err)
	}
	if len(names) == 0 {
		if v.summary != nil {
			v.Identity = IdentityNone
		}
		if v.summary != nil && len(v.summary.Baselines) > 0 && v.readOutputs() {
			v.verifyBaselines()
		}
		return
	}
	if !v.readOutputs() {
		return
	}
	if f, err := openFile(v.root, "arrays/query_inputs.npy"); err == nil {
		header, err := npy.ReadHeader(f)
		v.single = err == nil && header.DType == "<f4"
		f.Close()
	}
	v.verifyBaselines()
	checked, holds := 0, true
	for _, name := range names {
		ok, within := v.verifyMachine(name)
		if ok {
			checked++
			holds = holds && within
		}
	}
	v.Machines = checked
	switch {
	case !holds:
		v.Identity = IdentityBroken
	case checked == len(names):
		v.Identity = IdentityHolds
	}
}

// absent reports a part that cannot be read: a failure, unless it is missing
// from a run that was not completed.
func (v *verifier) absent(subject string, err error) {
	known := func(c Check) bool { return c.Subject == subject && c.Status == StatusFailed }
	if slices.ContainsFunc(v.Checks, known) {
		note := Check{Subject: subject, Status: StatusNote, Detail: "so what needs it could not be checked"}
		if !slices.Contains(v.Checks, note) {
			v.Checks = append(v.Checks, note)
		}
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		if v.completed {
			v.add(StatusFailed, subject, "needed and not there")
		} else {
			v.add(StatusNote, subject, "not there, as the run was not completed")
		}
		return
	}
	v.add(StatusFailed, subject, "%v", err)
}

func (v *verifier) readSummary() (*Summary, error) {
	f, err := openFile(v.root, summaryName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var s Summary
	if err := json.NewDecoder(f).Decode(&s); err != nil {
		return nil, err
	}
	return &s, nil
}

// machineNames returns the machines of the summary, then those that only have a
// folder of arrays.
func (v *verifier) machineNames() ([]string, error) {
	var names []string
	if v.summary != nil {
		for _, m := range v.summary.Machines {
			names = append(names, m.Name)
		}
	}
	entries, err := fs.ReadDir(v.root.FS(), "arrays")
	if err != nil {
		return names, err
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// array reads arrays/<name>.npy, whose shape must be want, where -1 fits anything.
func (v *verifier) array(name string, want ...int) (shape []int, data []float64, err error) {
	f, err := openFile(v.root, "arrays/"+name+".npy")
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	shape, data, err = npy.ReadFloat64(f)
	if err != nil {
		return nil, nil, err
	}
	fits := func(got, want int) bool { return want == -1 || got == want }
	if !slices.EqualFunc(shape, want, fits) {
		return nil, nil, fmt.Errorf("shape is %v, want %v", shape, want)
	}
	return shape, data, nil
}

// readOutputs reads what all machines share and reports whether it could.
func (v *verifier) readOutputs() bool {
	for _, a := range []struct {
		name string
		data *[]float64
	}{{"outputs_initial", &v.initial}, {"outputs_final", &v.final}} {
		shape, data, err := v.array(a.name, v.M, v.C)
		if err != nil {
			v.absent("arrays/"+a.name+".npy", err)
			return false
		}
		v.M, v.C, *a.data = shape[0], shape[1], data
	}
	classes, err := v.readClasses()
	if err != nil {
		v.absent("arrays/query_targets.npy", err)
	}
	v.classes = classes
	if v.summary != nil && classes != nil {
		got, want := v.summary.Network.QueryAccuracy, Accuracy(v.final, v.C, classes)
		v.compare("summary.json: network", "query_accuracy", got, want, 0)
	}
	return true
}

// readClasses returns the classes of the queries: the query_targets, if they
// are int64 (M). Those of a regression are floating-point: then it returns nil.
func (v *verifier) readClasses() ([]int, error) {
	f, err := openFile(v.root, "arrays/query_targets.npy")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	shape, data, err := npy.Read[int64](f)
	var other *npy.DTypeError
	if errors.As(err, &other) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, []int{v.M}) {
		return nil, fmt.Errorf("shape is %v, want [%d]", shape, v.M)
	}
	classes := make([]int, len(data))
	for i, c := range data {
		classes[i] = int(c)
	}
	return classes, nil
}

// verifyMachine checks one machine. It reports whether its arrays could be read
// and whether the identity holds.
func (v *verifier) verifyMachine(name string) (checked, holds bool) {
	subject := "machine " + name
	d := Decomposition{M: v.M, C: v.C, N: v.N, Initial: v.initial, Final: v.final}
	target := v.target(name)
	if target != "" {
		for _, end := range []struct {
			name string
			data *[]float64
		}{{"target_initial", &d.Initial}, {"target_final", &d.Final}} {
			shape, data, err := v.array(name+"/"+end.name, v.M, -1)
			if err != nil {
				v.absent("arrays/"+name+"/"+end.name+".npy", err)
				return false, false
			}
			d.C, *end.data = shape[1], data
		}
	}
	var residual []float64
	for _, a := range []struct {
		name  string
		data  *[]float64
		shape []int
	}{
		{"contributions", &d.Contributions, []int{v.M, d.C, v.N}},
		{"regularization", &d.Regularization, []int{v.M, d.C}},
		{"residual", &residual, []int{v.M, d.C}},
	} {
		shape, data, err := v.array(name+"/"+a.name, a.shape...)
		if err != nil {
			v.absent("arrays/"+name+"/"+a.name+".npy", err)
			return false, false
		}
		if len(shape) == 3 {
			d.N = shape[2]
		}
		*a.data = data
	}

	holds = true
	deviation, tolerance := 0.0, 0.0
	bound := d.rounding()
	for k, want := range d.Residual() {
		off := math.Abs(residual[k] - want)
		deviation = max(deviation, off) // NaN if any is
		tolerance = max(tolerance, bound[k])
		if !(off <= bound[k]) && holds {
			holds = false
			v.add(StatusFailed, subject, "identity does not hold: residual of query %d, output %d is %g, the arrays give %g, "+
				"rounding explains %.2g", k/d.C, k%d.C, residual[k], want, bound[k])
		}
	}
	v.Deviation = max(v.Deviation, deviation)
	if holds {
		v.add(StatusOK, subject, "identity holds to %.2g, rounding explains up to %.2g; largest residual %.3g", deviation, tolerance, maxAbs(residual))
	}
	v.verifyCoefficients(name, d)
	v.verifyCertificate(name, d)
	v.verifyParts(name, d)
	v.verifyFigures(name, d, tolerance)
	return true, holds
}

// target returns what a machine accounts for, "" for the outputs.
func (v *verifier) target(name string) string {
	if v.summary == nil {
		return ""
	}
	figures, _ := v.summary.Machines.Get(name)
	return figures.Target
}

// verifyFigures compares a machine's figures in the summary with its arrays.
// Errors may differ by what rounding explains, shares of queries not at all.
func (v *verifier) verifyFigures(name string, d Decomposition, tolerance float64) {
	if v.summary == nil {
		return
	}
	subject := "summary.json: machine " + name
	got, ok := v.summary.Machines.Get(name)
	if !ok {
		v.add(StatusFailed, subject, "there are arrays of this machine, but no figures")
		return
	}
	classes := v.classes
	if got.Target == lossTarget {
		classes = nil
	}
	want, err := Figures(d, classes)
	if err != nil {
		v.add(StatusFailed, subject, "%v", err)
		return
	}
	v.verifyAgreement(subject, got, want, tolerance, tolerance/d.change())
}

// verifyAgreement compares figures of the summary with those of the arrays.
func (v *verifier) verifyAgreement(subject string, got, want MachineFigures, tolerance, relative float64) {
	agree := v.compare(subject, "max_abs_error", got.MaxAbsError, want.MaxAbsError, tolerance)
	agree = v.compare(subject, "rmse", got.RMSE, want.RMSE, tolerance) && agree
	agree = v.compare(subject, "relative_error", got.RelativeError, want.RelativeError, relative) && agree
	agree = v.compare(subject, "argmax_agreement", got.ArgmaxAgreement, want.ArgmaxAgreement, 0) && agree
	agree = v.compare(subject, "query_accuracy", got.QueryAccuracy, want.QueryAccuracy, 0) && agree
	if agree {
		v.add(StatusOK, subject, "figures agree with the arrays")
	}
}

// compare reports a figure that differs from the arrays' by more than tolerance.
func (v *verifier) compare(subject, figure string, got, want Figure, tolerance float64) bool {
	// JSON has neither NaN nor infinities: both are null there.
	finite := func(f Figure) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }
	if !finite(got) && !finite(want) {
		return true
	}
	if finite(got) && finite(want) && math.Abs(float64(got-want)) <= tolerance {
		return true
	}
	v.add(StatusFailed, subject, "%s is %g, the arrays give %g", figure, float64(got), float64(want))
	return false
}

func maxAbs(x []float64) float64 {
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	return largest
}
