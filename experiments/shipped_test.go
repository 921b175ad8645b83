package experiments

import (
	"context"
	"path/filepath"
	"testing"
)

// makeSmall makes a run of a shipped configuration one of seconds.
func makeSmall(c *Config) {
	c.Data.Train, c.Data.Query, c.Training.Steps = min(c.Data.Train, 30), min(c.Data.Query, 5), 3
	c.Training.BatchSize = min(c.Training.BatchSize, 30)
	c.Decompose.Windows, c.Analysis.Samples = min(c.Decompose.Windows, 3), min(c.Analysis.Samples, 30)
	c.Analysis.Every = min(c.Analysis.Every, 1)
	if c.Training.Optimizer.Kind == "flow" {
		c.Training.Optimizer.Time = c.Training.Optimizer.MaxStep
	}
}

// Every shipped configuration runs, at a small size, and what it writes is verified. Those whose data are not installed
// are passed over.
func TestShippedConfigurationsRun(t *testing.T) {
	long(t)
	files, err := filepath.Glob("configs/*.[ytj]*")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d configurations, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, nil, nil)
			if withoutFashion(t, file, err) {
				t.Skip("its data are not installed")
			}
			must(t, err)
			makeSmall(c)
			must(t, c.Validate())
			dir := filepath.Join(t.TempDir(), "run")
			must(t, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)}))
			report, err := Verify(dir)
			must(t, err)
			if !report.OK() {
				t.Errorf("%+v", report.failed())
			}
		})
	}
}
