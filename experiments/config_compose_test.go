package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// inFolder writes files, by name, into a new folder and returns it.
func inFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sameButForMachines compares configurations, of the machines only what tells
// them apart.
func sameButForMachines(a, b *Config) bool {
	plain := func(c *Config) Config {
		out := *c
		out.Machines = []Machine{}
		for _, m := range c.Machines {
			out.Machines = append(out.Machines, Machine{Name: m.Name, Family: m.Family, Rule: m.Rule})
		}
		return out
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

// TestComposition: which file's value prevails, for each kind of value.
func TestComposition(t *testing.T) {
	dir := inFolder(t, map[string]string{
		"main.yaml":          "defaults: [shared/a.yaml, b.toml]\nname: main\ntraining: {steps: 3}\n",
		"shared/a.yaml":      "defaults: [deep/c.json]\nname: a\nseed: 5\ntraining: {steps: 2, batch_size: 7, optimizer: {learning_rate: 0.2, momentum: 0.5}}\nnetwork: {hidden: [1, 2, 3]}\nmachines: [{name: a, family: exact, rule: left}, {name: b, family: exact, rule: left}]\n",
		"shared/deep/c.json": `{"seed": 4, "data": {"train": 50}, "precision": "float32"}`,
		"b.toml":             "seed = 6\nremove = ['training.optimizer.momentum', 'machines.a']\nnetwork.hidden = [9]\n",
		"adam.yaml":          "defaults: [main.yaml]\nremove: [training.optimizer.learning_rate]\ntraining: {optimizer: {kind: adam}}\n",
		"twice.yaml":         "defaults: [shared/a.yaml, b.toml, shared/a.yaml]\n",
	})
	load := func(name string, overrides ...string) *Config {
		t.Helper()
		config, err := Load(filepath.Join(dir, name), overrides, []string{"PKM_DATA_QUERY=8"})
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	want := defaultConfig()
	want.Name, want.Seed, want.Precision, want.Data.Train, want.Data.Query = "main", 6, "float32", 50, 8
	want.Training.Steps, want.Training.BatchSize, want.Training.Optimizer.LearningRate = 3, 7, 0.2
	want.Network.Hidden, want.Machines = []int{9}, []Machine{{Name: "b", Family: "exact", Rule: "left"}}
	if got := load("main.yaml"); !sameButForMachines(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.Training.Optimizer.Kind, want.Training.Optimizer.LearningRate = "adam", 0.1
	if got := load("adam.yaml"); !sameButForMachines(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := load("twice.yaml"); got.Seed != 5 || got.Training.Optimizer.Momentum != 0.5 || len(got.Machines) != 2 {
		t.Errorf("the last file does not prevail: %+v", got)
	}
	if got := load("main.yaml", "seed=7", "~training.batch_size"); got.Seed != 7 || got.Training.BatchSize != 0 {
		t.Errorf("overrides do not prevail over files: %+v", got)
	}
}

// TestReferences: where a reference leads, and of which type its value is.
func TestReferences(t *testing.T) {
	tests := []struct {
		name, text         string
		environ, overrides []string
		want               func(*Config)
	}{
		{"a key of the file", "training: {steps: 7}\nseed: ${training.steps}\n", nil, nil, func(c *Config) { c.Training.Steps, c.Seed = 7, 7 }},
		{"a default", "training: {batch_size: \"${data.train}\"}\n", nil, nil, func(c *Config) { c.Training.BatchSize = 1000 }},
		{"a reference to a reference", "seed: ${training.steps}\ntraining:\n  steps: ${data.query}\n", nil, nil, func(c *Config) { c.Seed, c.Training.Steps = 100, 100 }},
		{"the value that prevails", "seed: ${data.query}\n", []string{"PKM_DATA_QUERY=5"}, []string{"data.query=6"}, func(c *Config) { c.Seed, c.Data.Query = 6, 6 }},
		{"a covered reference to nothing", "seed: ${env:NONE}\n", nil, []string{"seed=3"}, func(c *Config) { c.Seed = 3 }},
		{"a covered cycle", "seed: ${training.steps}\ntraining: {steps: '${seed}'}\n", nil, []string{"seed=3"}, func(c *Config) { c.Seed, c.Training.Steps = 3, 3 }},
		{"a covered list", "network: {hidden: ['${env:NONE}']}\n", nil, []string{"network.hidden=[5]"}, func(c *Config) { c.Network.Hidden = []int{5} }},
		{"a list", "data: {classes: [3, 8], train: 100}\nnetwork:\n  hidden: ${data.classes}\n", nil, nil, func(c *Config) {
			c.Data.Classes, c.Data.Train, c.Network.Hidden = []int{3, 8}, 100, []int{3, 8}
		}},
		{"an item", "network: {hidden: [5, '${network.hidden[0]}']}\n", nil, nil, func(c *Config) { c.Network.Hidden = []int{5, 5} }},
		{"a key of an item, by number and by name", "machines: [{name: a, family: exact, rule: left}, {name: b, family: \"${machines[0].family}\", rule: \"${machines.a.rule}\"}]\n", nil, nil, func(c *Config) {
			c.Machines = []Machine{{Name: "a", Family: "exact", Rule: "left"}, {Name: "b", Family: "exact", Rule: "left"}}
		}},
		{"an item of a default", "seed: ${network.hidden[1]}\n", nil, nil, func(c *Config) { c.Seed = 64 }},
		{"in a text", "data: {query: 5}\n", nil, []string{"name=n${seed}-${data.query}-${precision}"}, func(c *Config) { c.Name, c.Data.Query = "n1-5-float64", 5 }},
		{"a number alone stays one, in a text it is written as it was", "training: {optimizer: {learning_rate: 1e-3}}\n", nil, []string{"name=a${training.optimizer.learning_rate}", "training.optimizer.weight_decay=${training.optimizer.learning_rate}", "machines=[]", "path_kernel=none"},
			func(c *Config) {
				c.Name, c.Training.Optimizer.LearningRate, c.Training.Optimizer.WeightDecay = "a1e-3", 1e-3, 1e-3
				c.Machines, c.PathKernel = []Machine{}, "none"
			}},
		{"a variable", "seed: ${env:SEED}\nnetwork:\n  hidden: ${env:WIDTHS}\n  bias: ${env:BIAS}\n", []string{"SEED=5", "WIDTHS=[3, 4]", "BIAS=false"}, nil, func(c *Config) { c.Seed, c.Network.Hidden, c.Network.Bias = 5, []int{3, 4}, false }},
		{"a variable that looks like a number is text where text is asked for", "", []string{"TAG=007"}, []string{"name=${env:TAG}"}, func(c *Config) { c.Name = "007" }},
		{"a value for a variable that is not set", "seed: ${env:SEED, 6}\n", nil, []string{"name=${env:TAG,none}-${env:B,}"}, func(c *Config) { c.Seed, c.Name = 6, "none-" }},
		{"a variable in a PKM_ variable", "", []string{"PKM_SEED=${env:S}", "S=4"}, nil, func(c *Config) { c.Seed = 4 }},
		{"the key of the kind that prevails", "training:\n  optimizer: {kind: adam, beta1: 0.5}\n  clip_norm: ${training.optimizer.beta1}\nmachines: [{name: a, family: exact, rule: left}]\n", nil, nil, func(c *Config) {
			c.Training.Optimizer.Kind, c.Training.Optimizer.Beta1, c.Training.ClipNorm = "adam", 0.5, 0.5
			c.Machines = []Machine{{Name: "a", Family: "exact", Rule: "left"}}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := defaultConfig()
			test.want(want)
			got := parse(t, "name: x\n"+test.text, test.overrides, test.environ)
			if !sameButForMachines(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			// What is saved has no references left and reads back as the same.
			text, err := got.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again := parse(t, string(text), nil, nil)
			if twice, err := again.YAML(); err != nil || string(twice) != string(text) || strings.Contains(string(text), "${") {
				t.Errorf("%v: written a second time:\n%s\nwant\n%s", err, twice, text)
			}
		})
	}
}

// TestEscapes: $${ is ${, whatever stands around it, and is written so again.
func TestEscapes(t *testing.T) {
	for text, want := range map[string]string{"$${a}": "${a}", "$$${a}": "$${a}", "a$$b$": "a$$b$", "$${": "${", "{$}": "{$}", "$$$${x}${seed}": "$$${x}1"} {
		c := newChecker()
		doc, fault := c.parse("{name: '"+text+"', seed: 1}", &source{label: "test"}, 0)
		if fault != nil {
			t.Fatal(fault)
		}
		got := c.resolve([]*node{doc}, nil)[0].entry("name").text
		if err := c.err(); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", text, got, want, err)
		}
		parts, fault2 := splitReferences(escapeReferences(want))
		if fault2 != "" || len(parts) != 1 || parts[0].text != want || parts[0].ref {
			t.Errorf("%q is written as %q and read as %v", want, escapeReferences(want), parts)
		}
	}
}

// TestOverrides: +key and ~key, and keys inside of lists.
func TestOverrides(t *testing.T) {
	const file = "name: x\nseed: 2\nmachines:\n  - {name: a, family: exact, rule: left}\n  - {name: b, family: exact, rule: trapezoid}\ntraining: {optimizer: {momentum: 0.5}}\n"
	a, b := Machine{Name: "a", Family: "exact", Rule: "left"}, Machine{Name: "b", Family: "exact", Rule: "trapezoid"}
	left, domingos := Machine{Name: "left", Family: "flow", Rule: "left"}, Machine{Name: "domingos", Family: "flow", Rule: "trapezoid"}
	const flowLeft = "{name: left, family: flow, rule: left}"
	tests := []struct {
		file      string
		overrides []string
		want      func(*Config)
	}{
		{file, []string{"~training.optimizer.momentum", "~seed"}, func(c *Config) { c.Machines = []Machine{a, b} }},
		{file, []string{"~training", "~seed", "~machines"}, func(*Config) {}},
		{file, []string{"~machines[0]", "~training", "seed=1"}, func(c *Config) { c.Machines = []Machine{b} }},
		{file, []string{"~machines.b", "~training", "seed=1"}, func(c *Config) { c.Machines = []Machine{a} }},
		{file, []string{"~machines.b", "~machines.a", "+machines=" + flowLeft, "~training", "seed=1"}, func(c *Config) { c.Machines = []Machine{left} }},
		{file, []string{"+machines=[" + flowLeft + ", {name: c, family: flow, rule: left}]", "~training", "seed=1", "~machines[3]"}, func(c *Config) { c.Machines = []Machine{a, b, left} }},
		{file, []string{"machines[1].rule=gauss-2", "machines.a.name=c", "~training", "seed=1"}, func(c *Config) {
			c.Machines = []Machine{{Name: "c", Family: "exact", Rule: "left"}, {Name: "b", Family: "exact", Rule: "gauss-2"}}
		}},
		{file, []string{"machines[0]=" + flowLeft, "~training", "seed=1"}, func(c *Config) { c.Machines = []Machine{left, b} }},
		{"name: x\n", []string{"+machines=" + flowLeft}, func(c *Config) { c.Machines = append(c.Machines, left) }},
		{"name: x\n", []string{"~machines.exact"}, func(c *Config) { c.Machines = []Machine{domingos} }},
		{"name: x\n", []string{"machines.exact.rule=left"}, func(c *Config) { c.Machines[0].Rule = "left" }},
		{"name: x\n", []string{"+training.steps=9", "+data.classes=3", "+data.classes=[8]", "+data.train=100", "+network.hidden=5", "network.hidden[0]=6"}, func(c *Config) {
			c.Training.Steps, c.Data.Classes, c.Data.Train, c.Network.Hidden = 9, []int{3, 8}, 100, []int{6, 64, 5}
		}},
		{"name: x\n", []string{"seed=${env:NONE}", "~seed"}, func(*Config) {}},
		{"name: x\ntraining: {steps: ten}\n", []string{"~training.steps"}, func(*Config) {}},
		{"name: x\ntraining: {optimizer: {kind: sgd, learning_rate: 0.1}}\n", []string{"training.optimizer.kind=flow", "training.optimizer.time=1", "~training.optimizer.learning_rate"}, func(c *Config) {
			c.Training.Optimizer.Kind, c.Training.Optimizer.Time, c.Machines = "flow", 1, []Machine{domingos}
		}},
		// The default machines that do not suit the optimizer are left out, the added one is not.
		{"name: x\n", []string{"training.optimizer.kind=adam", "+machines={name: z, family: exact, rule: left}"}, func(c *Config) {
			c.Training.Optimizer.Kind, c.Machines = "adam", []Machine{c.Machines[0], {Name: "z", Family: "exact", Rule: "left"}}
		}},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.overrides, " "), func(t *testing.T) {
			want := defaultConfig()
			test.want(want)
			if got := parse(t, test.file, test.overrides, nil); !sameButForMachines(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestFaultsOfAddedMachines: a fault in an item after default ones that were left
// out is found where the item stands.
func TestFaultsOfAddedMachines(t *testing.T) {
	_, err := Parse("f.yaml", []byte("name: x\n"), "yaml", []string{"training.optimizer.kind=adam", "+machines={name: z, family: exact, rule: lefft}"}, nil)
	const want = "override +machines={name: z, family: exact, rule: lefft}, column 42: machines[1].rule: found lefft, not a rule of family exact; did you mean left?"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestReferencesAreBounded: references that double what they refer to end.
func TestReferencesAreBounded(t *testing.T) {
	var names, layers strings.Builder
	names.WriteString("name: x\nmachines:\n  - {name: aa, family: exact, rule: left}\n")
	layers.WriteString("name: x\nnetwork:\n  kind: layers\n  layers:\n    - {kind: flatten}\n")
	for i := range 40 {
		names.WriteString("  - {name: '" + strings.Repeat("${"+itemPath("machines", i)+".name}", 2) + "', family: exact, rule: left}\n")
		ref := "'${" + itemPath("network.layers", i) + "}'"
		layers.WriteString("    - {kind: residual, layers: [" + ref + ", " + ref + "]}\n")
	}
	for text, want := range map[string]string{names.String(): "becomes too long with its references", layers.String(): "becomes too much with its references"} {
		if _, err := Parse("f.yaml", []byte(text), "yaml", nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestCompositionIsBounded: long chains of files and many files are refused.
func TestCompositionIsBounded(t *testing.T) {
	files := map[string]string{"end.yaml": "seed: 1\n"}
	for i := range 20 {
		next := fmt.Sprintf("%d.yaml", i+1)
		if i == 19 {
			next = "end.yaml"
		}
		files[fmt.Sprintf("%d.yaml", i)] = "defaults: [" + next + "]\nname: x\n"
	}
	files["wide.yaml"] = "name: x\ndefaults: [" + strings.Repeat("end.yaml, ", 120) + "]\n"
	dir := inFolder(t, files)
	for name, want := range map[string]string{
		"0.yaml":    "15.yaml:1:12: defaults[0]: found 16.yaml, one file too deep: ",
		"wide.yaml": "wide.yaml:2:1012: defaults[100]: found end.yaml, one file too many; allowed: at most 100 files",
	} {
		if _, err := Load(filepath.Join(dir, name), nil, nil); err == nil || !strings.Contains(err.Error(), want) || len(faults(t, err)) != 1 {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "5.yaml"), nil, nil); err != nil {
		t.Errorf("sixteen files are refused: %v", err)
	}
}
