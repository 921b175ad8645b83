package launch

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// plain and odd are workers with ordinary names and with ones that shells, sbatch, YAML and
// Kubernetes read in their own ways.
func plain() Workers {
	return Workers{Name: "rates", Count: 25, PerJob: 10, Program: "/opt/pkm/bin/pkm", Server: "nats://login:4222", Dir: "/shared/sweeps/rates", WorkDir: "/shared", Wait: 10 * time.Minute, CPUs: 2, Memory: 4 << 30}
}

func odd() Workers {
	w := plain()
	w.Name = `it's "100%" #1 $(touch hit) \n`
	w.Program = `/opt/it's "here"/$(touch hit)/pkm`
	w.Dir, w.WorkDir = "/shared/a `touch hit` $HOME !! *\\\"'", `/shared/a "b" c#d`
	w.TokenFile, w.CA, w.Sweep = "/home/o'neil/to ken", "/ca; touch hit", "abc123"
	w.Time, w.Count, w.CPUs, w.Memory = 100*time.Hour+1500*time.Millisecond, 1, 1, 1.5e9
	return w
}

// golden compares files with those of testdata.
func golden(t *testing.T, folder string, files []File) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join("testdata", folder, f.Name)
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(f.Text), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != f.Text {
			t.Errorf("%s (%v): have\n%s\nwant\n%s", path, err, f.Text, want)
		}
	}
}

func TestSlurmFiles(t *testing.T) {
	for name, s := range map[string]Slurm{
		"slurm":     {Workers: plain(), Logs: "/shared/sweeps/rates-workers"},
		"slurm-odd": {Workers: odd(), Partition: `a "b`, Account: "it's", Logs: `/shared/100% "odd" it's`},
	} {
		files, err := s.Files()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, name, files)
		var counts []int
		for _, f := range files {
			counts = append(counts, f.Workers)
			checkShell(t, name, f.Text, append([]string{s.Program}, s.arguments()...))
		}
		if want := map[string][]int{"slurm": {10, 10, 5}, "slurm-odd": {1}}[name]; !slices.Equal(counts, want) {
			t.Errorf("%s: workers %d, want %d", name, counts, want)
		}
	}
}

// checkShell runs a script in a shell in which exec prints its arguments: they are to be the words
// that are meant, and nothing else is to happen.
func checkShell(t *testing.T, name, script string, want []string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("checking scripts needs bash")
	}
	dir := t.TempDir()
	cmd := exec.Command(bash, "-c", "exec() { printf '%s\\0' \"$@\"; }\n"+script)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !slices.Equal(got, want) {
		t.Errorf("%s: the shell reads\n%q\nwant\n%q", name, got, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%s: the script has run something: %v", name, entries)
	}
}

func TestKubernetesFiles(t *testing.T) {
	strange := odd()
	strange.PerJob = 1
	for name, k := range map[string]Kubernetes{
		"kubernetes":     {Workers: plain(), Image: "registry.example/pkm:1", Claim: "shared", Mount: "/shared", Namespace: "ml", Secret: "pkm", SecretKey: "token"},
		"kubernetes-odd": {Workers: strange, Image: `null`},
	} {
		files, err := k.Files()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, name, files)
		for _, f := range files {
			var job struct {
				APIVersion, Kind string
				Spec             struct {
					CompletionMode           string
					Completions, Parallelism int
					Template                 struct {
						Spec struct {
							RestartPolicy string
							Containers    []struct {
								Image, WorkingDir string
								Command, Args     []string
								Env               []struct{ Name, Value string }
							}
						}
					}
				}
			}
			// Names of the API are in camel case; the library's default is lower case.
			var tree any
			err := yaml.Unmarshal([]byte(f.Text), &tree)
			if err == nil {
				var text []byte
				if text, err = yaml.MarshalWithOptions(lower(tree), yaml.JSON()); err == nil {
					err = yaml.NewDecoder(bytes.NewReader(text)).Decode(&job)
				}
			}
			if err != nil || job.APIVersion != "batch/v1" || job.Kind != "Job" || job.Spec.CompletionMode != "Indexed" || job.Spec.Completions != f.Workers || job.Spec.Parallelism != f.Workers || job.Spec.Template.Spec.RestartPolicy != "Never" {
				t.Fatalf("%s: %v, %+v", name, err, job)
			}
			c := job.Spec.Template.Spec.Containers[0]
			var want []string
			for _, a := range append(k.arguments(), "--hand-back-code", "143") {
				want = append(want, strings.ReplaceAll(a, "$", "$$"))
			}
			if !reflect.DeepEqual(c.Args, want) || c.Image != k.Image || c.WorkingDir != k.WorkDir || c.Command[0] != strings.ReplaceAll(k.Program, "$", "$$") {
				t.Errorf("%s: YAML reads\n%q\nwant\n%q\n%+v", name, c.Args, want, c)
			}
		}
	}
}

// lower returns a tree with lower-case keys.
func lower(tree any) any {
	switch x := tree.(type) {
	case map[string]any:
		y := map[string]any{}
		for k, v := range x {
			y[strings.ToLower(k)] = lower(v)
		}
		return y
	case []any:
		for i := range x {
			x[i] = lower(x[i])
		}
	}
	return tree
}

func TestWrongOptions(t *testing.T) {
	good := Kubernetes{Workers: plain(), Image: "pkm:1", Claim: "shared", Mount: "/shared", Secret: "pkm", SecretKey: "token"}
	for _, test := range []struct {
		change func(k *Kubernetes)
		option string
	}{
		{func(k *Kubernetes) { k.Count = 0 }, "--workers"},
		{func(k *Kubernetes) { k.PerJob = 0 }, "--max-array"},
		{func(k *Kubernetes) { k.PerJob = 10001 }, "--max-array"},
		{func(k *Kubernetes) { k.CPUs = 0 }, "--cpus"},
		{func(k *Kubernetes) { k.Memory = 1 }, "--memory"},
		{func(k *Kubernetes) { k.Time = time.Minute }, "--time"},
		{func(k *Kubernetes) { k.Server = "" }, "--server"},
		{func(k *Kubernetes) { k.Server = "login:4222" }, "--server"},
		{func(k *Kubernetes) { k.Server = "nats://s3cret@login:4222" }, "--server"},
		{func(k *Kubernetes) { k.Dir = "a\nb" }, "--dir"},
		{func(k *Kubernetes) { k.Dir = "a" }, "--dir"},
		{func(k *Kubernetes) { k.Name = "a\r" }, "the sweep's name"},
		{func(k *Kubernetes) { k.Image = "" }, "--image"},
		{func(k *Kubernetes) { k.Image = "pkm 1" }, "--image"},
		{func(k *Kubernetes) { k.Image = "registry.example/PKM:1" }, "--image"},
		{func(k *Kubernetes) { k.Namespace = "A" }, "--namespace"},
		{func(k *Kubernetes) { k.Claim = "a_b" }, "--claim"},
		{func(k *Kubernetes) { k.Mount = "a" }, "--mount"},
		{func(k *Kubernetes) { k.SecretKey = "a b" }, "--token-secret"},
		{func(k *Kubernetes) { k.TokenFile = "/t" }, "--token-secret"},
	} {
		k := good
		test.change(&k)
		_, err := k.Files()
		var wrong *OptionError
		if !errors.As(err, &wrong) || wrong.Option != test.option || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", test.option, err)
		}
	}
	for name, s := range map[string]Slurm{"--partition": {Workers: plain(), Partition: "a\nb"}, "the folder of the workers": {Workers: plain(), Logs: `a\b`}} {
		var wrong *OptionError
		if _, err := s.Files(); !errors.As(err, &wrong) || wrong.Option != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
