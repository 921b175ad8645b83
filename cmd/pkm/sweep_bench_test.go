package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// A sweep of 40 equal trials by one and by two local workers, one core each, from start to
// end: that of two is to take at most 0.6 of the time of one.
func BenchmarkSweep40(b *testing.B) {
	dir := b.TempDir()
	for name, text := range map[string]string{
		"base.yaml": "name: equal\ndata: {train: 500, query: 50}\nnetwork: {hidden: [64, 64]}\ntraining: {steps: 60}\n" +
			"machines: [{name: exact, family: exact, rule: gauss-3}]\npath_kernel: none\n",
		"sweep.yaml": "experiment: base.yaml\nmethod: random\nrun_cap: 40\nmetric: {name: network.query_loss}\n" +
			"parameters: {training.optimizer.learning_rate: {distribution: uniform, min: 0.05, max: 0.1}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	for i, name := range []string{"one", "two"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(os.Args[0], "sweep", filepath.Join(dir, "sweep.yaml"), "--workers", strconv.Itoa(i+1), "--out", filepath.Join(b.TempDir(), "sweep"))
				cmd.Env = append(os.Environ(), asProgram, "PKM_BLAS="+os.Getenv("PKM_BLAS"))
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
