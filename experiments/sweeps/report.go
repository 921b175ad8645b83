package sweeps

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"path/filepath"

	"pkm/experiments"
	"pkm/internal/atomicfile"
)

// ReportName is the page in a sweep's folder.
const ReportName = "report.html"

// WriteReport writes report.html of the sweep in the folder dir, from its results.csv, whether all trials are finished
// or not. The page needs no other file and no network; it links to the reports of trials. A page that was there is
// replaced whole. The cost is that of the forest of the parameters' importance: a second or two for 5,000 trials.
func WriteReport(dir string) error {
	r, err := ReadResults(dir)
	if err != nil {
		return err
	}
	if _, err := atomicfile.Write(filepath.Join(dir, ReportName), func(w io.Writer) error { return r.writePage(w, dir) }); err != nil {
		return fmt.Errorf("report of sweep %s: %w", dir, err)
	}
	return nil
}

// writePage writes the page.
func (r *Results) writePage(w io.Writer, dir string) error {
	page, err := template.New(ReportName).Funcs(template.FuncMap{"breaks": breaks}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	data, err := newReportData(r, dir)
	if err != nil {
		return err
	}
	var shares *Importance
	if i, ok := data.importance(); ok {
		shares, data.Importance = &i, i.Shares
	}
	// Marshal writes <, > and & as escapes, so that no text ends the element.
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	p := newReportPage(r, data, shares, dir)
	style, script := experiments.ReportAssets()
	p.Style, p.Data = template.CSS(style+pageStyle), template.JS(text)
	p.Scripts = []template.JS{template.JS(script), template.JS(plotScript), template.JS(pageScript)}
	return page.Execute(w, p)
}
