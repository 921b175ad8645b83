//go:build unix

package experiments

import (
	"errors"
	"os"
	"syscall"
)

// LockFolder takes a lock on a folder that the system gives back when the process ends,
// however it ends. held tells that another process has it.
func LockFolder(dir string) (lock *os.File, held bool, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, false, nil
	}
	f.Close()
	// A file system without locks has none.
	return nil, errors.Is(err, syscall.EWOULDBLOCK), nil
}
