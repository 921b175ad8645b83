//go:build (linux || darwin) && !android && !ios && (amd64 || arm64) && !noopenblas

package blas

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
	"gonum.org/v1/gonum/blas"
)

// openBLAS calls OpenBLAS through its Fortran interface. That one passes every
// argument by address, floating-point ones too, so a call needs neither
// reflection nor a wrapper per processor, and allocates nothing.
type openBLAS struct {
	name         string
	sgemm, dgemm uintptr

	// calls holds the free argument blocks, one for each processor: more calls
	// at once would only compete, and OpenBLAS ends the process when it runs
	// out of work buffers.
	calls chan *gemmCall

	// ompSetThreads is omp_set_num_threads in a build that uses OpenMP, else
	// 0. Later versions of OpenBLAS ask OpenMP for the number of threads at
	// every call, and OpenMP keeps it by calling thread, so every call sets it.
	ompSetThreads uintptr
	oneThread     [1]uintptr // its argument, 1
}

// gemmCall holds the arguments of one call. Fortran takes their addresses, so
// they lie on the heap, which does not move. That A, B and C are stored here as
// pointers makes the compiler put them on the heap too, and keeps them alive.
//
// The integers are wide enough for either size of Fortran's INTEGER; the value
// is the same in both on these little-endian processors.
type gemmCall struct {
	tA, tB                 byte
	m, n, k, lda, ldb, ldc int64
	alpha32, beta32        float32
	alpha64, beta64        float64
	a, b, c                unsafe.Pointer

	// addresses is what SyscallN passes on. A slice of its own: the one made
	// of single arguments would be allocated at every call.
	addresses [15]uintptr
}

// openOpenBLAS loads the OpenBLAS that the system finds first.
func openOpenBLAS() (Implementation, error) {
	return loadOpenBLAS(openBLASNames()...)
}

// openBLASNames returns the names that OpenBLAS goes by, the likeliest first.
func openBLASNames() []string {
	if runtime.GOOS == "darwin" {
		return []string{
			"libopenblas.0.dylib", "libopenblas.dylib",
			"/opt/homebrew/opt/openblas/lib/libopenblas.0.dylib",
			"/usr/local/opt/openblas/lib/libopenblas.0.dylib",
			"/opt/local/lib/libopenblas.0.dylib",
		}
	}
	return []string{"libopenblas.so.0", "libopenblas.so"}
}

// loadOpenBLAS loads the first library of the names that is there, and sets it
// to one thread. It stays loaded until the program ends.
func loadOpenBLAS(names ...string) (Implementation, error) {
	var (
		lib  uintptr
		errs []error
	)
	// The loader keeps its error for the thread that met it, and purego asks for
	// it in a second call.
	runtime.LockOSThread()
	for _, name := range names {
		var err error
		if lib, err = purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			break
		}
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	runtime.UnlockOSThread()
	if lib == 0 {
		return nil, &UnavailableError{Err: errors.Join(errs...)}
	}
	o, err := newOpenBLAS(lib)
	if err != nil {
		return nil, &UnavailableError{Err: err}
	}
	return o, nil
}

// newOpenBLAS looks up what is used of a loaded library.
func newOpenBLAS(lib uintptr) (*openBLAS, error) {
	o := &openBLAS{calls: make(chan *gemmCall, runtime.NumCPU()), oneThread: [1]uintptr{1}}
	for range cap(o.calls) {
		o.calls <- new(gemmCall)
	}
	var setThreads, getParallel, getConfig, getCore uintptr
	for _, s := range []struct {
		to   *uintptr
		name string
	}{
		{&o.sgemm, "sgemm_"},
		{&o.dgemm, "dgemm_"},
		{&setThreads, "openblas_set_num_threads"},
		{&getParallel, "openblas_get_parallel"},
		{&getConfig, "openblas_get_config"},
		{&getCore, "openblas_get_corename"},
	} {
		var err error
		if *s.to, err = purego.Dlsym(lib, s.name); err != nil {
			return nil, fmt.Errorf("look up %s: %w", s.name, err)
		}
	}
	const openMP = 2 // OPENBLAS_OPENMP of cblas.h
	if kind, _, _ := purego.SyscallN(getParallel); int32(kind) == openMP {
		var err error
		if o.ompSetThreads, err = purego.Dlsym(lib, "omp_set_num_threads"); err != nil {
			return nil, fmt.Errorf("look up omp_set_num_threads: %w", err)
		}
	}
	purego.SyscallN(setThreads, 1)

	var config, core func() string
	purego.RegisterFunc(&config, getConfig)
	purego.RegisterFunc(&core, getCore)
	o.name = openBLASTitle(config(), core())
	return o, nil
}

// openBLASTitle makes "OpenBLAS 0.3.21 (Zen)" of OpenBLAS's description of
// itself, such as "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Zen
// MAX_THREADS=64", and the core it is tuned for.
func openBLASTitle(config, core string) string {
	title := "OpenBLAS"
	if words := strings.Fields(config); len(words) >= 2 && words[0] == title {
		title += " " + words[1]
	}
	if core != "" {
		title += " (" + core + ")"
	}
	return title
}

// Name implements Implementation.
func (o *openBLAS) Name() string { return o.name }

// Sgemm implements Implementation.
func (o *openBLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(tA, tB, m, n, k, alpha != 0, len(a), lda, len(b), ldb, len(c), ldc)
	if m == 0 || n == 0 || k == 0 || alpha == 0 {
		scale(m, n, beta, c, ldc)
		return
	}
	p := <-o.calls
	p.alpha32, p.beta32 = alpha, beta
	p.a, p.b, p.c = unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0])
	o.call(o.sgemm, p, tA, tB, m, n, k, unsafe.Pointer(&p.alpha32), lda, ldb, unsafe.Pointer(&p.beta32), ldc)
}

// Dgemm implements Implementation.
func (o *openBLAS) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	checkGemm(tA, tB, m, n, k, alpha != 0, len(a), lda, len(b), ldb, len(c), ldc)
	if m == 0 || n == 0 || k == 0 || alpha == 0 {
		scale(m, n, beta, c, ldc)
		return
	}
	p := <-o.calls
	p.alpha64, p.beta64 = alpha, beta
	p.a, p.b, p.c = unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0])
	o.call(o.dgemm, p, tA, tB, m, n, k, unsafe.Pointer(&p.alpha64), lda, ldb, unsafe.Pointer(&p.beta64), ldc)
}

// call forms a product that is not empty and whose arguments are checked, and
// returns p to the free blocks.
//
// Fortran's matrices are column-major: the memory of a row-major X is Xᵀ to
// it. So it is asked for Cᵀ = op(B)ᵀ op(A)ᵀ, with the operands swapped and
// their transpositions as they are.
func (o *openBLAS) call(gemm uintptr, p *gemmCall, tA, tB blas.Transpose, m, n, k int, alpha unsafe.Pointer, lda, ldb int, beta unsafe.Pointer, ldc int) {
	p.tA, p.tB = byte(tA), byte(tB)
	p.m, p.n, p.k = int64(m), int64(n), int64(k)
	p.lda, p.ldb, p.ldc = int64(lda), int64(ldb), int64(ldc)
	p.addresses = [...]uintptr{
		uintptr(unsafe.Pointer(&p.tB)), uintptr(unsafe.Pointer(&p.tA)),
		uintptr(unsafe.Pointer(&p.n)), uintptr(unsafe.Pointer(&p.m)), uintptr(unsafe.Pointer(&p.k)),
		uintptr(alpha), uintptr(p.b), uintptr(unsafe.Pointer(&p.ldb)), uintptr(p.a), uintptr(unsafe.Pointer(&p.lda)),
		uintptr(beta), uintptr(p.c), uintptr(unsafe.Pointer(&p.ldc)),
		1, 1, // the lengths of the two strings, which some Fortran ABIs append
	}
	if o.ompSetThreads != 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		purego.SyscallN(o.ompSetThreads, o.oneThread[:]...)
	}
	purego.SyscallN(gemm, p.addresses[:]...)
	p.a, p.b, p.c = nil, nil, nil // do not hold on to the caller's memory
	o.calls <- p
}
