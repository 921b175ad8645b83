package experiments

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzParse: whatever the input, Parse returns a configuration that survives
// being written and read again, or faults that each fit on a line.
func FuzzParse(f *testing.F) {
	long(f)
	files, err := filepath.Glob("testdata/wrong/*.[ytj]*")
	if err != nil {
		f.Fatal(err)
	}
	files = append(files, "testdata/default.yaml", "configs/digits-mlp.yaml", "configs/digits-resnet.yaml")
	formats := []string{"yaml", "json", "toml"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i := range formats {
			f.Add(text, byte(i), "training.steps=10", "PKM_SEED=3")
		}
	}
	for _, override := range []string{"", "=", "a.b.c=1", "machines=[{<<: &a {name: a, family: flow}, rule: left}]", "data={source: csv, path: \"\\u2028\"}", "network.hidden=[&a 1, *a]", "a..=", "machines[=", "seed=!!int 5", "name=|\n x", "seed=${data.train}", "name=a${env:PKM_X,b}$${c}", "+machines={name: z, family: exact, rule: left}", "~machines[0]", "~training.steps", "machines.exact.rule=left", "name=${name}", "+network.layers[0].layers[1]={kind: tanh}"} {
		f.Add([]byte("name: x\n"), byte(0), override, "PKM_DATA_CLASSES=[3,8]")
	}
	f.Fuzz(func(t *testing.T, text []byte, format byte, override, variable string) {
		if len(text) > 4096 {
			return
		}
		config, err := Parse("fuzz", text, formats[int(format)%len(formats)], []string{override}, []string{variable})
		if err != nil {
			if config != nil {
				t.Errorf("a configuration beside %v", err)
			}
			faults(t, err)
			return
		}
		written, err := config.YAML()
		if err != nil {
			t.Fatalf("written: %v", err)
		}
		again, err := Parse("again", written, "yaml", nil, nil)
		if err != nil {
			t.Fatalf("%s\n%v", written, err)
		}
		if !reflect.DeepEqual(again, config) {
			t.Errorf("got %+v, want %+v", again, config)
		}
	})
}
