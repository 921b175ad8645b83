// Package datasets reads labelled samples from files of open formats.
//
// A [Reader] returns a [Table] or an error; a fault of a file is an [*Error] that says
// where in it. Files may be compressed with gzip. Memory grows with what a file holds,
// never with what its header claims, and every byte that is read is hashed.
package datasets
