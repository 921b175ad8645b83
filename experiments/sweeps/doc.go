// Package sweeps runs an experiment many times with parameters that a sweep file
// describes, and keeps a table of what came of it.
//
// # What is reproducible
//
// A sweep with a seed gives the same table whatever the number of workers, whichever of
// them die and however often it is resumed; only times differ. For that everything about
// trial t is decided by the sweep file, its seed, t, and, with the methods tpe and cmaes
// and with early termination, the results of a set of earlier trials that t alone
// determines:
//
//   - grid, random and sobol: none;
//   - tpe, and early termination: trials 0 … t−concurrency, where concurrency is a key of
//     the sweep file, so that so many trials can run at once;
//   - cmaes: the generations before that of t, each population trials long.
//
// Trial t begins when they are finished. Early termination compares the training loss with
// limits that are known when the trial begins, and are part of what it is told to do.
//
// # What runs where
//
// The coordinator (Coordinator) draws trials and puts them into a work queue of NATS
// JetStream, embedded in its process or a server of its own. Workers (Worker), each a process,
// take one at a time, run it through [pkm/experiments.Execute] and publish the result under
// (trial, attempt), of which the first counts. A trial whose worker dies is delivered to
// another, which resumes the run directory. Messages carry configurations and figures, never
// arrays.
package sweeps
