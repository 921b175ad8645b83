package experiments

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// readEvents takes an event file apart: a line "STEP TAG VALUE" for each scalar, and the wall times of its records.
func readEvents(t *testing.T, path string) (scalars []string, walls []float64) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	fields := func(b []byte, visit func(number protowire.Number, varint uint64, bytes []byte)) {
		for len(b) > 0 {
			number, kind, n := protowire.ConsumeTag(b)
			b = b[n:]
			var varint uint64
			var bytes []byte
			switch kind {
			case protowire.VarintType:
				varint, n = protowire.ConsumeVarint(b)
			case protowire.Fixed64Type:
				varint, n = protowire.ConsumeFixed64(b)
			case protowire.Fixed32Type:
				var v uint32
				v, n = protowire.ConsumeFixed32(b)
				varint = uint64(v)
			case protowire.BytesType:
				bytes, n = protowire.ConsumeBytes(b)
			}
			if n < 0 {
				t.Fatalf("%s: %v", path, protowire.ParseError(n))
			}
			b = b[n:]
			visit(number, varint, bytes)
		}
	}
	for len(b) > 0 {
		size := binary.LittleEndian.Uint64(b)
		data := b[12 : 12+size]
		b = b[16+size:]
		step := uint64(0)
		fields(data, func(number protowire.Number, varint uint64, bytes []byte) {
			switch number {
			case 1:
				walls = append(walls, math.Float64frombits(varint))
			case 2:
				step = varint
			case 5:
				fields(bytes, func(_ protowire.Number, _ uint64, value []byte) {
					tag := ""
					fields(value, func(number protowire.Number, varint uint64, bytes []byte) {
						if number == 1 {
							tag = string(bytes)
							return
						}
						scalars = append(scalars, fmt.Sprintf("%d %s %v", step, tag, math.Float32frombits(uint32(varint))))
					})
				})
			}
		})
	}
	return scalars, walls
}

// wantEvents returns what an event file should hold by the metrics of the run.
func wantEvents(t *testing.T, dir string) (scalars []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, metricsName))
	must(t, err)
	for line := range strings.Lines(string(b)) {
		var m map[string]*float64
		must(t, json.Unmarshal([]byte(line), &m))
		for _, tag := range []string{"loss", "accuracy", "learning_rate", "step_residual"} {
			if v := m[tag]; v != nil {
				scalars = append(scalars, fmt.Sprintf("%v %s %v", *m["step"], tag, float32(*v)))
			}
		}
	}
	return scalars
}

// The event file holds what metrics.jsonl does, also of a run that was interrupted and went on, and the manifest lists it.
func TestEvents(t *testing.T) {
	c, dir := interruptedRun(t, "tensorboard=true", "training.schedule.kind=cosine")
	check := func(steps int) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "events", "*tfevents*"))
		must(t, err)
		if len(files) != 1 {
			t.Fatalf("event files %v", files)
		}
		got, walls := readEvents(t, files[0])
		want := wantEvents(t, dir)
		if len(want) < 3*steps || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d scalars of %d steps:\n%s\nwant\n%s", len(got), steps, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		m, err := ReadManifest(dir)
		must(t, err)
		for i, wall := range walls {
			if since := wall - float64(m.Started.Unix()); since < 0 || since > 600 || i > 0 && wall < walls[i-1] {
				t.Errorf("record %d is of %v s after the start", i, since)
			}
		}
		name, err := filepath.Rel(dir, files[0])
		must(t, err)
		if record, listed := (&Run{Manifest: *m}).record(filepath.ToSlash(name)); !listed || record.Bytes == 0 {
			t.Errorf("the manifest has %+v", record)
		}
	}
	check(4)
	must(t, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t), Resume: true}))
	check(30)
	if report, err := Verify(dir); err != nil || !report.OK() {
		t.Errorf("%v, %+v", err, report)
	}
	_, dir = interruptedRun(t)
	if _, err := os.Stat(filepath.Join(dir, "events")); err == nil {
		t.Error("a run without tensorboard has events")
	}
}
