//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// usr1 returns a channel that SIGUSR1 closes.
func usr1() <-chan struct{} {
	signals, drain := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		<-signals
		close(drain)
	}()
	return drain
}
