package sweeps

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"pkm/experiments"
)

func figureOf(x float64) experiments.Figure { return experiments.Figure(x) }

// serve opens the queue of a server in dir.
func serve(t *testing.T, dir string) (*queue, func()) {
	t.Helper()
	e, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := Connect(e.access, "test")
	if err != nil {
		t.Fatal(err)
	}
	q, err := newQueue(conn, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.create(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	return q, func() { conn.Close(); e.stop() }
}

// everything returns the messages that are known.
func everything(t *testing.T, q *queue) map[string]string {
	t.Helper()
	got, end := map[string]string{}, errors.New("that is all")
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := q.known(ctx, func(subject string, data []byte) error { got[subject] = string(data); return nil }, func() { cancel(end) }); !errors.Is(err, end) {
		t.Fatal(err)
	}
	return got
}

// Of two results of one attempt the first counts, and what was published is there after a
// restart.
func TestTheFirstResultCounts(t *testing.T) {
	dir := t.TempDir()
	q, stop := serve(t, dir)
	if got := everything(t, q); len(got) != 0 {
		t.Errorf("%v", got)
	}
	for _, text := range []string{"first", "second"} {
		if err := q.publish(t.Context(), q.subject("result", 3, 1), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(q.publish(t.Context(), q.subject("result", 3, 2), "another attempt"), q.publish(t.Context(), q.subject("over"), 1), q.begin(t.Context())); err != nil {
		t.Fatal(err)
	}
	stop()
	q, stop = serve(t, dir)
	defer stop()
	want := map[string]string{"pkm.test.result.3.1": `"first"`, "pkm.test.result.3.2": `"another attempt"`}
	if got := everything(t, q); len(got) != 2 || got["pkm.test.result.3.1"] != want["pkm.test.result.3.1"] || got["pkm.test.result.3.2"] != want["pkm.test.result.3.2"] {
		t.Errorf("%v", got)
	}
}

// A task that a worker says nothing of goes to another; one that is handed back does so at once.
func TestTasksAreDeliveredAgain(t *testing.T) {
	q, stop := serve(t, t.TempDir())
	defer stop()
	if err := q.publish(t.Context(), q.subject("task"), &Task{Trial: Trial{Number: 7}, Attempt: 2}); err != nil {
		t.Fatal(err)
	}
	consumer, err := q.js.Consumer(t.Context(), q.tasks(), "workers")
	if err != nil {
		t.Fatal(err)
	}
	for delivery, end := range []func(jetstream.Msg) error{
		func(jetstream.Msg) error { return nil }, // dies
		func(m jetstream.Msg) error { return m.Nak() },
		func(m jetstream.Msg) error { return m.DoubleAck(t.Context()) },
	} {
		m, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			t.Fatalf("delivery %d: %v", delivery+1, err)
		}
		var task Task
		meta, err := m.Metadata()
		if err != nil || json.Unmarshal(m.Data(), &task) != nil || task.Trial.Number != 7 || task.Attempt != 2 || int(meta.NumDelivered) != delivery+1 {
			t.Errorf("delivery %d: %s, %v", delivery+1, m.Data(), err)
		}
		if err := end(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := consumer.Next(jetstream.FetchMaxWait(1500 * time.Millisecond)); err == nil {
		t.Error("a task that was done is delivered again")
	}
}
