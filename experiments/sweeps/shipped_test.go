package sweeps

import (
	"context"
	"path/filepath"
	"testing"

	"pkm/experiments"
	"pkm/internal/compute"
)

// Three trials of every shipped sweep run, at a small size, and what they write is verified.
func TestShippedSweepsRun(t *testing.T) {
	files, err := filepath.Glob("../configs/sweeps/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	engine, err := compute.Open("gonum")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, file := range files {
		s, err := Read(file, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, at := range []float64{0.01, 0.5, 0.99} {
			u := make([]float64, len(s.Space))
			for i := range u {
				u[i] = at
			}
			c, err := s.Config(u)
			if err != nil {
				t.Errorf("%s at %g: %v", file, at, err)
				continue
			}
			c.Data.Train, c.Data.Query, c.Training.Steps, c.Training.BatchSize = 30, 5, 3, min(c.Training.BatchSize, 30)
			dir := filepath.Join(t.TempDir(), "run")
			if err := experiments.Execute(context.Background(), c, experiments.Options{Dir: dir, Engine: engine}); err != nil {
				t.Errorf("%s at %g: %v", file, at, err)
				continue
			}
			if report, err := experiments.Verify(dir); err != nil || !report.OK() {
				t.Errorf("%s at %g: verify: %v, %+v", file, at, err, report)
			}
		}
	}
}
