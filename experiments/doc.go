// Package experiments runs experiments: it reads a configuration, prepares the
// data, wires graphs, training and pathkernel together and writes the run
// directory.
package experiments
