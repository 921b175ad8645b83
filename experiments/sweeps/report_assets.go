package sweeps

import _ "embed" // the page

// The parts of the page; assets/README.md says which are ours.
var (
	//go:embed assets/sweep_report.tmpl.html
	pageTemplate string
	//go:embed assets/sweep_report.css
	pageStyle string
	//go:embed assets/sweep_report.js
	pageScript string
	//go:embed assets/sweep_plots.js
	plotScript string
	//go:embed assets/report.css
	sharedStyle string
	//go:embed assets/uPlot.iife.min.js
	uPlotScript string
	//go:embed assets/uPlot.min.css
	uPlotStyle string
)

// sharedAssets returns what the page has in common with the reports of runs: the style, and the chart library with
// its style.
func sharedAssets() (style, script string) { return uPlotStyle + sharedStyle, uPlotScript }
