package experiments

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A line of the analysis is written when it is made, so that what a run keeps does not grow with its steps.
func TestAnalysisKeepsNoLines(t *testing.T) {
	c, err := Parse("t", []byte("name: t\n"), "yaml", []string{"data.train=9", "data.query=2", "network.hidden=[4]", "analysis={every: 1}"}, nil)
	must(t, err)
	data, err := c.load()
	must(t, err)
	e := &experiment[float64]{config: c, options: Options{Engine: gonum(t)}, block: 2}
	must(t, e.build(data, 0, 0))
	k, err := newKernelPath(e)
	must(t, err)
	var written bytes.Buffer
	k.lines = &written
	must(t, k.evaluate(e.initial, false))
	for step := range 3 {
		must(t, k.analyse(step))
		if n := strings.Count(written.String(), "\n"); n != step+1 {
			t.Errorf("%d lines after %d steps", n, step+1)
		}
	}
	k.lines = refusing{}
	if err := k.analyse(3); !errors.Is(err, errRefused) {
		t.Errorf("a line that was not written gives %v", err)
	}
}

var errRefused = errors.New("no space left")

// refusing is a full disk.
type refusing struct{}

// Write implements io.Writer.
func (refusing) Write([]byte) (int, error) { return 0, errRefused }

// A run that is interrupted in its analysis leaves no part of the file, and says that it was interrupted, not that the
// file could not be written.
func TestInterruptedAnalysisLeavesNoFile(t *testing.T) {
	c, err := Parse("t", []byte("name: t\n"), "yaml", []string{"data.train=20", "data.query=4", "network.hidden=[6]", "training.steps=9", "machines=[]", "path_kernel=none", "analysis={every: 1}"}, nil)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "run")
	err = Execute(endsWith{context.Background(), filepath.Join(dir, filepath.FromSlash(resumeName))}, c, Options{Dir: dir, Engine: gonum(t)})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), analysisName) {
		t.Errorf("the error is %v", err)
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		if strings.Contains(f.Name(), "analysis") {
			t.Errorf("%s is there", f.Name())
		}
	}
}
