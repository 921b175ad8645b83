package sweeps

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// delayed returns the address of a proxy of another address, on a link that takes d each way.
func delayed(t *testing.T, address string, d time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	type chunk struct {
		at   time.Time
		data []byte
	}
	forward := func(to, from net.Conn) {
		chunks := make(chan chunk, 1000)
		go func() {
			defer close(chunks)
			for {
				data := make([]byte, 1<<16)
				n, err := from.Read(data)
				chunks <- chunk{time.Now().Add(d), data[:n]}
				if err != nil {
					return
				}
			}
		}()
		for c := range chunks {
			time.Sleep(time.Until(c.at))
			_, _ = to.Write(c.data)
		}
		to.Close()
	}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				near.Close()
				continue
			}
			go forward(near, far)
			go forward(far, near)
		}
	}()
	return l.Addr().String()
}

// No task is lost to a worker that waits on a slow link, whenever it comes; the end of the sweep ends the wait.
func TestWaitingOnASlowLink(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	e, err := startServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer e.stop()
	near := e.access
	near.URL = "nats://" + delayed(t, strings.TrimPrefix(e.access.URL, "nats://"), 100*time.Millisecond)
	queues := make([]*queue, 2)
	for i, access := range []Access{e.access, near} {
		conn, err := Connect(access, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if queues[i], err = newQueue(conn, "test"); err != nil {
			t.Fatal(err)
		}
	}
	coordinator, worker := queues[0], queues[1]
	if err := coordinator.create(t.Context(), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	consumer, err := worker.js.Consumer(t.Context(), worker.tasks(), "workers")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 1)
	for wait := 50 * time.Millisecond; wait < 800*time.Millisecond; wait += 50 * time.Millisecond {
		go func() {
			time.Sleep(wait)
			if err := coordinator.publish(t.Context(), coordinator.subject("task"), &Task{}); err != nil {
				t.Error(err)
			}
		}()
		var m jetstream.Msg
		for begun := time.Now(); m == nil; {
			if time.Since(begun) > 5*time.Second {
				t.Fatalf("a task that was published after %v is lost", wait)
			}
			m, _ = next(t.Context(), worker, consumer, told)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told <- struct{}{} // of an earlier end: the sweep goes on
	if _, err := next(t.Context(), worker, consumer, told); err == nil || err == errOver {
		t.Errorf("a sweep that goes on: %v", err)
	}
	if err := coordinator.publish(t.Context(), coordinator.subject("over"), struct{}{}); err != nil {
		t.Fatal(err)
	}
	told <- struct{}{}
	if _, err := next(t.Context(), worker, consumer, told); err != errOver {
		t.Errorf("a sweep that is over: %v", err)
	}
}
