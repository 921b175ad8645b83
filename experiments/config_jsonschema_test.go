package experiments

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled returns the schema, checked against the meta-schema of its draft.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("pkm.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("pkm.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plainValue returns what JSON would make of n.
func plainValue(t *testing.T, n *node) any {
	t.Helper()
	switch n.kind {
	case mapNode:
		out := map[string]any{}
		for _, e := range n.entries {
			out[e.key] = plainValue(t, e.value)
		}
		return out
	case listNode:
		out := []any{}
		for _, item := range n.items {
			out = append(out, plainValue(t, item))
		}
		return out
	case intNode, floatNode:
		x, err := parseFloat(n.text)
		if err != nil {
			t.Fatal(err)
		}
		return x
	case boolNode:
		return strings.EqualFold(n.text, "true")
	case nullNode:
		return nil
	}
	return n.text
}

func plainFile(t *testing.T, name string, text []byte) any {
	t.Helper()
	c := newChecker()
	root := c.file(&source{file: name}, text, strings.TrimPrefix(filepath.Ext(name), "."))
	if root == nil {
		t.Fatal(c.err())
	}
	return plainValue(t, root)
}

// TestSchemaAccepts: what Load accepts conforms to the schema.
func TestSchemaAccepts(t *testing.T) {
	schema := compiled(t)
	files, err := filepath.Glob("configs/*.[ytj]*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	texts := map[string][]byte{}
	for _, file := range append(files, "testdata/default.yaml", "testdata/wrong/base/plain.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "plain.yaml") {
			text = append(text, "name: x\n"...)
		} else if config, err := Load(file, nil, nil); withoutFashion(t, file, err) {
			continue
		} else if err != nil {
			t.Error(err)
		} else if texts["resolved "+file+".yaml"], err = config.YAML(); err != nil {
			t.Error(err)
		}
		texts[file] = text
	}
	if texts["starter.yaml"], err = Starter("my-experiment"); err != nil {
		t.Fatal(err)
	}
	texts["layers.yaml"] = []byte(everyLayer)
	texts["references.yaml"] = []byte("name: a-${seed}\nseed: ${env:SEED}\ndata: {classes: [3, '${seed}']}\nnetwork: {bias: '${env:B}', hidden: '${data.classes}', init: {gain: '${seed}'}}\nmachines:\n  - ${machines[1]}\n  - {name: a, family: exact, rule: '${env:RULE}'}\n  - {name: b, family: '${machines.a.family}', rule: gauss-3}\n  - {name: c, family: exact, rule: adaptive, tolerance: 1e-3}\n  - {name: d, family: exact, rule: '${env:RULE}', tolerance: 1e-3}\n")
	texts["below.yaml"] = []byte("defaults: [base.yaml]\nremove: [training.optimizer.momentum]\ntraining: {optimizer: {beta1: 0.5}}\n")
	texts["editor.json"] = []byte(`{"$schema": "pkm.schema.json", "name": "x"}`)
	texts["table.toml"] = []byte("name = 'x'\n[[machines]]\nname = 'a'\nfamily = 'flow'\nrule = 'left'\n")
	for name, text := range texts {
		if err := schema.Validate(plainFile(t, name, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses: one fault each, which Load refuses too.
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{
		"seed: 1",
		"name: a/b",
		"name: x\nsead: 1",
		"name: x\nseed: one",
		"name: x\nseed: 1.5",
		"name: x\nprecision: float46",
		"name: x\ndata: {train: 0}",
		"name: x\ndata: {train: 5, classes: 3}",
		"name: x\ndata: {classes: [3, eight]}",
		"name: x\nnetwork: {bias: 'yes'}",
		"name: x\nnetwork: {hiden: [3]}",
		"name: x\nnetwork: {init: {gain: 0}}",
		"name: x\nnetwork: {kind: layers, hidden: [3]}",
		"name: x\nnetwork: {kind: layers, layers: [{kind: conv2d, filters: 3}]}",
		"name: x\nnetwork: {kind: layers, layers: [{kind: tanh, units: 3}]}",
		"name: x\nnetwork: {kind: layers, layers: [{units: 3}]}",
		"name: x\nnetwork: {kind: layers, layers: [{kind: residual, layers: [{kind: batch-norm}]}]}",
		"name: x\nnetwork: {kind: cnn, convs: [{kernel: 3}]}",
		"name: x\ntraining: {checkpoints: {disk: many}}",
		"name: x\ntraining: {optimizer: {kind: adam, momentum: 0.5}}",
		"name: x\ntraining: {optimizer: {momentum: 1}}",
		"name: x\ntraining: [steps]",
		"name: x\nmachines: [{name: a, family: flow, rule: gauss-3}]",
		"name: x\nmachines: [{name: a, family: exact, rule: gauss-65}]",
		"name: x\nmachines: [{name: a, family: exact}]",
		"name: x\nmachines: [{name: a, family: exact, rule: left, tolerance: 1e-3}]",
		"name: x\nmachines: {name: a}",
		"name: x\ndefaults: base.yaml",
		"name: x\nremove: [3]",
		"name: x\ndefaults: []\nseed:",
	} {
		if err := schema.Validate(plainFile(t, "f.yaml", []byte(text))); err == nil {
			t.Errorf("%s\naccepted", text)
		}
		if _, err := Parse("f.yaml", []byte(text), "yaml", nil, nil); err == nil {
			t.Errorf("%s\naccepted by Parse", text)
		}
	}
}

// TestKeyDescriptions: config_keys.yaml has a line for each key, and no other.
func TestKeyDescriptions(t *testing.T) {
	root, fault := parseYAML(configKeys)
	if fault != nil {
		t.Fatal(fault)
	}
	left := keyDescriptions()
	if len(left) != len(root.entries) {
		t.Errorf("config_keys.yaml has a key twice: %d lines, %d keys", len(root.entries), len(left))
	}
	seen := map[string]bool{}
	var walk func(*field)
	walk = func(f *field) {
		for _, sub := range f.children {
			if left[sub.path] == "" {
				t.Errorf("config_keys.yaml says nothing of %s: add a line `%s: what it means`", sub.path, sub.path)
			}
			delete(left, sub.path)
			walk(sub)
			if sub.isListOfSections() && !seen[sub.typ.String()] {
				seen[sub.typ.String()] = true
				walk(sub.item())
			}
		}
	}
	walk(configSchema())
	for path := range left {
		t.Errorf("config_keys.yaml describes %s, which is no key", path)
	}
}

// TestStarter: what pkm init writes is the default experiment, explained.
func TestStarter(t *testing.T) {
	text, err := Starter("my-experiment")
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, string(text), nil, nil)
	want, err := parse(t, "name: my-experiment\n", nil, nil).YAML()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := got.YAML(); err != nil || !bytes.Equal(again, want) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, again, want)
	}
	// Those that a default experiment does not have are comments, with the kinds that have them and their default.
	for _, want := range []string{"\n    # beta1: 0.9 ", "# of adam, adamw: decay of the mean of gradients (at least 0 and below 1)\n", "\n  # held_out.path: ''",
		"\n  # convs[].pool: none", "\n# machines[].max_nodes: 512  # of adaptive: ", "\n  # layers[].kind:  "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing", want)
		}
	}
	seen := map[string]bool{}
	configSchema().each(func(f *field) {
		if key := regexp.MustCompile(`\b` + f.key + `:`); !key.Match(text) {
			t.Errorf("%s is missing", f.path)
		}
		if f.isListOfSections() && !seen[f.key] {
			seen[f.key] = true
			for _, key := range f.item().children {
				if !strings.Contains(string(text), "# "+f.key+"[]."+key.key+":") {
					t.Errorf("%s is missing", key.path)
				}
			}
		}
	})
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "#") && !strings.HasPrefix(strings.TrimSpace(line), "- ") {
			t.Errorf("nothing is said of %s", line)
		}
	}
	if _, err := Starter("a/b"); err == nil {
		t.Error("a name that is no folder is accepted")
	}
}

// TestSources: each line names where its values come from.
func TestSources(t *testing.T) {
	dir := inFolder(t, map[string]string{
		"main.yaml": "defaults: [base.yaml]\nname: x\ntraining:\n  batch_size: ${data.query}\n",
		"base.yaml": "seed: 3\nmachines:\n  - {name: a, family: exact, rule: left}\n  - {name: b, family: exact, rule: left}\n",
	})
	t.Chdir(dir)
	config, sources, err := LoadSources("main.yaml", []string{"machines[1].rule=gauss-2", "+network.hidden=7"}, []string{"PKM_DATA_QUERY=9"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := sources.YAML(config)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(text)) {
		value, comment, _ := strings.Cut(line, "  # ")
		said[strings.TrimSpace(value)] = strings.TrimSpace(comment)
	}
	for value, want := range map[string]string{
		"name: x":             "main.yaml:2:7",
		"seed: 3":             "base.yaml:1:7",
		"query: 9":            "environment variable PKM_DATA_QUERY",
		"train: 1000":         "default",
		"batch_size: 9":       "main.yaml:4:15, ${data.query}",
		"hidden: [64, 64, 7]": "override +network.hidden=7; default",
		"- {name: a, family: exact, rule: left, target: outputs}":    "base.yaml:3:5",
		"- {name: b, family: exact, rule: gauss-2, target: outputs}": "base.yaml:4:5; override machines[1].rule=gauss-2",
		"training:": "",
		"machines:": "",
	} {
		if got, ok := said[value]; !ok || got != want {
			t.Errorf("%s comes from %q, want %q (%v)", value, got, want, ok)
		}
	}
	plain, err := config.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := parse(t, string(text), nil, nil).YAML(); err != nil || !bytes.Equal(again, plain) {
		t.Errorf("%v: with comments it is another configuration:\n%s", err, again)
	}
}
