package experiments

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// writeFile writes a file of a data set into a new folder and returns its path.
func writeFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, content, 0o644))
	return filepath.ToSlash(path)
}

// idxFile returns float64 in the IDX format.
func idxFile(shape []int, values []float64) []byte {
	b := []byte{0, 0, 0x0e, byte(len(shape))}
	for _, d := range shape {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// mustVerify checks a run directory, the network included.
func mustVerify(t *testing.T, dir string) {
	t.Helper()
	report, err := Verify(dir)
	if err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

const smallIDX = `
name: small
data: {source: idx, train: 12, query: 5}
network: {hidden: [6]}
training: {steps: 5}
machines: [{name: exact, family: exact, rule: gauss-3}]
`

// A regression from files: float targets all the way, no accuracy, and an account as exact
// as that of classes. Verify does without the files.
func TestRegression(t *testing.T) {
	const n = 20
	var x, y []float64
	for i := range n {
		v := float64(i)/n - 0.5
		x = append(x, v, v*v, 1)
		y = append(y, 2*v, -v*v)
	}
	inputs, targets := writeFile(t, "x", idxFile([]int{n, 3}, x)), writeFile(t, "y", idxFile([]int{n, 2}, y))
	overrides := []string{"data.path=" + inputs, "data.target=" + targets, "data.task=regression", "loss.kind=squared-error", "machines[0].target=loss", "+machines={name: outputs, family: exact, rule: gauss-3}"}
	r := mustExecute(t, smallIDX, overrides...)
	for _, name := range []string{"exact", "outputs"} {
		if f, _ := r.Summary.Machines.Get(name); f.RelativeError > 1e-9 || !math.IsNaN(float64(f.QueryAccuracy)) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if !math.IsNaN(float64(r.Summary.Network.QueryAccuracy)) || r.Summary.Outputs != 2 {
		t.Errorf("%+v", r.Summary)
	}
	indices, written := readArray[int64](t, r.Path, "train_indices"), readArray[float64](t, r.Path, "train_targets")
	for k, i := range indices {
		if !slices.Equal(written[2*k:2*k+2], y[2*i:2*i+2]) {
			t.Errorf("row %d has the targets %v, want %v", i, written[2*k:2*k+2], y[2*i:2*i+2])
		}
	}
	// The mean of half the squared differences, by hand.
	outputs, of := readArray[float64](t, r.Path, "outputs_final"), readArray[float64](t, r.Path, "query_targets")
	var loss float64
	for i := range outputs {
		loss += (outputs[i] - of[i]) * (outputs[i] - of[i]) / 2 / 5
	}
	if math.Abs(loss-float64(r.Summary.Network.QueryLoss)) > 1e-12 {
		t.Errorf("query loss %g, want %g", r.Summary.Network.QueryLoss, loss)
	}
	must(t, os.Remove(inputs))
	mustVerify(t, r.Path)
}

// Labels need not be 0, 1, …: their names are kept, and data.classes names them.
func TestClassesOfAFile(t *testing.T) {
	var x, y []float64
	for i := range 30 {
		x = append(x, float64(i), -float64(i))
		y = append(y, []float64{4, 7, 9}[i%3])
	}
	inputs, targets := writeFile(t, "x", idxFile([]int{30, 2}, x)), writeFile(t, "y", idxFile([]int{30}, y))
	r := mustExecute(t, smallIDX, "data.path="+inputs, "data.target="+targets, "data.classes=[9,4]")
	m, err := ReadManifest(r.Path)
	must(t, err)
	if !slices.Equal(m.Data.Classes, []string{"9", "4"}) || len(m.Data.Files) != 2 || m.Data.Files[0].Path != inputs || len(m.Data.SHA256) != 64 {
		t.Errorf("%+v", m.Data)
	}
	indices, labels := readArray[int64](t, r.Path, "train_indices"), readArray[int64](t, r.Path, "train_targets")
	for k, i := range indices {
		if want := map[int64]int64{2: 0, 0: 1}[i%3]; i%3 == 1 || labels[k] != want {
			t.Errorf("row %d has the label %d", i, labels[k])
		}
	}
}

// Text labels, and queries from a file of their own.
func TestCSVFiles(t *testing.T) {
	train, held := "kind,a,b\n", "a,b,kind\n"
	for i := range 20 {
		train += fmt.Sprintf("%s,%d,%d\n", []string{"oak", "elm"}[i%2], i, -i)
		held += fmt.Sprintf("%d,%d,%s\n", 100+i, i, []string{"elm", "oak"}[i%2])
	}
	r := mustExecute(t, smallIDX, "data.source=csv", "data.path="+writeFile(t, "train.csv", []byte(train)), "data.target=0",
		"data.held_out={path: "+writeFile(t, "held.csv", []byte(held))+", target: kind}")
	m, err := ReadManifest(r.Path)
	must(t, err)
	if !slices.Equal(m.Data.Classes, []string{"elm", "oak"}) || len(m.Data.Files) != 2 {
		t.Errorf("%+v", m.Data)
	}
	inputs, labels := readArray[float64](t, r.Path, "query_inputs"), readArray[int64](t, r.Path, "query_targets")
	for k, l := range labels {
		if inputs[2*k] < 100 || l != int64(inputs[2*k])%2 {
			t.Errorf("query %v of class %d", inputs[2*k:2*k+2], l)
		}
	}
	mustVerify(t, r.Path)
}

// A convolutional network sees the channels of images in a folder.
func TestImageFolder(t *testing.T) {
	dir := t.TempDir()
	for k, class := range []string{"cold", "warm"} {
		must(t, os.Mkdir(filepath.Join(dir, class), 0o755))
		for i := range 10 {
			img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
			for p := range img.Pix {
				img.Pix[p] = uint8(i + 100*k*(p%4) + 255*(p%4/3))
			}
			var b bytes.Buffer
			must(t, png.Encode(&b, img))
			must(t, os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)), b.Bytes(), 0o644))
		}
	}
	r := mustExecute(t, smallIDX, "data.source=images", "data.path="+filepath.ToSlash(dir), "network.kind=cnn", "network.convs=[{filters: 2, kernel: 3}]")
	f, _ := r.Summary.Machines.Get("exact")
	m, err := ReadManifest(r.Path)
	must(t, err)
	if f.RelativeError > 1e-9 || !slices.Equal(m.Data.Classes, []string{"cold", "warm"}) || len(m.Data.Files) != 1 {
		t.Errorf("%+v, %+v", f, m.Data)
	}
	if inputs := readArray[float64](t, r.Path, "train_inputs"); len(inputs) != 12*3*4*4 {
		t.Errorf("%d inputs", len(inputs))
	}
	mustVerify(t, r.Path)
}
