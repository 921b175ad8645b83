package parallel

import (
	"runtime"
	"time"
)

// awake is how long a helper waits actively for the next region, and a caller
// for its helpers, before it sleeps. It is a few times the cost of waking up,
// so that serial work between regions does not send helpers to sleep.
const awake = time.Millisecond

// maxHelpers is how many helpers a ticket can count.
const maxHelpers = 1<<16 - 1

// A ticket says which helpers may join the region that is open: those with
// index ≤ helpers; none may when no region is. It also counts those that have
// joined. The epoch tells regions apart.
func makeTicket(epoch uint64, helpers int) uint64 { return epoch<<32 | uint64(helpers)<<16 }

func epochOf(ticket uint64) uint64 { return ticket >> 32 }
func helpersOf(ticket uint64) int  { return int(ticket >> 16 & maxHelpers) }
func joinedOf(ticket uint64) int   { return int(ticket & maxHelpers) }

// helper is a goroutine of a pool that runs tiles as the worker of its index.
// The index is fixed, so when GOMAXPROCS falls, the helpers beyond it find no
// region to join and sleep.
type helper struct {
	sleeper
	index int    // from 1; the caller of a region is worker 0
	epoch uint64 // of the region it joined last
}

// open lets helpers join p.region and wakes those that sleep.
func (p *Pool) open(workers int) {
	p.cores.Store(int64(min(runtime.GOMAXPROCS(0), runtime.NumCPU())))
	helpers := workers - 1
	p.ticket.Store(makeTicket(epochOf(p.ticket.Load())+1, helpers))
	if len(p.helpers) < helpers {
		p.start(helpers)
	}
	for _, h := range p.helpers[:min(helpers, len(p.helpers))] {
		h.rouse()
	}
}

// start starts helpers until there are as many as given, unless p is closed.
func (p *Pool) start(helpers int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return
	}
	for len(p.helpers) < helpers {
		h := &helper{sleeper: newSleeper(), index: len(p.helpers) + 1}
		p.helpers = append(p.helpers, h)
		go p.serve(h)
	}
}

// finish closes p.region to helpers that have not joined, and waits for those
// that have.
func (p *Pool) finish(workers int) {
	ticket := p.ticket.Load()
	ticket = p.ticket.Swap(makeTicket(epochOf(ticket), 0))
	if p.pending.Add(int64(joinedOf(ticket))) != 0 {
		p.caller.wait(p.patience(workers-1), func() bool { return p.pending.Load() == 0 })
	}
	p.region.job = job{} // do not keep what the function holds until the next region
}

// serve joins one region after another until p is closed.
func (p *Pool) serve(h *helper) {
	ended := true
	defer func() {
		if ended { // by runtime.Goexit in a tile
			go p.serve(h)
		}
	}()
	for {
		h.wait(p.patience(h.index), func() bool { return p.invited(h, p.ticket.Load()) || p.closed.Load() })
		if p.closed.Load() {
			ended = false
			return
		}
		if p.join(h) {
			p.help(h)
		}
	}
}

// patience returns how long worker may wait actively: not at all when it would
// take a core from another worker.
func (p *Pool) patience(worker int) time.Duration {
	if int64(worker) >= p.cores.Load() {
		return 0
	}
	return awake
}

// invited reports whether h may join the region of ticket.
func (p *Pool) invited(h *helper, ticket uint64) bool {
	return h.index <= helpersOf(ticket) && h.epoch != epochOf(ticket)
}

// join enters h in the region that is open, if it still is.
func (p *Pool) join(h *helper) bool {
	for {
		ticket := p.ticket.Load()
		if !p.invited(h, ticket) {
			return false
		}
		if p.ticket.CompareAndSwap(ticket, ticket+1) {
			h.epoch = epochOf(ticket)
			return true
		}
	}
}

// help runs tiles of the region that h has joined, and leaves it.
func (p *Pool) help(h *helper) {
	defer func() { // also when a tile ends this goroutine
		if p.pending.Add(-1) == 0 {
			p.caller.rouse()
		}
	}()
	p.region.work(h.index)
}
