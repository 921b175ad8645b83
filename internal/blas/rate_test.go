package blas

import (
	"context"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	single, double := Rate(t.Context(), newGonum(), 150, time.Millisecond)
	if !(single > 0) || !(double > 0) {
		t.Errorf("Rate = %v, %v, want two positive numbers", single, double)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if single, double := Rate(cancelled, newGonum(), 150, time.Hour); single != 0 || double != 0 {
		t.Errorf("Rate under a cancelled context = %v, %v, want 0, 0", single, double)
	}
	if single, double := Rate(t.Context(), newGonum(), 0, time.Hour); single != 0 || double != 0 {
		t.Errorf("Rate of empty matrices = %v, %v, want 0, 0", single, double)
	}
}

// Cancelling ends a measurement that would last an hour.
func TestRateIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if single, _ := Rate(ctx, newGonum(), 100, time.Hour); single != 0 {
		t.Errorf("Rate = %v although it was cancelled, want 0", single)
	}
}
