package experiments

import (
	"fmt"
	"math"

	"pkm/pathkernel"
)

// Decomposition is a machine's account of the network's outputs,
//
//	f(x_m; w_S)[c] = f(x_m; w_0)[c] + Σ_i Q[m,c,i] + R[m,c] + residual[m,c],
//
// for M queries, C outputs and N training samples. The slices, in C order,
// belong to the caller and are not changed.
type Decomposition struct {
	M, C, N        int
	Initial        []float64 // (M,C): f(x_m; w_0)
	Final          []float64 // (M,C): f(x_m; w_S)
	Contributions  []float64 // (M,C,N): Q
	Regularization []float64 // (M,C): R
}

// Check returns an error unless every slice has the length of its shape.
func (d Decomposition) Check() error {
	if d.M < 0 || d.C < 0 || d.N < 0 {
		return fmt.Errorf("decomposition of M = %d queries, C = %d outputs, N = %d samples", d.M, d.C, d.N)
	}
	for _, a := range []struct {
		name      string
		got, want int
	}{
		{"outputs_initial", len(d.Initial), d.M * d.C},
		{"outputs_final", len(d.Final), d.M * d.C},
		{"contributions", len(d.Contributions), d.M * d.C * d.N},
		{"regularization", len(d.Regularization), d.M * d.C},
	} {
		if a.got != a.want {
			return fmt.Errorf("%s has %d elements; M = %d queries, C = %d outputs, N = %d samples need %d",
				a.name, a.got, d.M, d.C, d.N, a.want)
		}
	}
	return nil
}

// Prediction returns ŷ = f(w_0) + Σ_i Q + R (M,C). The sum runs over i in
// ascending order, so that the same arrays give the same bits everywhere. The
// decomposition must pass Check. Cost: M·C·N additions.
func (d Decomposition) Prediction() []float64 {
	if d.M*d.C == 0 {
		return nil
	}
	return pathkernel.Predict(d.Initial, d.Contributions, d.Regularization)
}

// Residual returns f(w_S) − ŷ (M,C): what the machine does not explain. It is
// the residual of the arrays as they are: one that is to agree with files must be
// computed from the values that are written, after any rounding to float32.
func (d Decomposition) Residual() []float64 {
	r := d.Prediction()
	for k, y := range r {
		r[k] = d.Final[k] - y
	}
	return r
}

// rounding returns, for each query and output (M,C), a bound of the difference
// between two residuals that were summed in float64 in different orders. A sum
// of n numbers x is off by (n−1)·u·Σ|x| at most, to first order, with
// u = 2⁻⁵³ (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
// §4.2); here n = N+3, there are two such sums, and one more term pays for the
// higher orders.
func (d Decomposition) rounding() []float64 {
	const epsilon = 0x1p-52 // 2u
	bound := make([]float64, d.M*d.C)
	for k := range bound {
		sum := math.Abs(d.Initial[k]) + math.Abs(d.Final[k]) + math.Abs(d.Regularization[k])
		for _, q := range d.Contributions[k*d.N : (k+1)*d.N] {
			sum += math.Abs(q)
		}
		bound[k] = float64(d.N+3) * epsilon * sum
	}
	return bound
}

// Figures compares a machine with the network. The classes (M), of the queries,
// are nil for a regression; the error is that of Check, or reports classes of
// another number.
//
// ArgmaxAgreement compares the classes that ŷ and f(w_S) choose (see Classes).
// Without classes, a regression, nothing is chosen, and it is NaN, as is QueryAccuracy. RelativeError is NaN or infinite if
// training did not change the outputs, and without queries all figures are NaN.
func Figures(d Decomposition, classes []int) (MachineFigures, error) {
	if err := d.Check(); err != nil {
		return MachineFigures{}, err
	}
	if classes != nil && len(classes) != d.M {
		return MachineFigures{}, fmt.Errorf("found %d query classes for M = %d queries", len(classes), d.M)
	}
	none := Figure(math.NaN())
	f := MachineFigures{MaxAbsError: none, RMSE: none, RelativeError: none, ArgmaxAgreement: none, QueryAccuracy: none}
	if d.M*d.C == 0 {
		return f, nil
	}
	y := d.Prediction()
	largest, squares := 0.0, 0.0
	for k := range y {
		e := y[k] - d.Final[k]
		largest = max(largest, math.Abs(e)) // NaN if any is
		squares += float64(e * e)           // the conversion forbids a fused multiply-add, which only some processors have
	}
	f.MaxAbsError = Figure(largest)
	f.RMSE = Figure(math.Sqrt(squares / float64(len(y))))
	f.RelativeError = Figure(largest / d.change())

	if classes != nil {
		chosen := Classes(y, d.C)
		f.ArgmaxAgreement, f.QueryAccuracy = agreement(chosen, Classes(d.Final, d.C)), agreement(chosen, classes)
	}
	return f, nil
}

// change returns max|f(w_S) − f(w_0)| over queries and outputs.
func (d Decomposition) change() float64 {
	largest := 0.0
	for k := range d.Final {
		largest = max(largest, math.Abs(d.Final[k]-d.Initial[k]))
	}
	return largest
}

// Classes returns the class (M) that outputs (M,C) choose: the index of the
// largest, the first of equals; with one output, a logit, 1 if it is positive
// and 0 if not. Outputs of which one is NaN choose -1, which no class equals.
// C must be positive.
func Classes(outputs []float64, C int) []int {
	classes := make([]int, len(outputs)/C)
	for m := range classes {
		classes[m] = class(outputs[m*C : (m+1)*C])
	}
	return classes
}

func class(outputs []float64) int {
	best := 0
	for c, v := range outputs {
		if math.IsNaN(v) {
			return -1
		}
		if v > outputs[best] {
			best = c
		}
	}
	if len(outputs) == 1 && outputs[0] > 0 {
		return 1
	}
	return best
}

// agreement returns the share of places where a and b are the same class.
func agreement(a, b []int) Figure {
	same := 0
	for i := range a {
		if a[i] == b[i] && a[i] >= 0 {
			same++
		}
	}
	return Figure(float64(same) / float64(len(a)))
}

// Accuracy returns the share of queries, by classes (M), that outputs (M,C)
// classify correctly: the network's own QueryAccuracy.
func Accuracy(outputs []float64, C int, classes []int) Figure {
	if C < 1 || len(classes) == 0 || len(outputs) != C*len(classes) {
		return Figure(math.NaN())
	}
	return agreement(Classes(outputs, C), classes)
}
