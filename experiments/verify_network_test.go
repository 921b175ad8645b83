package experiments

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pkm/internal/npy"
)

// resign makes the manifest agree with altered files, as somebody would who
// alters them on purpose: only computing again notices.
func resign(t *testing.T, dir string) {
	t.Helper()
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	sums := digest(t, dir)
	for i, f := range m.Files {
		info, err := os.Stat(filepath.Join(dir, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		m.Files[i].Bytes, m.Files[i].SHA256 = info.Size(), sums["/"+f.Path]
	}
	b, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifestName), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyComputesTheNetworkAgain(t *testing.T) {
	long(t)
	for name, test := range map[string]struct {
		alter func(t *testing.T, dir string)
		want  string // "": it holds
	}{
		"nothing": {func(*testing.T, string) {}, ""},
		"initial for final weights": {func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, "weights_initial.safetensors"))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "weights_final.safetensors"), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "off outputs_final"},
		"inputs doubled": {func(t *testing.T, dir string) {
			inputs := readArray[float64](t, dir, "query_inputs")
			for i := range inputs {
				inputs[i] *= 2
			}
			f, err := os.Create(filepath.Join(dir, "arrays/query_inputs.npy"))
			if err == nil {
				err = npy.Write(f, []int{7, 64}, inputs)
				f.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "off outputs_initial"},
		"another loss":       {editSummary(func(s *Summary) { s.Network.QueryLoss++ }), "query loss"},
		"another train loss": {editSummary(func(s *Summary) { s.Network.TrainLoss++ }), "train loss"},
		"coefficients halved": {func(t *testing.T, dir string) {
			a := readArray[float64](t, dir, "exact/coefficients")
			for i := range a {
				a[i] /= 2
			}
			f, err := os.Create(filepath.Join(dir, "arrays/exact/coefficients.npy"))
			if err == nil {
				err = npy.Write(f, []int{7, 10, 40, 10}, a)
				f.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "off the contributions"},
		"more weights": {editSummary(func(s *Summary) { s.Parameters++ }), "weights"},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustExecute(t, small, "path_kernel=full")
			test.alter(t, r.Path)
			resign(t, r.Path)
			report, err := Verify(r.Path)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := report.Print(&text); err != nil {
				t.Fatal(err)
			}
			if report.OK() != (test.want == "") || !strings.Contains(text.String(), test.want) {
				t.Errorf("%q is missing in\n%s", test.want, text.String())
			}
		})
	}
}

func editSummary(edit func(*Summary)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, summaryName)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var s Summary
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		edit(&s)
		if b, err = json.Marshal(s); err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The verdicts on runs that were not completed.
func TestVerifyTellsOutcomesApart(t *testing.T) {
	diverged, _, _ := tryExecute(t, small, "training.optimizer.learning_rate=1e6")
	r := mustExecute(t, small, "machines=[]", "path_kernel=none")
	killed := mustExecute(t, small).Path
	m, err := ReadManifest(killed)
	if err != nil {
		t.Fatal(err)
	}
	m.Outcome, m.Files = Running, m.Files[:3]
	b, err := m.encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(killed, manifestName), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dir  string
		ok   bool
		want string
	}{
		{diverged, true, "the run is diverged: there is no identity to check"},
		{r.Path, true, "the run has no machine"},
		{killed, false, "the run is running: it was not finished"},
	} {
		report, err := Verify(test.dir)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := report.Print(&text); err != nil {
			t.Fatal(err)
		}
		if report.OK() != test.ok || !strings.Contains(text.String(), test.want) {
			t.Errorf("OK %v, want %v and %q in\n%s", report.OK(), test.ok, test.want, text.String())
		}
	}
}
