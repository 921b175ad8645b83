package pathkernel

import (
	"fmt"
	"math"

	"pkm/internal/compute"
	"pkm/internal/vector"
)

// LossPath adds up, along the path of w, what a bound of the generalisation gap needs of the loss path
// kernel K_T(z, z′) = ∫∇ℓ(z; w(τ))·∇ℓ(z′; w(τ)) dτ of N training samples (Y. Chen et al., "Analyzing
// Generalization of Neural Networks through Loss Path Kernels", NeurIPS 2023): its diagonal, and
//
//	B² = (1/N²)Σ_ij K_T(z_i, z_j) = ∫‖∇L‖² dτ
//
// by the trapezoid rule over the snapshots w_0 … w_S, Σ_s (η_s/2)(h_s + h_{s+1}). On the gradient flow that is
// of order 2 and B² is the fall of the loss, L(w_0) − L(w_S). Iterates of gradient descent leave the flow
// by O(η), and so do both figures. Memory: 8·N bytes.
type LossPath struct {
	measure  flow
	diagonal []float64 // K_T(z_i, z_i)
	square   float64   // B²
}

// NewLossPath returns the sums of an empty path of N samples.
func NewLossPath(samples int) *LossPath {
	return &LossPath{measure: flow{trapezoid: true}, diagonal: make([]float64, samples)}
}

// Step adds a snapshot w_s: the learning rate η_s of the step that begins there, the squared norms
// ‖g_i(w_s)‖² of all samples (see SquaredNorms), and the mean gradient ∇L(w_s) (P).
func (p *LossPath) Step(η float64, norms, mean []float64) {
	p.add(p.measure.Step(η)[0], norms, mean)
}

// Finish adds the last snapshot, w_S.
func (p *LossPath) Finish(norms, mean []float64) { p.add(p.measure.Finish(), norms, mean) }

func (p *LossPath) add(weight float64, norms, mean []float64) {
	for i, n := range norms {
		p.diagonal[i] += weight * n
	}
	p.square += weight * vector.Dot64(mean, mean)
}

// Diagonal returns K_T(z_i, z_i) (N). The slice belongs to the path.
func (p *LossPath) Diagonal() []float64 { return p.diagonal }

// Norm returns B, the norm of what was learned, ℓ(·; w_S) − ℓ(·; w_0) = −(1/N)Σ_i K_T(·, z_i), in the space
// of K_T.
func (p *LossPath) Norm() float64 { return math.Sqrt(p.square) }

// Complexity returns what one path tells of the Rademacher complexity of the losses that are learned,
//
//	(B/N)·√Σ_i K_T(z_i, z_i).
//
// Theorem 3 of the paper bounds the complexity of the class of all ℓ(·; w_T) that the gradient flow
// reaches at time T from w_0 on any training set S′, with B an upper bound of all their norms, by
// (B/N)·√(sup Σ_i K_T(z_i, z_i; S′) + Σ_{i≠j} Δ_ij), where the supremum is over all S′ and Δ_ij is half of the range
// of K_T(z_i, z_j; S′). One path has one S′: its own kernel and norm stand for the suprema here. This is the
// theorem's figure where kernel and norm are those of every training set (Δ = 0), approximately so for a
// network whose gradients hardly depend on the path, and no more than an estimate from below of it elsewhere.
func (p *LossPath) Complexity() float64 {
	var trace float64
	for _, k := range p.diagonal {
		trace += k
	}
	return p.Norm() / float64(len(p.diagonal)) * math.Sqrt(trace)
}

// Deviation returns the term by which a gap may exceed twice the empirical Rademacher complexity of N
// samples with a probability of at most 1 − confidence, for losses in [0, lossRange] (corollary 1, with
// δ = 1 − confidence):
//
//	3·lossRange·√(ln(2/δ) / 2N)
func Deviation(samples int, confidence, lossRange float64) float64 {
	return 3 * lossRange * math.Sqrt(math.Log(2/(1-confidence))/(2*float64(samples)))
}

// State returns the sums so far (N+2), from which the rest of a path ends in the same bits.
func (p *LossPath) State() []float64 {
	return append(append([]float64(nil), p.diagonal...), p.square, p.measure.last)
}

// Restore copies a state of a path of as many samples.
func (p *LossPath) Restore(state []float64) error {
	n := len(p.diagonal)
	if len(state) != n+2 {
		return fmt.Errorf("pathkernel: restore the loss path kernel of %d samples: found %d values, want %d", n, len(state), n+2)
	}
	copy(p.diagonal, state)
	p.square, p.measure.last = state[n], state[n+1]
	return nil
}

// SquaredNorms returns ‖g_n‖² (N) from the factors of one gradient g_n for each sample (one stack): for a
// dense layer (|a|²+1)|δ|², O(d_in + d_out); the gradients of layers with shared weights are formed,
// 2·N·d_out·d_in·T FLOPs.
func SquaredNorms[T Float](engine compute.Engine, factors []Factor[T]) []float64 {
	norms := make([]float64, factors[0].Rows)
	c := NewContraction[T](engine)
	c.formedElements = 1 << 17 // a megabyte: nothing is multiplied with a chunk
	square := func(v []T) float64 { return vector.Dot64(v, v) }
	for l := range factors {
		f := &factors[l]
		if f.kind() == sharedWeights {
			c.eachChunk(f, func(first, count int, gradients []T) {
				size := f.gradientWidth()
				for n := range count {
					norms[first+n] += square(gradients[n*size : (n+1)*size])
				}
			})
			continue
		}
		for n := range norms {
			product := square(f.Cotangent[n*f.OutWidth : (n+1)*f.OutWidth])
			if f.kind() == outerProduct {
				product *= square(f.image(n)) + float64(f.bias())
			}
			norms[n] += product
		}
	}
	return norms
}
