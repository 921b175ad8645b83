// Package pathkernel builds the kernel machine that a trained network is
// equivalent to, from the factors of its Jacobians along the path of its weights.
//
// # Symbols
//
//	N, M, C, P, S   training samples, query samples, outputs, weights, steps
//	w_s, Δ_s, η_s   weights before step s, w_{s+1}−w_s, learning rate
//	J(x; w)         Jacobian of the outputs with respect to the weights (C, P)
//	g_i             gradient of training sample i's loss, J(x_i)ᵀℓ′_i (P)
//	K(x, x′; w)     tangent kernel J(x; w)J(x′; w)ᵀ (C, C)
//	Q[m,c,i]        contribution of training sample i to output c of query m
//	R[m,c]          contribution of regularisation
//
// # The account
//
//	f(x_m; w_S) = f(x_m; w_0) + Σ_i Q[m,·,i] + R[m,·] + residual
//
// A Machine is one such account. Its Measure says at which points of a step the
// query's Jacobian is evaluated and with which weight; training gradients are
// those of the step's start. Family "exact" integrates the query's Jacobian
// over the straight line from w_s to w_{s+1}, which is exact for finite steps
// up to the quadrature (B. Bell et al., arXiv 2308.00824); family "flow" takes
// the iterates for snapshots of the gradient flow dw/dτ = −∇L, as Domingos'
// theorem does (arXiv 2012.00152, theorem 1).
//
// The package computes and nothing else: it opens no file, prints nothing and
// does not know where factors come from.
package pathkernel
