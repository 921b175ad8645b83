//go:build !((linux || darwin) && !android && !ios && (amd64 || arm64)) || noopenblas

package blas

import (
	"errors"
	"runtime"
)

// openOpenBLAS says that this program cannot load shared libraries.
func openOpenBLAS() (Implementation, error) {
	return nil, &UnavailableError{Err: errors.New("this program was built without it (" + runtime.GOOS + "/" + runtime.GOARCH + ")")}
}
