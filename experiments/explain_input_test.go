package experiments

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An image of eight bits is the sample whose pixels are these 255ths, and a coloured one is refused.
func TestExplainImage(t *testing.T) {
	run := mustExecute(t, small).Path
	folder := t.TempDir()
	grey, coloured, values := image.NewGray(image.Rect(0, 0, 8, 8)), image.NewRGBA(image.Rect(0, 0, 8, 8)), make([]float64, 64)
	for i := range 64 {
		grey.SetGray(i%8, i/8, color.Gray{uint8(3 * i)})
		coloured.SetRGBA(i%8, i/8, color.RGBA{uint8(i), 0, 0, 255})
		values[i] = float64(3*i) / 255
	}
	save := func(name string, img image.Image) string {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	array := filepath.Join(folder, "sample.npy")
	writeNPY(t, array, []int{1, 64}, values)
	a, b := explained(t, run, ExplainOptions{Input: save("grey.png", grey)}), explained(t, run, ExplainOptions{Input: array})
	if !slices.Equal(a.Sample.Inputs, b.Sample.Inputs) || !slices.Equal(byIndex(a), byIndex(b)) || a.Sample.Label != "" || *a.Sample.Row != 0 {
		t.Errorf("an image and an array of it: %v and %v", a.Sample, b.Sample)
	}
	_, err := Explain(context.Background(), run, 10, ExplainOptions{Input: save("red.png", coloured), Engine: gonumEngine})
	if err == nil || !strings.Contains(err.Error(), "a coloured image of 8×8 pixels (width, height), the run was trained on grey ones") {
		t.Errorf("%v", err)
	}
	// As they were seen: the strip and the sheet show the image that was given.
	sample, _, _ := a.images()
	if c := sample.RGBAAt(7, 1); c != (color.RGBA{45, 45, 45, 255}) {
		t.Errorf("pixel 15 is %v", c)
	}
}

// flowers is a run on a standardised table of three inputs and a class.
func flowers(t *testing.T) (run, folder string) {
	t.Helper()
	folder = t.TempDir()
	table := "length,width,colour,kind\n"
	for i := range 24 {
		table += []string{"1.5,2,0.25,rose\n", "4,1,0.5,tulip\n", "3,3,1,rose\n", "5,0.5,0.125,tulip\n"}[i%4]
	}
	path := filepath.Join(folder, "flowers.csv")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	return mustExecute(t, `
name: flowers
data: {source: csv, path: `+path+`, target: kind, train: 20, query: 4, standardize: true}
network: {hidden: [3]}
training: {steps: 4}
machines: [{name: exact, family: exact, rule: gauss-3}]
`).Path, folder
}

// Columns of a file go by the names of the training data, in any order, and without a header by place; a
// class that it has is the label. Inputs are standardised by the run's fit.
func TestExplainTable(t *testing.T) {
	run, folder := flowers(t)
	query := explained(t, run, ExplainOptions{Query: 0})
	e := func(query *Explanation, j int) string { return query.input(query.Sample.Inputs, j) }
	values := []string{e(query, 0), e(query, 1), e(query, 2)}
	for name, text := range map[string]string{
		"named.csv": "colour,kind,width,length\n" + values[2] + "," + query.Sample.Label + "," + values[1] + "," + values[0] + "\n",
		"bare.csv":  strings.Join(values, ",") + "\n",
		"kind.tsv":  strings.Join(values, "\t") + "\t" + query.Sample.Label + "\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		label := query.Sample.Label
		if name == "bare.csv" {
			label = ""
		}
		got := explained(t, run, ExplainOptions{Input: path})
		if d := differ(byIndex(query), byIndex(got)); !(d <= 1e-10) || got.Sample.Label != label {
			t.Errorf("%s: label %q, inputs %v; differs by %.2g", name, got.Sample.Label, got.Sample.Inputs, d)
		}
	}
	given := explained(t, run, ExplainOptions{Input: filepath.Join(folder, "bare.csv"), Label: query.Sample.Label, Target: "loss"})
	if given.Sample.Label != query.Sample.Label || given.Sum.Initial != explained(t, run, ExplainOptions{Target: "loss"}).Sum.Initial {
		t.Errorf("%+v", given.Sample)
	}
}

// A sheet can be drawn of every kind of sample, its texts are escaped, and strips are as wide as they may be.
func TestExplainPictures(t *testing.T) {
	long(t)
	tabular, _ := flowers(t)
	for name, run := range map[string]string{"images": mustExecute(t, small).Path, "table": tabular, "regression": linearRun(t)} {
		e := explained(t, run, ExplainOptions{})
		e.Name = `</text><script>`
		for format, start := range map[string]string{"svg": "<?xml", "png": "\x89PNG"} {
			var b bytes.Buffer
			if err := e.Figure(&b, format); err != nil || !strings.HasPrefix(b.String(), start) || strings.Contains(b.String(), "<script>") {
				t.Errorf("%s as %s: %v, %.100q", name, format, err, b.String())
			}
		}
		for _, colours := range []bool{false, true} {
			strips := e.Strips(40, colours)
			if name != "images" {
				if strips != "" {
					t.Errorf("%s has strips", name)
				}
				continue
			}
			plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(strips, "")
			for line := range strings.Lines(plain) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 40 {
					t.Errorf("a line of %d characters: %q", n, line)
				}
			}
			if !strings.Contains(plain, "▀") || strings.Count(plain, "\n") != 3*6+1 { // a title, four lines of pixels and the labels; an empty line
				t.Errorf("strips are\n%s", plain)
			}
		}
	}
	if _, err := FigureFormat("a.pdf"); err == nil || !strings.Contains(err.Error(), ".svg or .png is due") {
		t.Errorf("%v", err)
	}
}

// Windows of a long run are joined in the table, without losing any.
func TestMergedWindows(t *testing.T) {
	var windows []Share
	for i := range 45 {
		end := i + 2
		windows = append(windows, Share{FirstStep: &i, EndStep: &end, Contribution: Figure(i), For: Figure(i), Share: 1. / 45})
	}
	rows := merged(windows)
	var sum Figure
	for _, r := range rows {
		sum += r.Contribution
	}
	if len(rows) != 15 || sum != 44*45/2 || *rows[0].FirstStep != 0 || *rows[0].EndStep != 4 || rows[0].Name != "steps 0 to 3" {
		t.Errorf("%d rows, sum %g, first %+v", len(rows), sum, rows[0])
	}
}
