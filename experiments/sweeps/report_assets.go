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
)
