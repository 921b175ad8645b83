package experiments

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contents returns the bytes of all files of a folder that are not to differ between two times: all
// but times, which are in manifests and metrics.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == manifestName || e.Name() == metricsName || e.Name() == "report.html" {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// same compares what contents returns.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs, or is not there", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

// A study that was interrupted in its second run goes on with it, takes the first as it is, and ends in
// the same bytes as one that was not.
func TestStudyGoesOn(t *testing.T) {
	s := parseStudy(t, 2, []string{"left", "gauss-2", "flow/trapezoid"})
	whole, cut := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "cut")
	if _, err := s.Run(context.Background(), StudyOptions{Dir: whole, Engine: gonum(t)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := 0
	c, err := s.Run(ctx, StudyOptions{Dir: cut, Engine: gonum(t), End: func(error) { ended++ }, Progress: func(p Progress) {
		if p.Steps == 20 && p.Step == 13 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || c != nil || ended != 2 {
		t.Fatalf("interrupted in the second run: %v, %d ended", err, ended)
	}
	if _, err := os.Stat(filepath.Join(cut, convergenceJSON)); err == nil {
		t.Error("an interrupted study has figures")
	}
	first, err := os.ReadFile(filepath.Join(cut, "eta-0.05", manifestName))
	if err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{20 - 13 + 40, 0} { // that are left, and once it is complete
		taken := 0
		if _, err := s.Run(context.Background(), StudyOptions{Dir: cut, Engine: gonum(t), Progress: func(Progress) { taken++ }}); err != nil {
			t.Fatal(err)
		}
		if taken != steps {
			t.Errorf("%d steps were taken, want %d", taken, steps)
		}
		same(t, contents(t, cut), contents(t, whole))
	}
	if again, err := os.ReadFile(filepath.Join(cut, "eta-0.05", manifestName)); err != nil || string(again) != string(first) {
		t.Errorf("the run that was complete was touched: %v", err)
	}
	// A third halving adds a run to those that are there.
	more := parseStudy(t, 3, []string{"left", "gauss-2", "flow/trapezoid"})
	taken := 0
	if c, err := more.Run(context.Background(), StudyOptions{Dir: cut, Engine: gonum(t), Progress: func(Progress) { taken++ }}); err != nil || taken != 80 || len(c.Levels) != 4 {
		t.Errorf("one halving more took %d steps, want 80: %v", taken, err)
	}
}

// What is not of the study is refused before a run begins, and stays as it is.
func TestStudyOverwritesNothing(t *testing.T) {
	rules := []string{"left"}
	s := parseStudy(t, 1, rules)
	for name, test := range map[string]struct {
		want string
		fill func(t *testing.T, dir string)
	}{
		"another configuration": {"eta-0.025: found a run of another configuration, with seed of 2 where this study has 1", func(t *testing.T, dir string) {
			other := parseStudy(t, 1, rules, "seed=2")
			if err := Execute(context.Background(), other.Levels[1].Config, Options{Dir: filepath.Join(dir, "eta-0.025"), Engine: gonum(t)}); err != nil {
				t.Fatal(err)
			}
		}},
		"other rules": {"found a run of another configuration, with machines of a list of 2 where this study has of 1", func(t *testing.T, dir string) {
			if _, err := parseStudy(t, 1, []string{"left", "trapezoid"}).Run(context.Background(), StudyOptions{Dir: dir, Engine: gonum(t)}); err != nil {
				t.Fatal(err)
			}
		}},
		"a study of other learning rates": {"found a convergence study of other learning rates", func(t *testing.T, dir string) {
			if _, err := parseStudy(t, 1, rules, "training.optimizer.learning_rate=0.3").Run(context.Background(), StudyOptions{Dir: dir, Engine: gonum(t)}); err != nil {
				t.Fatal(err)
			}
		}},
		"figures of somebody else": {"found a convergence.json that is not that of a convergence study", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, convergenceJSON), `{"format": "mine"}`)
		}},
		"a picture of somebody else": {"found a convergence.json that is not that of a convergence study, or damaged, or none", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, convergenceSVG), "<svg/>")
		}},
		"a folder of somebody else": {`found a folder that is no convergence study, with "thesis.tex" in it`, func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "thesis.tex"), "")
		}},
		"a folder in place of a run": {`eta-0.025: found a folder that is not a run of pkm, with "notes" in it`, func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "eta-0.025", "notes"), "")
		}},
		"a run": {`found a folder that is no convergence study, with "arrays" in it`, func(t *testing.T, dir string) {
			if err := Execute(context.Background(), s.Levels[0].Config, Options{Dir: dir, Engine: gonum(t)}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "study")
			test.fill(t, dir)
			before := contents(t, dir)
			_, err := s.Run(context.Background(), StudyOptions{Dir: dir, Engine: gonum(t), Begin: func(StudyLevel, string, bool) { t.Error("a run began") }})
			var occupied *OccupiedError
			if !errors.As(err, &occupied) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--out") {
				t.Errorf("error %v does not say %q and --out", err, test.want)
			}
			same(t, contents(t, dir), before)
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "")
	if _, err := s.Run(context.Background(), StudyOptions{Dir: file, Engine: gonum(t)}); err == nil || !strings.Contains(err.Error(), "found a file") {
		t.Errorf("a file in place of the folder: %v", err)
	}
}

// put writes a file and its folder.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
