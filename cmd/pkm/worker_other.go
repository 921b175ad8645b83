//go:build !unix

package main

// usr1 returns a channel that nothing closes: there is no SIGUSR1 here.
func usr1() <-chan struct{} { return nil }
