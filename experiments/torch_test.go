package experiments

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pkm/graphs"
)

// Weights that PyTorch wrote, loaded by their names, give the outputs that PyTorch has:
// scripts/fixtures/torch_weights.py. 1e-14 is some roundings of sums of 36 terms around one.
func TestWeightsOfPyTorch(t *testing.T) {
	for name, network := range map[string]struct {
		text  string
		shape []int
	}{
		"mlp": {"{hidden: [5, 4], activation: gelu}", []int{6}},
		"cnn": {"{kind: cnn, convs: [{filters: 3, kernel: 3, padding: 1, pool: max}, {filters: 4, kernel: 2}], hidden: [5]}", []int{2, 6, 6}},
	} {
		c := parse(t, "name: x\nnetwork: "+network.text+"\n", nil, nil)
		built, err := c.Network.Build(&Dataset{Shape: network.shape}, 3)
		must(t, err)
		root, err := os.OpenRoot(filepath.Join("testdata", "torch", name))
		must(t, err)
		defer root.Close()
		v := &verifier{root: root}
		w, err := readWeights[float64](v, built, "weights_final.safetensors")
		must(t, err)
		inputs, err := readElements[float64](v, "query_inputs")
		must(t, err)
		want, err := readElements[float64](v, "outputs_final")
		must(t, err)
		f, err := graphs.NewForward[float64](built, gonum(t), 4)
		must(t, err)
		must(t, f.SetInputs(inputs))
		must(t, f.Run(w))
		for i, y := range f.Outputs() {
			if !(math.Abs(y-want[i]) <= 1e-14) {
				t.Errorf("%s: output %d is %v, PyTorch's %v", name, i, y, want[i])
			}
		}
	}
}

// The snippet of the README is what scripts/fixtures/torch_weights.py runs. With PKM_TEST_PYTHON, a Python with torch, it is run.
func TestSnippetForPyTorch(t *testing.T) {
	const path = "../scripts/fixtures/torch_weights.py"
	script, err := os.ReadFile(path)
	must(t, err)
	_, rest, begins := strings.Cut(string(script), "    # BEGIN\n")
	snippet, _, ends := strings.Cut(rest, "    # END\n")
	if !begins || !ends {
		t.Fatal("the script has no snippet")
	}
	var lines strings.Builder
	for line := range strings.Lines(snippet) {
		lines.WriteString(strings.TrimPrefix(line, "    "))
	}
	readme, err := os.ReadFile("../README.md")
	must(t, err)
	if !strings.Contains(string(readme), lines.String()) {
		t.Errorf("README.md does not hold\n%s", lines.String())
	}
	python := os.Getenv("PKM_TEST_PYTHON")
	if python == "" {
		t.Skip("PKM_TEST_PYTHON names no Python with torch, safetensors and numpy")
	}
	c, err := Load("configs/digits-mlp.yaml", []string{"training.steps=30"}, nil)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "run")
	must(t, Execute(context.Background(), c, Options{Dir: dir, Engine: gonum(t)}))
	if out, err := exec.Command(python, path, dir).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("largest difference %s", out)
	}
}
