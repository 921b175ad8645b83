// Package graphs defines networks as Gorgonia graphs and evaluates them for any
// weights: outputs, the gradient of a loss, and the factors of every sample's
// Jacobian.
//
// # Index conventions
//
//	x[n, i]       input of sample n                       (N, d_in)
//	f[n, c]       output c of sample n                    (N, C)
//	a[n, j]       input of a layer                        (N, d_in)
//	δ[k, n, j]    cotangent of a layer's pre-activation,
//	              one for each of k stacked seeds         (K, N, d_out)
//	W[j, i]       weight of a dense layer                 (d_out, d_in)
//
// All matrices are row-major. A stack of cotangents is a matrix of K·N rows in
// which row k·N+n belongs to seed k and sample n; every pullback reads the
// forward value of sample n once for each seed. Seeding with the C unit vectors
// gives all rows of all samples' Jacobians in one pullback; seeding with ℓ′
// gives each sample's loss gradient.
//
// An N×P Jacobian is never formed. What is returned are its factors: for a
// dense layer ∂f_c(x_n)/∂W[j,i] = δ[c,n,j]·a[n,i] and ∂f_c(x_n)/∂b[j] = δ[c,n,j].
//
// Gorgonia differentiates the graph; the operations and their pullbacks are this
// package's own, so that products go to the BLAS the caller chose and results do
// not depend on the number of goroutines.
package graphs
