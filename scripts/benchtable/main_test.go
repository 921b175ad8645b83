package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const output = `goos: linux
BenchmarkTangentKernel100/kernel-2    	 100	  10000000 ns/op	 4097288 jacobian-bytes
BenchmarkTangentKernel100/kernel-2    	 100	  30000000 ns/op	 4097288 jacobian-bytes
BenchmarkTangentKernel100/kernel-2    	 100	  20000000 ns/op	 4097288 jacobian-bytes
BenchmarkTangentKernel100/explicit-2  	   1	 4000000000 ns/op
BenchmarkGram400/gram-2               	  10	  80000000 ns/op	 0.01 s/GFLOP
BenchmarkGram400/sgemm-2              	   2	 600000000 ns/op	 0.005 s/GFLOP
BenchmarkTrainStepMLP/step            	  90	  12000000 ns/op
BenchmarkTrainStepMLP/products        	 144	   8000000 ns/op
BenchmarkTrainStepLeNet/step-16       	  61	  10000000 ns/op
BenchmarkTrainStepLeNet/products-16   	 139	   5000000 ns/op
BenchmarkTrackedStep/plain-2          	   3	 100000000 ns/op	 0.01 s/step
BenchmarkTrackedStep/gauss-3-2        	   3	 300000000 ns/op	 0.03 s/step
BenchmarkTrackedStep/trapezoid-2      	   3	 200000000 ns/op	 0.02 s/step
BenchmarkAccountStep/adam-2           	   1	4000000000 ns/op	       538.6 GFLOP
BenchmarkAccountStep/product-2        	   1	2000000000 ns/op	       538.6 GFLOP
BenchmarkSweep40/one-2                	   1	20000000000 ns/op
BenchmarkSweep40/two-2                	   1	10000000000 ns/op
BenchmarkTPEAsk2000-2                 	   1	50000000 ns/op
BenchmarkOpenReport-2                 	   1	9000000000 ns/op	 0.5 s/open
BenchmarkOpenSweepReport-2            	   1	9000000000 ns/op	 1.5 s/open
PASS
`

func TestPairsAreMediansOverTheirReferences(t *testing.T) {
	measured, err := read(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := match(measured)
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{"tangent-kernel-100", 0.02, "", 4, 0.005}, {"gram-rate-400", 0.01, "", 0.005, 2},
		{"train-step-mlp", 0.012, "", 0.008, 1.5}, {"train-step-lenet", 0.01, "", 0.005, 2},
		{"tracked-step-gauss-3", 0.03, "", 0.01, 3}, {"tracked-step-trapezoid", 0.02, "", 0.01, 2},
		{"account-step-adam", 4, "", 2, 2}, {"sweep-40-two-workers", 10, "", 20, 0.5},
		{"tpe-ask-2000", 0.05, "", 0.1, 0.5}, {"open-report", 0.5, "", 2, 0.25}, {"open-sweep-report", 1.5, "", 3, 0.5},
	}
	for i, r := range rows {
		if r.Reference = ""; r != want[i] {
			t.Errorf("%+v, want %+v", r, want[i])
		}
	}
	path := filepath.Join(t.TempDir(), "pytorch.json")
	if err := os.WriteFile(path, []byte(`{"torch": "2.6.0", "lenet-step": 0.02}`), 0o666); err != nil {
		t.Fatal(err)
	}
	beside, err := compare(path, rows)
	if err != nil || len(beside) != 1 || beside[0] != (row{"train-step-lenet-pytorch", 0.01, "PyTorch 2.6.0", 0.02, 0.5}) {
		t.Errorf("%+v, %v", beside, err)
	}
	delete(measured, "Gram400/sgemm s/GFLOP")
	if _, err := match(measured); err == nil || !strings.Contains(err.Error(), "Gram400/sgemm") {
		t.Errorf("a missing benchmark: %v", err)
	}
}
