package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/spf13/cobra"

	"pkm/internal/blas"
)

func (c *command) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine has: Go, BLAS and its measured rate, cores, memory",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("doctor takes no argument, found %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(c.out, "go       %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
			model := ""
			if info, err := cpu.Info(); err == nil && len(info) > 0 {
				model = " (" + info[0].ModelName + ")"
			}
			fmt.Fprintf(c.out, "cores    %d, of which %d are used%s\n", runtime.NumCPU(), runtime.GOMAXPROCS(0), model)
			if m, err := mem.VirtualMemory(); err == nil {
				fmt.Fprintf(c.out, "memory   %.1f GiB, %.1f GiB available\n", gib(m.Total), gib(m.Available))
			} else {
				fmt.Fprintf(c.out, "memory   unknown: %v\n", err)
			}
			b, err := blas.Open(c.variable("PKM_BLAS"))
			if err != nil {
				return err
			}
			const size = 1000
			single, double := blas.Rate(cmd.Context(), b, size, time.Second)
			fmt.Fprintf(c.out, "BLAS     %s\n", b.Name())
			fmt.Fprintf(c.out, "rate     %.0f GFLOP/s in float32, %.0f GFLOP/s in float64 (products of %d×%d, all cores)\n", single, double, size, size)
			if c.variable("PKM_BLAS") == "" {
				if _, err := blas.Open("openblas"); err != nil {
					fmt.Fprintf(c.out, "advice   OpenBLAS is three to eight times as fast: %v\n", err)
				}
			}
			return nil
		},
	}
}

func gib(bytes uint64) float64 { return float64(bytes) / (1 << 30) }
