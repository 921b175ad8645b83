package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A composed configuration with references, and the config.yaml that its run
// saves, give the same bytes, from where the process stands.
func TestSavedConfigurationRunsToTheSameBytes(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("shared", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"shared/base.yaml": fast + "remove: []\n",
		"shared/main.yaml": "defaults: [base.yaml]\nname: n${data.query}\ntraining:\n  batch_size: ${data.train}\n  schedule: {kind: cosine, t_max: '${env:T_MAX,4}'}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	code, out, errout := pkm(t, "run", "shared/main.yaml", "+machines={name: z, family: exact, rule: '${machines[0].rule}'}", "~network", "network.hidden=[4]", "--out", "first")
	if code != 0 || !strings.Contains(out, "n5: ") {
		t.Fatalf("exit %d\n%s%s", code, out, errout)
	}
	if code, out, errout = pkm(t, "run", "first/config.yaml", "--out", "second"); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, out, errout)
	}
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("the working directory is %s, was %s (%v)", after, before, err)
	}
	files := 0
	for _, pattern := range []string{"config.yaml", "arrays/*.npy", "arrays/z/*.npy", "weights_final.safetensors"} {
		names, err := filepath.Glob("first/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			files++
			a, errA := os.ReadFile(name)
			b, errB := os.ReadFile("second" + strings.TrimPrefix(name, "first"))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s differs (%v, %v)", name, errA, errB)
			}
		}
	}
	if files < 8 {
		t.Errorf("only %d files compared", files)
	}
	saved, err := os.ReadFile("first/config.yaml")
	if code, out, _ := pkm(t, "run", "first/config.yaml", "--print-config"); code != 0 || err != nil || out != string(saved) {
		t.Errorf("exit %d, %v: printed\n%s\nsaved\n%s", code, err, out, saved)
	}
}

func TestPrintConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	code, out, errout := pkm(t, "run", config, "--print-config=sources", "seed=3")
	if code != 0 || !strings.Contains(out, "# override seed=3") || !strings.Contains(out, "fast.yaml:2:15") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	if code, out, errout = pkm(t, "run", "-", "--print-config"); code != 0 || !strings.Contains(out, "name: fast\n") || strings.Contains(out, "#") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	if code, _, errout = pkm(t, "run", config, "--print-config=all"); code != exitUsage || !strings.Contains(errout, "--print-config=sources") {
		t.Errorf("exit %d\n%s", code, errout)
	}
	if code, _, errout = pkm(t, "run", config, "--print-config", "sed=3"); code != exitUsage || !strings.Contains(errout, "did you mean seed?") {
		t.Errorf("exit %d\n%s", code, errout)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
		t.Errorf("printing left %v (%v)", entries, err)
	}
}

func TestSchemaAndInit(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, errout := pkm(t, "schema")
	var schema map[string]any
	if err := json.Unmarshal([]byte(out), &schema); code != 0 || err != nil || schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("exit %d, %v\n%s", code, err, errout)
	}
	code, out, errout = pkm(t, "init", "my.yaml")
	first, err := os.ReadFile("my.yaml")
	if code != 0 || err != nil || !strings.Contains(out, "pkm run my.yaml") {
		t.Errorf("exit %d, %v\n%s%s", code, err, out, errout)
	}
	if code, out, errout = pkm(t, "run", "my.yaml", "--print-config"); code != 0 || !strings.HasPrefix(out, "name: my\n") {
		t.Errorf("exit %d\n%s%s", code, out, errout)
	}
	// It runs to the same bytes as a file that leaves everything to the defaults.
	bare := write(t, "bare.yaml", "name: my\n")
	var runs []map[string]string
	for _, file := range []string{"my.yaml", bare} {
		dir := filepath.Join(t.TempDir(), "run")
		if code, _, errout := pkm(t, "run", file, "-q", "--out", dir, "training.steps=2", "data.train=20"); code != 0 {
			t.Fatal(errout)
		}
		runs = append(runs, contents(t, dir))
	}
	if !maps.Equal(runs[0], runs[1]) || len(runs[0]) < 10 {
		t.Errorf("the written configuration runs to other bytes than the defaults, or to %d files", len(runs[0]))
	}
	if code, _, errout = pkm(t, "init", "my.yaml"); code != exitUsage || !strings.Contains(errout, "not overwritten") {
		t.Errorf("exit %d\n%s", code, errout)
	}
	if again, err := os.ReadFile("my.yaml"); err != nil || !bytes.Equal(again, first) {
		t.Errorf("init changed the file: %v", err)
	}
	if code, out, _ = pkm(t, "init", "-"); code != 0 || !strings.Contains(out, "name: experiment ") {
		t.Errorf("exit %d\n%s", code, out)
	}
	for _, args := range [][]string{{"init", "my.toml"}, {"init", "a b.yaml"}, {"init", "a.yaml", "b.yaml"}, {"schema", "x"}} {
		if code, _, errout = pkm(t, args...); code != exitUsage {
			t.Errorf("%v: exit %d\n%s", args, code, errout)
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v)", entries, err)
	}
}
