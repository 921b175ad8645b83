//go:build (linux || darwin) && !android && !ios && (amd64 || arm64) && !noopenblas

package blas

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestOpenBLASTitle(t *testing.T) {
	for _, tc := range []struct{ config, core, want string }{
		{"OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Zen MAX_THREADS=64", "Zen", "OpenBLAS 0.3.21 (Zen)"},
		{"OpenBLAS 0.3.29", "", "OpenBLAS 0.3.29"},
		{"NO_LAPACKE DYNAMIC_ARCH", "Haswell", "OpenBLAS (Haswell)"}, // before 0.3.4
		{"", "", "OpenBLAS"},
	} {
		if got := openBLASTitle(tc.config, tc.core); got != tc.want {
			t.Errorf("openBLASTitle(%q, %q) = %q, want %q", tc.config, tc.core, got, tc.want)
		}
	}
}

// A library that is absent, and one that is not OpenBLAS.
func TestLoadOpenBLASFails(t *testing.T) {
	other := "libm.so.6"
	if runtime.GOOS == "darwin" {
		other = "/usr/lib/libSystem.B.dylib"
	}
	for _, tc := range []struct{ name, says string }{
		{"libpkm-absent.so.0", "libpkm-absent.so.0"},
		{other, "look up sgemm_"},
	} {
		impl, err := loadOpenBLAS(tc.name)
		var unavailable *UnavailableError
		if impl != nil || !errors.As(err, &unavailable) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("loadOpenBLAS(%q) = %v, %v; want *UnavailableError that says %q", tc.name, impl, err, tc.says)
		}
	}
}

// OpenMP counts threads by calling thread, so such a build takes another path.
func TestOpenBLASWithOpenMP(t *testing.T) {
	const path = "/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblas.so.0" // Debian's libopenblas0-openmp
	if _, err := os.Stat(path); err != nil {
		t.Skip("OpenBLAS with OpenMP is absent:", err)
	}
	impl, err := loadOpenBLAS(path)
	if err != nil {
		t.Fatal(err)
	}
	if impl.(*openBLAS).ompSetThreads == 0 {
		t.Error("not recognised as a build with OpenMP")
	}
	byHand[float32](t, impl)
	byHand[float64](t, impl)
	bitsPerProcs[float64](t, impl)
	doesNotAllocate[float64](t, impl)
}
