package experiments

import (
	_ "embed" // the page
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"os"
	"path/filepath"

	"pkm/internal/atomicfile"
)

// The parts of the page; experiments/assets/README.md says where uPlot is from.
var (
	//go:embed assets/report.tmpl.html
	reportPage string
	//go:embed assets/report.css
	reportStyle string
	//go:embed assets/report.js
	reportScript string
	//go:embed assets/uPlot.iife.min.js
	uPlotScript string
	//go:embed assets/uPlot.min.css
	uPlotStyle string
)

// ReportAssets returns what the reports of runs and those of sweeps have in common: the style and the chart library.
func ReportAssets() (style, script string) { return uPlotStyle + reportStyle, uPlotScript }

const reportName = "report.html"

// WriteReport writes the report of the completed run at dir, a page that needs no other file and no network, to w.
func WriteReport(w io.Writer, dir string) error {
	r, err := openRun(dir)
	if err != nil {
		return err
	}
	defer r.root.Close()
	if err := r.write(w); err != nil {
		return fmt.Errorf("report of run %s: %w", dir, err)
	}
	return nil
}

// RewriteReport writes report.html and figures/ of the completed run at dir again, and the manifest, which lists them.
func RewriteReport(dir string) error {
	r, err := openRun(dir)
	if err != nil {
		return err
	}
	defer r.root.Close()
	d := &RunDir{path: dir, manifest: r.manifest, files: make(map[string]FileRecord)}
	if info, err := os.Lstat(filepath.Join(dir, "figures")); err == nil && !info.IsDir() {
		return fmt.Errorf("report of run %s: figures is not a folder of it, but a link or a file; move it away", dir)
	}
	var occupied *OccupiedError
	if err := d.take(); errors.As(err, &occupied) {
		return fmt.Errorf("report of run %s: another process is writing to it; try again when that has ended", dir)
	} else if err != nil {
		return err
	}
	for _, f := range r.manifest.Files {
		d.files[f.Path] = f
	}
	err = d.report(r, true)
	if err == nil {
		err = d.writeManifest()
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("report of run %s: %w", dir, err)
	}
	return nil
}

// openRun opens a completed run for its report.
func openRun(dir string) (*reportSource, error) {
	run, err := LoadRun(dir)
	if err != nil {
		return nil, err
	}
	text, err := run.readFile("config.yaml")
	if err != nil {
		return nil, fmt.Errorf("report of run %s: %w", dir, err)
	}
	config, err := Parse(filepath.Join(dir, "config.yaml"), text, "yaml", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("report of run %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("report of run %s: %w", dir, err)
	}
	r, err := openCheckedSource(root, config, run.Manifest, run.Summary)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("report of run %s: %w", dir, err)
	}
	return r, nil
}

// writeReport writes the report and the figures of a run that is complete but for them.
func (d *RunDir) writeReport(c *Config, s Summary) error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer root.Close()
	d.mu.Lock()
	m := d.manifest
	d.mu.Unlock()
	m.PhaseTimes = maps.Clone(m.PhaseTimes)
	r, err := openReportSource(root, c, m, s)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := d.report(r, c.Figures); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// report writes the page and, if wanted, the figures.
func (d *RunDir) report(r *reportSource, figures bool) error {
	if err := d.WriteFile(reportName, r.write); err != nil {
		return err
	}
	if !figures {
		return nil
	}
	return d.writePictures(r)
}

// write writes the page.
func (r *reportSource) write(w io.Writer) error {
	page, err := template.New(reportName).Funcs(template.FuncMap{"dict": pairs}).Parse(reportPage)
	if err != nil {
		return err
	}
	data, err := newReportData(r)
	if err != nil {
		return err
	}
	// Marshal writes <, > and & as escapes, so that no text ends the element.
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	p := newReport(r, data)
	p.Style, p.Data = template.CSS(uPlotStyle+reportStyle), template.JS(text)
	p.Scripts = []template.JS{template.JS(uPlotScript), template.JS(reportScript)}
	return page.Execute(w, p)
}

// WriteReportFile writes the report of the run at dir into a file that does not exist yet.
func WriteReportFile(path, dir string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write the report to %s: the file exists and is not overwritten; name another one", path)
	}
	_, err := atomicfile.Write(path, func(w io.Writer) error { return WriteReport(w, dir) })
	return err
}

// pairs makes a map of names and values, for templates that take several values.
func pairs(values ...any) map[string]any {
	m := make(map[string]any, len(values)/2)
	for i := 0; i+1 < len(values); i += 2 {
		m[fmt.Sprint(values[i])] = values[i+1]
	}
	return m
}
