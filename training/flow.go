package training

import (
	"errors"
	"fmt"
	"math"

	"pkm/graphs"
)

// FlowOptions choose how the gradient flow dw/dτ = −∇L(w), L = (1/N)Σℓ_i, is followed from
// τ = 0 to Time, by the pair of Dormand and Prince with steps whose estimated error in
// every weight, in the root mean square, is at most AbsoluteTolerance +
// RelativeTolerance·|w|. Accepted steps are the steps of the loop.
type FlowOptions struct {
	Time              float64 // > 0
	RelativeTolerance float64 // > 0
	AbsoluteTolerance float64 // > 0
	MaxStep           float64 // 0: as long as the tolerances allow
	FixedStep         float64 // > 0: steps of equal length, at most this, whatever the error
}

func (o *FlowOptions) check() error {
	positive := func(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
	switch {
	case !positive(o.Time):
		return fmt.Errorf("training: follow the gradient flow to time %g: it has to be positive and finite", o.Time)
	case !positive(o.RelativeTolerance) || !positive(o.AbsoluteTolerance):
		return fmt.Errorf("training: follow the gradient flow with tolerances %g and %g: they have to be positive and finite", o.RelativeTolerance, o.AbsoluteTolerance)
	case !(o.MaxStep >= 0) || !(o.FixedStep >= 0):
		return fmt.Errorf("training: follow the gradient flow with a largest step of %g and a fixed one of %g: they cannot be negative", o.MaxStep, o.FixedStep)
	}
	return nil
}

// The step-size control (Hairer, Nørsett and Wanner, §II.4): a step whose error is err
// times the tolerance is followed by one of 0.9·err^−α·last^β times its length, within limits.
const (
	flowSafety           = 0.9
	flowAlpha, flowBeta  = 0.7 / 5, 0.4 / 5
	flowShrink, flowGrow = 0.2, 10.0
	flowRejections       = 50
)

// flowMover follows the gradient flow. A step takes seven evaluations of the gradient, the
// first of which is the loop's own, and one more of six for each step that is rejected.
type flowMover[T graphs.Float] struct {
	*runner[T]
	options FlowOptions
	pair    tableau
	stages  *graphs.Gradient[T] // evaluates the stages: the loop's own keeps w_s
	k       [][]float64         // of each stage (P)
	point   []T

	time float64 // τ of the loop's step
	h    float64 // length of the next step, 0: not known yet
	last float64 // error of the step before, in tolerances
	done float64 // τ after the step under way
}

// The figures of a Snapshot that a flow goes on from.
const flowTime, flowStep, flowError = "flow_time", "flow_step", "flow_error"

func newFlowMover[T graphs.Float](r *runner[T], from *Snapshot[T]) (*flowMover[T], error) {
	l := r.loop
	if err := l.Flow.check(); err != nil {
		return nil, err
	}
	f := &flowMover[T]{runner: r, options: *l.Flow, pair: dormandPrince(), last: 1, point: make([]T, len(l.Initial))}
	for range f.pair.b {
		f.k = append(f.k, make([]float64, len(l.Initial)))
	}
	if from.Step > 0 {
		f.time, f.h, f.last = from.Figures[flowTime], from.Figures[flowStep], from.Figures[flowError]
	}
	f.done = f.time
	var err error
	if f.stages, err = graphs.NewGradient(l.Network, l.Engine, r.samples, l.Loss); err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	if err := f.stages.SetInputs(l.Inputs); err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	if err := f.stages.SetTargets(l.Targets); err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	return f, nil
}

func (f *flowMover[T]) figures() map[string]float64 {
	return map[string]float64{flowTime: f.done, flowStep: f.h, flowError: f.last}
}

// ended reports whether the flow has come to its end.
func (f *flowMover[T]) ended() bool { return f.done >= f.options.Time }

// derivative writes −∇L at the point.
func (f *flowMover[T]) derivative(step int, to []float64) error {
	if err := f.stages.Run(f.point); err != nil {
		return fmt.Errorf("training: step %d: %w", step, err)
	}
	if tensor, found := f.stages.NonFinite(); found {
		return &Diverged{Step: step, Tensor: tensor + " (stage)", Loss: Mean(f.stages.Losses())}
	}
	for i, g := range f.stages.Sum() {
		to[i] = -float64(g) / float64(f.samples)
	}
	return nil
}

// move computes Δ_s of an accepted step and its length.
func (f *flowMover[T]) move(s *Step[T]) error {
	f.time = f.done
	for i, g := range f.mean {
		f.k[0][i] = -g
	}
	if f.h == 0 {
		if err := f.begin(s.Index); err != nil {
			return err
		}
	}
	for range flowRejections {
		h, end := f.length(s.Index)
		var lost *Diverged
		if err := f.try(s.Index, h); errors.As(err, &lost) && f.options.FixedStep == 0 && h > 1e-14*f.options.Time {
			f.h = h * flowShrink // a trial that went too far
			continue
		} else if err != nil {
			return err
		}
		if f.options.FixedStep > 0 {
			f.done, s.LearningRate = end, h
			return nil
		}
		miss := f.error(h)
		factor := flowSafety * math.Pow(max(miss, 1e-10), -flowAlpha)
		if miss <= 1 {
			factor *= math.Pow(max(f.last, 1e-4), flowBeta)
			f.last, f.done, s.LearningRate = max(miss, 1e-4), end, h
			f.h = h * min(max(factor, flowShrink), flowGrow)
			return nil
		}
		f.h = h * min(max(factor, flowShrink), 1)
		if f.h < 1e-14*f.options.Time {
			return fmt.Errorf("training: follow the gradient flow: at time %g of %g the steps have become %.3g long; the flow is too stiff for an explicit method: loosen the tolerances or end it earlier", f.time, f.options.Time, f.h)
		}
	}
	return fmt.Errorf("training: follow the gradient flow: at time %g of %g no step was accepted after %d trials; loosen the tolerances", f.time, f.options.Time, flowRejections)
}

// length returns the length of the step to try and the time at its end.
func (f *flowMover[T]) length(step int) (h, end float64) {
	o := f.options
	if o.FixedStep > 0 {
		n := math.Max(1, math.Ceil(o.Time/o.FixedStep-1e-9))
		end = o.Time * float64(step+1) / n
		if float64(step+1) >= n {
			end = o.Time
		}
		return o.Time / n, end
	}
	h = f.h
	if o.MaxStep > 0 {
		h = min(h, o.MaxStep)
	}
	// The last two steps are of a length: none is left over that would be tiny.
	switch left := o.Time - f.time; {
	case h >= left*(1-1e-12):
		return left, o.Time
	case h > left/2:
		h = left / 2
	}
	return h, f.time + h
}

// begin chooses the length of the first step (Hairer, Nørsett and Wanner, §II.4, algorithm
// 4.14): such that an Euler step changes the weights by 1 %, or the error is small.
func (f *flowMover[T]) begin(step int) error {
	if f.options.FixedStep > 0 {
		f.h = f.options.FixedStep
		return nil
	}
	weights := make([]float64, len(f.weights))
	for i, w := range f.weights {
		weights[i] = float64(w)
	}
	d0, d1 := f.norm(weights), f.norm(f.k[0])
	h := 1e-6
	if d0 >= 1e-5 && d1 >= 1e-5 {
		h = 0.01 * d0 / d1
	}
	h = min(h, f.options.Time)
	for i, w := range weights {
		f.point[i] = T(w + h*f.k[0][i])
	}
	if err := f.derivative(step, f.k[1]); err != nil {
		return err
	}
	for i := range weights {
		weights[i] = f.k[1][i] - f.k[0][i]
	}
	d2 := f.norm(weights) / h
	next := max(1e-6, h*1e-3)
	if top := max(d1, d2); top > 1e-15 {
		next = math.Pow(0.01/top, 1/float64(f.pair.order))
	}
	f.h = min(100*h, next)
	return nil
}

// norm returns the root mean square of v in tolerances at w_s.
func (f *flowMover[T]) norm(v []float64) float64 {
	var sum float64
	for i, x := range v {
		x /= f.options.AbsoluteTolerance + f.options.RelativeTolerance*math.Abs(float64(f.weights[i]))
		sum += x * x
	}
	return math.Sqrt(sum / float64(len(v)))
}

// try computes Δ_s and all stages for a step of length h.
func (f *flowMover[T]) try(step int, h float64) error {
	for i := 1; i < len(f.k); i++ {
		for q, w := range f.weights {
			var sum float64
			for j, a := range f.pair.a[i] {
				sum += a * f.k[j][q]
			}
			f.point[q] = T(float64(w) + h*sum)
		}
		if i == len(f.k)-1 { // w′
			for q, p := range f.point {
				f.delta[q] = p - f.weights[q]
				f.point[q] = f.weights[q] + f.delta[q]
			}
		}
		if err := f.derivative(step, f.k[i]); err != nil {
			return err
		}
	}
	return nil
}

// error returns the estimated error of the step in tolerances.
func (f *flowMover[T]) error(h float64) float64 {
	var sum float64
	for q, w := range f.weights {
		var e float64
		for i, c := range f.pair.e {
			e += c * f.k[i][q]
		}
		scale := f.options.AbsoluteTolerance + f.options.RelativeTolerance*max(math.Abs(float64(w)), math.Abs(float64(f.point[q])))
		e *= h / scale
		sum += e * e
	}
	return math.Sqrt(sum / float64(len(f.weights)))
}
