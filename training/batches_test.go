package training

import (
	"slices"
	"testing"
)

func TestBatchesCoverEveryEpoch(t *testing.T) {
	for _, test := range []struct{ samples, size, per, last int }{{10, 3, 4, 1}, {10, 5, 2, 5}, {7, 7, 1, 7}, {7, 0, 1, 7}, {5, 1, 5, 1}} {
		b, err := NewBatches(test.samples, test.size, 9)
		if err != nil {
			t.Fatal(err)
		}
		if b.PerEpoch() != test.per {
			t.Fatalf("%+v: %d steps an epoch", test, b.PerEpoch())
		}
		var orders [][]int
		for epoch := range 3 {
			var seen []int
			for s := range test.per {
				got, batch := b.At(epoch*test.per + s)
				if got != epoch {
					t.Fatalf("%+v: step %d is in epoch %d", test, epoch*test.per+s, got)
				}
				if test.size == 0 || test.size == test.samples {
					if batch != nil {
						t.Fatalf("%+v: a full batch is %v", test, batch)
					}
					continue
				}
				if s == test.per-1 && len(batch) != test.last {
					t.Errorf("%+v: the last batch holds %d", test, len(batch))
				}
				seen = append(seen, batch...)
			}
			orders = append(orders, slices.Clone(seen))
			slices.Sort(seen)
			for i, s := range seen {
				if s != i {
					t.Fatalf("%+v: epoch %d holds %v", test, epoch, seen)
				}
			}
		}
		if len(orders[0]) > 1 && slices.Equal(orders[0], orders[1]) {
			t.Errorf("%+v: two epochs in one order", test)
		}
	}
}

// Any step is known without those before it.
func TestBatchesHaveNoState(t *testing.T) {
	whole, _ := NewBatches(10, 3, 9)
	other, _ := NewBatches(10, 3, 10)
	same := true
	for s := range 12 {
		fresh, _ := NewBatches(10, 3, 9)
		_, want := whole.At(s)
		if _, got := fresh.At(s); !slices.Equal(got, want) {
			t.Errorf("step %d: %v, in sequence %v", s, got, want)
		}
		_, unlike := other.At(s)
		same = same && slices.Equal(unlike, want)
	}
	if same {
		t.Error("the seed does not matter")
	}
	for _, bad := range [][2]int{{0, 0}, {5, 6}, {5, -1}} {
		if _, err := NewBatches(bad[0], bad[1], 1); err == nil {
			t.Errorf("batches of %d out of %d were taken", bad[1], bad[0])
		}
	}
}
