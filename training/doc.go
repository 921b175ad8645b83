// Package training follows the path that the weights of a network take:
// objective, learning rate, the loop over steps and the hook that sees every
// step before anything is overwritten.
//
// A step goes from w_s to w_{s+1} = w_s + Δ_s along the gradient of the
// objective (1/B_s)Σ_{i∈batch} ℓ_i. The division by B_s happens in one place,
// Step.Rate, for the optimizer and for everybody who accounts for a step.
package training
