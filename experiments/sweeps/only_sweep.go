package sweeps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// onlySweep returns the id of the sweep on a server that has one that is not over.
func onlySweep(ctx context.Context, conn *nats.Conn, js jetstream.JetStream) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	fail := func(err error) (string, error) { return "", fmt.Errorf("look for a sweep on the server: %w", err) }
	var all, over, open []string
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if id, ok := strings.CutSuffix(strings.TrimPrefix(name, "pkm-"), "-tasks"); ok && strings.HasPrefix(name, "pkm-") {
			all = append(all, id)
		}
	}
	if err := names.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return fail(err)
	}
	for _, id := range all {
		switch ended, err := (&queue{conn, js, id}).isOver(ctx); {
		case errors.Is(err, jetstream.ErrStreamNotFound): // being cleared away
		case err != nil:
			return fail(err)
		case ended:
			over = append(over, id)
		default:
			open = append(open, id)
		}
	}
	switch {
	case len(open) > 1:
		return fail(fmt.Errorf("there are %d that are not over (%s); name one with --sweep", len(open), strings.Join(open, ", ")))
	case len(open) == 1:
		return open[0], nil
	case len(over) > 0:
		return fail(fmt.Errorf("all there are over (%s), and of others %w", strings.Join(over, ", "), errNoSweep))
	}
	return fail(errNoSweep)
}
