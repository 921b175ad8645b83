package experiments

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func verify(t *testing.T, dir string) (*VerifyReport, string) {
	t.Helper()
	r, err := verifyRun(dir, false) // the numbers are made up, there is no network
	must(t, err)
	var b strings.Builder
	must(t, r.Print(&b))
	return r, b.String()
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func TestVerifyWholeRun(t *testing.T) {
	dir := writeRun(t, nil)
	r, out := verify(t, dir)
	if !r.OK() || r.Identity != IdentityHolds || r.Machines != 1 {
		t.Errorf("a whole run fails:\n%s", out)
	}
	const want = "identity holds: final = initial + sum of contributions + regularization + residual for 1 machine(s), to 0; every file is as it was written"
	if lastLine(out) != want {
		t.Errorf("last line %q", lastLine(out))
	}
	m, err := ReadManifest(dir)
	must(t, err)
	if len(m.Files) != 11 {
		t.Errorf("manifest lists %d files", len(m.Files))
	}
	for _, f := range m.Files {
		if !strings.Contains(out, f.Path+": ") {
			t.Errorf("no line on %s", f.Path)
		}
	}
}

// Whatever is done to whatever file, it is named, with what is wrong with it.
func TestVerifyNamesDamage(t *testing.T) {
	whole := writeRun(t, nil)
	m, err := ReadManifest(whole)
	must(t, err)
	names := []string{"manifest.json"}
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	damages := []struct {
		name   string
		damage func(path string, b []byte) error
		fault  Fault
	}{
		{"deleted", func(path string, b []byte) error { return os.Remove(path) }, FaultMissing},
		{"cut", func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o644) }, FaultCut},
		{"emptied", func(path string, b []byte) error { return os.WriteFile(path, nil, 0o644) }, FaultCut},
		{"last byte flipped", func(path string, b []byte) error { b[len(b)-1] ^= 1; return os.WriteFile(path, b, 0o644) }, FaultAltered},
		{"middle byte flipped", func(path string, b []byte) error { b[len(b)/2] ^= 1; return os.WriteFile(path, b, 0o644) }, FaultAltered},
		{"longer", func(path string, b []byte) error { return os.WriteFile(path, append(b, ' '), 0o644) }, FaultAltered},
	}
	for _, name := range names {
		for _, tt := range damages {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				dir := t.TempDir()
				must(t, os.CopyFS(dir, os.DirFS(whole)))
				path := filepath.Join(dir, name)
				b, err := os.ReadFile(path)
				must(t, err)
				must(t, tt.damage(path, b))
				r, out := verify(t, dir)
				is := func(c Check) bool { return c.Subject == name && c.Status == StatusFailed && c.Fault == tt.fault }
				if r.OK() || !slices.ContainsFunc(r.Checks, is) {
					t.Errorf("not reported as %s:\n%s", tt.fault, out)
				}
				if l := lastLine(out); !strings.Contains(l, name+" "+string(tt.fault)) || strings.HasPrefix(l, "identity holds") {
					t.Errorf("last line %q", l)
				}
			})
		}
	}
}

// A run that was written wrong has right hashes: the numbers must tell.
func TestVerifyRecomputes(t *testing.T) {
	exact := func(s *Summary) *MachineFigures { return &s.Machines[0].Figures }
	tests := []struct {
		name     string
		edit     func(*Summary, []float64)
		want     string
		identity Identity
	}{
		{"residual", func(_ *Summary, r []float64) { r[3] += 1e-12 },
			"machine exact: identity does not hold: residual of query 1, output 1 is -1.999999999999, the arrays give -2", IdentityBroken},
		{"residual set to zero", func(_ *Summary, r []float64) { clear(r) }, "residual of query 1, output 0 is 0, the arrays give 0.25", IdentityBroken},
		{"max abs error", func(s *Summary, _ []float64) { exact(s).MaxAbsError = 1.9 }, "max_abs_error is 1.9, the arrays give 2", IdentityHolds},
		{"rmse", func(s *Summary, _ []float64) { exact(s).RMSE = 0 }, "rmse is 0", IdentityHolds},
		{"relative error", func(s *Summary, _ []float64) { exact(s).RelativeError = 1 }, "relative_error is 1, the arrays give 1.6", IdentityHolds},
		{"agreement", func(s *Summary, _ []float64) { exact(s).ArgmaxAgreement = 1 }, "argmax_agreement is 1, the arrays give 0.5", IdentityHolds},
		{"accuracy", func(s *Summary, _ []float64) { exact(s).QueryAccuracy = 1 }, "query_accuracy is 1, the arrays give 0.5", IdentityHolds},
		{"network's accuracy", func(s *Summary, _ []float64) { s.Network.QueryAccuracy = 0.5 }, "network: query_accuracy is 0.5, the arrays give 1", IdentityHolds},
		{"train samples", func(s *Summary, _ []float64) { s.Samples.Train = 4 }, "arrays/exact/contributions.npy: shape is [2 2 3]", IdentityNotChecked},
		{"query samples", func(s *Summary, _ []float64) { s.Samples.Query = 1 }, "arrays/query_targets.npy: shape is [2]", IdentityNotChecked},
		{"outputs", func(s *Summary, _ []float64) { s.Outputs = 3 }, "arrays/outputs_final.npy: shape is [2 2]", IdentityNotChecked},
		{"negative", func(s *Summary, _ []float64) { s.Outputs = -1 }, "arrays/outputs_final.npy: shape is [2 2]", IdentityHolds},
		{"machine without figures", func(s *Summary, _ []float64) { s.Machines = nil }, "machine exact: there are arrays of this machine, but no figures", IdentityHolds},
		{"machine without arrays", func(s *Summary, _ []float64) { s.Machines = append(s.Machines, MachineSummary{Name: "flow"}) },
			"arrays/flow/contributions.npy: needed and not there", IdentityNotChecked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, out := verify(t, writeRun(t, tt.edit))
			if r.OK() || !strings.Contains(out, tt.want) || r.Identity != tt.identity {
				t.Errorf("want a failure with %q and an identity that %s:\n%s", tt.want, tt.identity, out)
			}
			if strings.HasPrefix(lastLine(out), "identity holds") {
				t.Errorf("last line %q", lastLine(out))
			}
		})
	}
}

// A damaged array is reported once, though several checks need it.
func TestVerifyReportsOnce(t *testing.T) {
	dir := writeRun(t, nil)
	path := filepath.Join(dir, "arrays", "exact", "residual.npy")
	must(t, os.Truncate(path, 100))
	r, out := verify(t, dir)
	if len(r.failed()) != 1 || strings.Count(out, "could not be checked\n") != 1 {
		t.Errorf("want one failure and one note:\n%s", out)
	}
}

// An infinite error, null in JSON, is not any number.
func TestCompareFigureInfinite(t *testing.T) {
	inf := math.Inf(1)
	tests := []struct {
		got, want Figure
		agree     bool
	}{{1, Figure(inf), false}, {Figure(inf), 1, false}, {Figure(math.NaN()), Figure(inf), true}, {1, 1, true}}
	for _, tt := range tests {
		v := verifier{VerifyReport: &VerifyReport{}}
		if agree := v.compare("machine", "relative_error", tt.got, tt.want, inf); agree != tt.agree || v.OK() || (len(v.failed()) == 0) != agree {
			t.Errorf("compare(%v, %v) = %v", tt.got, tt.want, agree)
		}
	}
}

func TestVerifyUnlisted(t *testing.T) {
	dir := writeRun(t, nil)
	must(t, os.WriteFile(filepath.Join(dir, "arrays", "notes.txt"), nil, 0o644))
	r, out := verify(t, dir)
	if !r.OK() || !strings.Contains(out, "note    arrays/notes.txt: unlisted") {
		t.Errorf("an added file must be a note:\n%s", out)
	}
}

func TestVerifyUnfinishedRun(t *testing.T) {
	d, err := CreateRunDir(t.TempDir())
	must(t, err)
	must(t, d.WriteFile("config.yaml", text("name: x\n")))
	must(t, d.Finish(Diverged, "step 12: loss is NaN"))
	r, out := verify(t, d.Path())
	if !r.OK() || len(r.failed()) > 0 || r.Identity != IdentityNotChecked {
		t.Errorf("an unfinished run has no faults, and no identity:\n%s", out)
	}
	for _, want := range []string{"diverged: step 12: loss is NaN", "there is no identity to check"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestVerifyNotAFolder(t *testing.T) {
	if _, err := Verify(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
	r, _ := verify(t, t.TempDir())
	if r.OK() {
		t.Error("an empty folder is a run")
	}
}

// A manifest must not make pkm read files outside the run directory.
func TestVerifyStaysInside(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	must(t, os.WriteFile(secret, []byte("abc"), 0o644))
	run := filepath.Join(dir, "run")
	must(t, os.Mkdir(run, 0o755))
	must(t, os.Symlink(secret, filepath.Join(run, "link")))
	root, err := os.OpenRoot(run)
	must(t, err)
	defer root.Close()
	const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for _, name := range []string{"../secret", "link", secret, "."} {
		if err := verifyFile(root, FileRecord{Path: name, Bytes: 3, SHA256: sum}); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestLoadRun(t *testing.T) {
	dir := writeRun(t, nil)
	run, err := LoadRun(dir)
	must(t, err)
	if run.Manifest.Name != "small" || run.Manifest.Seed != 7 || run.Summary.Machines[0].Figures.MaxAbsError != 2 {
		t.Errorf("read %+v", run)
	}
	path := filepath.Join(dir, "summary.json")
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(b), "1.6", "0.6", 1)), 0o644))
	var e *FileError
	if _, err := LoadRun(dir); !errors.As(err, &e) || e.Fault != FaultAltered || e.Path != "summary.json" {
		t.Errorf("altered summary: %v", err)
	}
	if _, err := LoadRun(t.TempDir()); !errors.As(err, &e) || e.Path != "manifest.json" || e.Fault != FaultMissing {
		t.Errorf("empty folder: %v", err)
	}
	d, err := CreateRunDir(t.TempDir())
	must(t, err)
	must(t, d.Finish(Diverged, "step 12: loss is NaN"))
	if _, err := LoadRun(d.Path()); err == nil || !strings.Contains(err.Error(), "it is diverged, step 12: loss is NaN") {
		t.Errorf("diverged run: %v", err)
	}
}

func TestCompare(t *testing.T) {
	a, err := LoadRun(writeRun(t, nil))
	must(t, err)
	b := *a
	b.Path = "runs/ünlike/"
	b.Summary.Machines = MachineSummaries{{"domingos", MachineFigures{MaxAbsError: 1.5e-9, RMSE: 3, RelativeError: 1e-10, ArgmaxAgreement: 1, QueryAccuracy: 1. / 3}}}
	var out strings.Builder
	must(t, Compare(&out, []*Run{a, &b}))
	const want = `
run     machine    max abs error  rmse  relative error  certificate  argmax agreement  query accuracy  train loss  query loss
small   (network)              -     -               -            -                 -               1       0.125         0.5
small   exact                  2  1.01             1.6            -               0.5             0.5           -           -
ünlike  (network)              -     -               -            -                 -               1       0.125         0.5
ünlike  domingos         1.5e-09     3           1e-10            -                 1           0.333           -           -
`
	if out.String() != want[1:] {
		t.Errorf("table is\n%s", out.String())
	}

	// Two runs of one name are told apart by their paths.
	c := *a
	c.Path = "elsewhere/small"
	out.Reset()
	must(t, Compare(&out, []*Run{a, &c}))
	if !strings.Contains(out.String(), "\nelsewhere/small") || !strings.Contains(out.String(), "\n"+a.Path) {
		t.Errorf("table is\n%s", out.String())
	}
}
