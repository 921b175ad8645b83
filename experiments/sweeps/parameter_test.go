package sweeps

import "testing"

// Multiples are told apart however large they are, and have no digits that they need not.
func TestMultiples(t *testing.T) {
	for _, test := range []struct {
		k    int
		q    float64
		want string
	}{
		{3, 0.1, "0.3"}, {70, 0.1, "7"}, {-3, 0.1, "-0.3"}, {1_000_000_000_001, 1, "1000000000001"}, {10_000_000_000_001, 0.5, "5000000000000.5"},
		{100_000_000_000_001, 0.1, "10000000000000.1"}, {999_999_999_999_999, 2, "1.999999999999998e+15"},
	} {
		if got := multiple(test.k, test.q); got != test.want {
			t.Errorf("%d·%g = %s, want %s", test.k, test.q, got, test.want)
		}
	}
}
