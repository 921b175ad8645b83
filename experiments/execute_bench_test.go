package experiments

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"pkm/internal/compute"
)

// The main job whole: training, three machines, files. One run is one iteration:
//
//	go test ./experiments -run '^$' -bench DigitsMLP -benchtime 1x
func BenchmarkDigitsMLP(b *testing.B) {
	text, err := os.ReadFile("configs/digits-mlp.yaml")
	if err != nil {
		b.Fatal(err)
	}
	c, err := Parse("digits-mlp.yaml", text, "yaml", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"gonum", "openblas"} {
		b.Run(name, func(b *testing.B) {
			engine, err := compute.Open(name)
			if err != nil {
				b.Skip(err)
			}
			defer engine.Close()
			for b.Loop() {
				if err := Execute(context.Background(), c, Options{Dir: filepath.Join(b.TempDir(), "run"), Engine: engine}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(peakMemory())/1e6, "peak-MB")
		})
	}
}
