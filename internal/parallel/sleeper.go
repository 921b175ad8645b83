package parallel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// sleeper lets one goroutine wait for a condition that others bring about:
// actively first, then asleep.
type sleeper struct {
	asleep atomic.Bool   // whoever sets it to false sends on wake, or is the sleeper
	wake   chan struct{} // holds at most one element

	yielded time.Time // when it last let other goroutines run
}

func newSleeper() sleeper { return sleeper{wake: make(chan struct{}, 1)} }

// wait returns when ready does, having polled it for at most the given time
// before each sleep. Whoever makes ready true calls rouse after it.
func (s *sleeper) wait(active time.Duration, ready func() bool) {
	for !s.poll(active, ready) {
		s.asleep.Store(true)
		// rouse may have come before asleep was set: look once more.
		if ready() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.wake
	}
}

// rouse wakes the goroutine in wait if it sleeps; it costs a load if not.
func (s *sleeper) rouse() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

const (
	pollsPerLook = 128                   // about 0.2 µs between looks at the clock
	yieldEvery   = 50 * time.Microsecond // between calls of the scheduler
)

// poll calls ready until it holds or the time is over, and reports which. It
// lets other goroutines run now and then: garbage collection, servers, or the
// one that is waited for. Their turn is counted from one wait to the next,
// lest many short ones keep them out.
func (s *sleeper) poll(active time.Duration, ready func() bool) bool {
	if ready() || active == 0 {
		return ready()
	}
	start := time.Now()
	for now := start; now.Sub(start) < active; now = time.Now() {
		if now.Sub(s.yielded) >= yieldEvery {
			s.yielded = now
			runtime.Gosched()
		}
		for range pollsPerLook {
			if ready() {
				return true
			}
		}
	}
	return false
}
