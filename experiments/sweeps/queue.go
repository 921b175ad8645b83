package sweeps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pkm/experiments"
)

// queue is the part of a server that belongs to one sweep: a work queue of tasks, and a stream
// of what is known, trials and results, each under a subject of its own, of which the first
// counts: a result that is published again, late or by a worker that was given up, changes
// nothing. Everything is published synchronously.
type queue struct {
	conn *nats.Conn
	js   jetstream.JetStream
	id   string // of the sweep
}

func newQueue(conn *nats.Conn, id string) (*queue, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("open the work queue: %w", err)
	}
	return &queue{conn, js, id}, nil
}

func (q *queue) tasks() string     { return "pkm-" + q.id + "-tasks" }
func (q *queue) knowledge() string { return "pkm-" + q.id }

func (q *queue) subject(parts ...any) string {
	s := "pkm." + q.id
	for _, p := range parts {
		s += fmt.Sprintf(".%v", p)
	}
	return s
}

// waiting is how long one request to the server may take.
const waiting = 30 * time.Second

// create creates the streams, or opens them. A worker that says nothing for lost is given up.
func (q *queue) create(ctx context.Context, lost time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	_, err := q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: q.knowledge(), Subjects: []string{q.subject("trial", "*"), q.subject("result", "*", "*"), q.subject("over")},
		Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true})
	if err == nil {
		_, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: q.tasks(), Subjects: []string{q.subject("task")}, Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy})
	}
	if err == nil {
		_, err = q.js.CreateOrUpdateConsumer(ctx, q.tasks(), jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: lost, MaxDeliver: -1, MaxAckPending: -1})
	}
	if err != nil {
		return fmt.Errorf("create the work queue of sweep %s: %w", q.id, err)
	}
	return nil
}

// publish publishes v under a subject. One under which something is already stays as it is.
func (q *queue) publish(ctx context.Context, subject string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("publish %s: %w", subject, err)
	}
	for {
		attempt, cancel := context.WithTimeout(ctx, waiting)
		_, err = q.js.Publish(attempt, subject, text)
		cancel()
		switch {
		case err == nil, strings.Contains(fmt.Sprint(err), "maximum messages per subject exceeded"):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("publish %s: %w", subject, context.Cause(ctx))
		case (errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)) && q.gone(ctx):
			return fmt.Errorf("publish %s: %w", subject, errGone)
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrReconnectBufExceeded):
			select { // the server is away; it comes back, or the caller gives up
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		default:
			return fmt.Errorf("publish %s: %w", subject, err)
		}
	}
}

// untaken returns how many tasks no worker has taken.
func (q *queue) untaken(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	consumer, err := q.js.Consumer(ctx, q.tasks(), "workers")
	if err != nil {
		return 0, err
	}
	return int(consumer.CachedInfo().NumPending), nil
}

// errGone says that the streams are no longer on the server: what they were for is over.
var errGone = errors.New("the queue is no longer on the server: the run is over")

// gone reports whether the server says that it has no such streams.
func (q *queue) gone(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	_, err := q.js.Stream(ctx, q.knowledge())
	return errors.Is(err, jetstream.ErrStreamNotFound)
}

// forgetTasks empties the work queue.
func (q *queue) forgetTasks(ctx context.Context) error {
	return q.purge(ctx, q.tasks())
}

// begin takes back that the sweep is over.
func (q *queue) begin(ctx context.Context) error {
	return q.purge(ctx, q.knowledge(), jetstream.WithPurgeSubject(q.subject("over")))
}

func (q *queue) purge(ctx context.Context, name string, options ...jetstream.StreamPurgeOpt) error {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	stream, err := q.js.Stream(ctx, name)
	if err == nil {
		err = stream.Purge(ctx, options...)
	}
	if err != nil {
		return fmt.Errorf("empty the stream %s: %w", name, err)
	}
	return nil
}

// remove takes the streams off the server.
func (q *queue) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	for _, name := range []string{q.tasks(), q.knowledge()} {
		if err := q.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("remove the stream %s: %w", name, err)
		}
	}
	return nil
}

// known calls use for every trial and result that is known, and for every one that will be,
// until ctx is done; caughtUp is called once, when the former have been used.
func (q *queue) known(ctx context.Context, use func(subject string, data []byte) error, caughtUp func()) error {
	fail := func(err error) error { return fmt.Errorf("read what is known of sweep %s: %w", q.id, err) }
	stream, err := q.js.Stream(ctx, q.knowledge())
	if err != nil {
		return fail(err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fail(err)
	}
	consumer, err := q.js.OrderedConsumer(ctx, q.knowledge(), jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fail(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fail(err)
	}
	defer messages.Stop()
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	said := info.State.Msgs == 0
	if said {
		caughtUp()
	}
	for {
		m, err := messages.Next()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // the server is away; the consumer begins again where it was
		}
		if err != nil {
			return fail(err)
		}
		if err := use(m.Subject(), m.Data()); err != nil {
			return err
		}
		if meta, err := m.Metadata(); err == nil && !said && meta.NumPending == 0 {
			caughtUp()
			said = true
		}
	}
}

// isOver reports whether the coordinator has said that there is nothing more to do.
func (q *queue) isOver(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	stream, err := q.js.Stream(ctx, q.knowledge())
	if err != nil {
		return false, err
	}
	_, err = stream.GetLastMsgForSubject(ctx, q.subject("over"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Report is what a worker says of the trial that it runs, without its being kept.
type Report struct {
	Worker  string             `json:"worker"`
	Trial   int                `json:"trial"`
	Attempt int                `json:"attempt"`
	Step    int                `json:"step"`
	Steps   int                `json:"steps"`
	Loss    experiments.Figure `json:"loss"`
}
