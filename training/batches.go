package training

import (
	"fmt"
	"math/rand/v2"
)

// Batches says which samples each step trains on. It has no state that a run would have
// to save: the order of an epoch depends on the seed and the epoch alone.
type Batches struct {
	samples, size int
	seed          uint64
	epoch         int   // of order
	order         []int // nil before the first mini-batch
}

// NewBatches returns the batches of N samples: all of them in every step when size is 0 or
// N, otherwise, in every epoch, a new permutation cut into batches of that size, of which the
// last may be smaller.
func NewBatches(samples, size int, seed uint64) (*Batches, error) {
	if samples < 1 || size < 0 || size > samples {
		return nil, fmt.Errorf("training: batches of %d out of %d samples: a batch has at least 1 and at most all of them, 0 standing for all", size, samples)
	}
	if size == 0 {
		size = samples
	}
	return &Batches{samples: samples, size: size, seed: seed}, nil
}

// PerEpoch returns the number of steps of an epoch.
func (b *Batches) PerEpoch() int { return (b.samples + b.size - 1) / b.size }

// Size returns the size of all batches but the last of an epoch.
func (b *Batches) Size() int { return b.size }

// At returns the epoch of a step and its batch, nil for all samples in order. The slice
// is valid until the next call. O(N) at a new epoch.
func (b *Batches) At(step int) (epoch int, batch []int) {
	per := b.PerEpoch()
	epoch = step / per
	if b.size == b.samples {
		return epoch, nil
	}
	if b.order == nil || b.epoch != epoch {
		// The words of the generator's seed keep epochs, and other streams of the seed, apart.
		const stream = 0x62617463686573 << 8 // "batches"
		b.epoch, b.order = epoch, rand.New(rand.NewPCG(b.seed, stream+uint64(epoch))).Perm(b.samples)
	}
	first := step % per * b.size
	return epoch, b.order[first:min(first+b.size, b.samples)]
}
