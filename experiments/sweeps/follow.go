package sweeps

import "context"

// message is something that a stream says.
type message struct {
	subject string
	data    []byte
}

// follower reads what is known of a sweep, and then what becomes known.
type follower struct {
	messages chan message
	caughtUp chan struct{} // closed when what was known at the beginning is read
	failed   chan error    // why nothing more is read
}

// follow reads a queue's stream until ctx is done.
func follow(ctx context.Context, q *queue) *follower {
	f := &follower{make(chan message), make(chan struct{}), make(chan error, 1)}
	go func() {
		f.failed <- q.known(ctx, func(subject string, data []byte) error {
			select {
			case f.messages <- message{subject, data}:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, func() { close(f.caughtUp) })
	}()
	return f
}
