package sweeps

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// However many workers there are, each finds a trial to run; trials that nobody takes are not
// drawn without end.
func TestManyWorkersFindTrials(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"base.yaml": "name: quick\ndata: {train: 30, query: 5}\ntraining: {steps: 2}\nmachines: []\npath_kernel: none\n",
		"sweep.yaml": "experiment: base.yaml\nmethod: random\nrun_cap: 1000\nmetric: {name: network.query_loss}\nparameters:\n  training.optimizer.learning_rate: {distribution: uniform, min: 0.1, max: 1}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Read(filepath.Join(dir, "sweep.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := startServer(filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.stop()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough, ended := errors.New("enough"), make(chan error, 1)
	out := filepath.Join(dir, "out")
	go func() {
		_, err := Run(ctx, s, Options{Dir: out, Server: e.access, Lost: time.Minute})
		ended <- err
	}()
	defer func() {
		cancel(enough)
		if err := <-ended; !errors.Is(err, enough) {
			t.Error(err)
		}
	}()
	conn, err := Connect(e.access, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{Conn: conn}
	var consumer jetstream.Consumer
	if err := patiently(ctx, time.Minute, noSweep, func() error { consumer, err = w.open(ctx, js); return err }); err != nil {
		t.Fatal(err)
	}
	q := &queue{conn, js, w.Sweep}
	for taken := range 200 { // workers that take a trial each and finish none
		if _, err := consumer.Next(jetstream.FetchMaxWait(20 * time.Second)); err != nil {
			t.Fatalf("after %d: %v", taken, err)
		}
		if n, err := q.untaken(ctx); err != nil || n > ahead {
			t.Fatalf("%d trials wait for a worker, %v; %d are enough", n, err, ahead)
		}
	}
}
