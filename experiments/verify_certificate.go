package experiments

import (
	"errors"
	"io/fs"
	"math"
)

// verifyCertificate checks that what a machine's quadrature missed of the steps, summed, bounds the
// residual of every query's account.
func (v *verifier) verifyCertificate(name string, d Decomposition) {
	subject := "machine " + name
	_, sums, err := v.array(name+"/step_residual_sum", v.M)
	if errors.Is(err, fs.ErrNotExist) {
		return // the machine does not integrate within steps
	}
	if err != nil {
		v.add(StatusFailed, subject, "step_residual_sum: %v", err)
		return
	}
	// Beside the quadrature, the sum over samples and steps rounds.
	rounding := 1e-11
	if v.single {
		rounding = 1e-4
	}
	rounding *= 1 + maxAbs(d.Final)
	for i, r := range d.Residual() {
		if over := math.Abs(r) - sums[i/d.C]; !(over <= rounding) {
			v.add(StatusFailed, subject, "certificate: query %d has a residual of %.3g, its steps missed %.3g", i/d.C, r, sums[i/d.C])
			return
		}
	}
	v.add(StatusOK, subject, "the residual is within what the steps missed, at most %.2g", maxAbs(sums))
}
