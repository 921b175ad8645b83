package blas

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// each runs f for gonum and for OpenBLAS, where the machine has it.
func each(t *testing.T, f func(t *testing.T, impl Implementation)) {
	for _, choice := range []string{choiceGonum, choiceOpenBLAS} {
		t.Run(choice, func(t *testing.T) { f(t, mustOpen(t, choice)) })
	}
}

// mustOpen opens a BLAS, or skips the test where OpenBLAS is absent.
func mustOpen(t testing.TB, choice string) Implementation {
	t.Helper()
	impl, err := Open(choice)
	if unavailable := (*UnavailableError)(nil); errors.As(err, &unavailable) {
		t.Skip("OpenBLAS is absent:", unavailable.Err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return impl
}

func TestOpen(t *testing.T) {
	gonum, err := Open("gonum")
	if err != nil || !strings.HasPrefix(gonum.Name(), "gonum") {
		t.Errorf("Open(gonum) = %v, %v", gonum, err)
	}

	best, err := Open("")
	if err != nil {
		t.Fatalf("Open of no choice: %v", err)
	}
	openBLAS, err := Open("openblas")
	if err != nil {
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) {
			t.Fatalf("Open(openblas): %v, want *UnavailableError", err)
		}
		for _, part := range []string{"apt-get install libopenblas0", `"gonum"`} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
		if best.Name() != gonum.Name() {
			t.Errorf("without OpenBLAS, no choice opened %q", best.Name())
		}
		return
	}
	if best.Name() != openBLAS.Name() || !strings.HasPrefix(best.Name(), "OpenBLAS ") {
		t.Errorf("no choice opened %q; OpenBLAS is here as %q", best.Name(), openBLAS.Name())
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, tc := range []struct{ choice, nearest string }{
		{"OpenBLAS", "openblas"}, {"open-blas", "openblas"}, {"blas", "openblas"}, {"gonnum", "gonum"}, {" gonum", "gonum"},
	} {
		impl, err := Open(tc.choice)
		var choiceErr *ChoiceError
		if impl != nil || !errors.As(err, &choiceErr) {
			t.Errorf("Open(%q) = %v, %v, want *ChoiceError", tc.choice, impl, err)
			continue
		}
		if choiceErr.Nearest != tc.nearest {
			t.Errorf("Open(%q): nearest %q, want %q", tc.choice, choiceErr.Nearest, tc.nearest)
		}
		for _, part := range []string{`"openblas"`, `"gonum"`, `nearest is "` + tc.nearest + `"`} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %s", err, part)
			}
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 2},
	} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

// Arguments that do not describe matrices inside the slices are refused before
// anything is read or written. Every row differs from a good call in one value.
func TestGemmRefuses(t *testing.T) {
	type args struct {
		tA, tB         Transpose
		m, n, k        int
		a, lda, b, ldb int // slice lengths, leading dimensions
		c, ldc         int
		alpha          float64
		want           string
	}
	good := args{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 12, ldb: 3, c: 6, ldc: 3, alpha: 1}
	with := func(want string, change func(*args)) args {
		x := good
		change(&x)
		x.want = want
		return x
	}
	rows := []args{
		good,
		with("blas: illegal transpose", func(x *args) { x.tA = 'X' }),
		with("blas: illegal transpose", func(x *args) { x.tB = 0 }),
		with("blas: m < 0", func(x *args) { x.m = -1 }),
		with("blas: n < 0", func(x *args) { x.n = -1 }),
		with("blas: k < 0", func(x *args) { x.k = -1 }),
		with("blas: bad leading dimension of A", func(x *args) { x.lda = 3 }),
		with("blas: bad leading dimension of A", func(x *args) { x.tA, x.lda = 'T', 1 }),
		with("blas: bad leading dimension of A", func(x *args) { x.m, x.lda = 0, 0 }),
		with("blas: bad leading dimension of B", func(x *args) { x.ldb = 2 }),
		with("blas: bad leading dimension of B", func(x *args) { x.tB, x.ldb = 'T', 3 }),
		with("blas: bad leading dimension of C", func(x *args) { x.ldc = 2 }),
		with("blas: insufficient length of a", func(x *args) { x.a = 7 }),
		with("blas: insufficient length of a", func(x *args) { x.tA, x.lda, x.a = 'C', 3, 10 }),
		with("blas: insufficient length of b", func(x *args) { x.b = 11 }),
		with("blas: insufficient length of b", func(x *args) { x.tB, x.ldb, x.b = 'T', 5, 13 }),
		with("blas: insufficient length of c", func(x *args) { x.c = 5 }),
		with("blas: insufficient length of c", func(x *args) { x.alpha, x.c = 0, 5 }),
		// Nothing is read of A and B, so they may be empty.
		with("", func(x *args) { x.k, x.a, x.b = 0, 0, 0 }),
		with("", func(x *args) { x.alpha, x.a, x.b = 0, 0, 0 }),
		with("", func(x *args) { x.m, x.a, x.c = 0, 0, 0 }),
		with("", func(x *args) { x.n, x.b, x.c = 0, 0, 0 }),
	}
	if math.MaxInt > math.MaxInt32 {
		big := math.MaxInt32
		big++ // a constant would not compile where int has 32 bits
		rows = append(rows,
			with("blas: m > 2³¹−1", func(x *args) { x.m = big }),
			with("blas: n > 2³¹−1", func(x *args) { x.n, x.ldb, x.ldc = big, big, big }),
			with("blas: k > 2³¹−1", func(x *args) { x.k = big }),
			with("blas: bad leading dimension of C", func(x *args) { x.ldc = big }),
			// (m−1)·ldc ≈ 2⁶² does not wrap around.
			with("blas: insufficient length of a", func(x *args) { x.m, x.ldc = big-1, big-1 }),
		)
	}
	each(t, func(t *testing.T, impl Implementation) {
		for _, x := range rows {
			check := func(precision string, call func()) {
				t.Helper()
				defer func() {
					got, _ := recover().(string)
					if got != x.want {
						t.Errorf("%s %+v: panic %q, want %q", precision, x, got, x.want)
					}
				}()
				call()
			}
			check("float32", func() {
				impl.Sgemm(x.tA, x.tB, x.m, x.n, x.k, float32(x.alpha), make([]float32, x.a), x.lda, make([]float32, x.b), x.ldb, 0, make([]float32, x.c), x.ldc)
			})
			check("float64", func() {
				impl.Dgemm(x.tA, x.tB, x.m, x.n, x.k, x.alpha, make([]float64, x.a), x.lda, make([]float64, x.b), x.ldb, 0, make([]float64, x.c), x.ldc)
			})
		}
	})
}
