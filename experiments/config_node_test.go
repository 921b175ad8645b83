package experiments

import (
	"math"
	"reflect"
	"testing"
)

// TestScalars follows the core schema of YAML 1.2, §10.3.2.
func TestScalars(t *testing.T) {
	tests := []struct {
		text string
		kind nodeKind
		x    float64
	}{
		{"0", intNode, 0}, {"-3", intNode, -3}, {"+5", intNode, 5}, {"010", intNode, 10}, {"0x1f", intNode, 31}, {"0o17", intNode, 15},
		{"1e3", floatNode, 1000}, {"1e-3", floatNode, 1e-3}, {"-.5E+1", floatNode, -5}, {"2.", floatNode, 2}, {"-.inf", floatNode, math.Inf(-1)}, {".INF", floatNode, math.Inf(1)},
		{"", nullNode, 0}, {"~", nullNode, 0}, {"Null", nullNode, 0}, {"True", boolNode, 0}, {"FALSE", boolNode, 0},
		{"yes", textNode, 0}, {"1_000", textNode, 0}, {"nan", textNode, 0}, {"1e", textNode, 0}, {".", textNode, 0}, {"0xg", textNode, 0}, {"1 2", textNode, 0}, {"tRUE", textNode, 0},
	}
	for _, test := range tests {
		n, fault := parseYAML("[" + test.text + ", 'x']")
		if test.text == "" {
			n, fault = parseYAML("- \n- x")
		}
		if fault != nil {
			t.Errorf("%q: %v", test.text, fault)
			continue
		}
		got := n.items[0]
		if got.kind != test.kind {
			t.Errorf("%q is of kind %d, want %d", test.text, got.kind, test.kind)
		}
		if got.kind == intNode || got.kind == floatNode {
			if x, err := parseFloat(got.text); err != nil || x != test.x {
				t.Errorf("%q is read as %v (%v), want %v", test.text, x, err, test.x)
			}
		}
	}
}

// TestMergeKeys: a mapping's own keys go before merged ones, on either side of
// the merge key, and earlier merged mappings before later ones.
func TestMergeKeys(t *testing.T) {
	want := []Machine{{"a", "exact", "left", "outputs", 1e-9, 512}, {"b", "flow", "left", "outputs", 1e-9, 512}, {"c", "flow", "trapezoid", "outputs", 1e-9, 512}, {"d", "exact", "left", "outputs", 1e-9, 512}}
	config := parse(t, `
name: x
machines:
  - &a {name: a, family: exact, rule: left}
  - &b {<<: *a, name: b, family: flow}
  - {name: c, rule: trapezoid, <<: *b}
  - {<<: [*a, *b], name: d}
`, nil, nil)
	if !reflect.DeepEqual(config.Machines, want) {
		t.Errorf("got %v, want %v", config.Machines, want)
	}
}

// TestWrittenScalars: what readers of YAML 1.1 would take for something else
// is written so that they do not.
func TestWrittenScalars(t *testing.T) {
	for text, want := range map[string]string{"no": `"no"`, "Y": `"Y"`, "nod": "nod", "": `""`, "null": `"null"`} {
		if got := quoteYAML(text); got != want {
			t.Errorf("quoteYAML(%q) = %s, want %s", text, got, want)
		}
	}
	for x, want := range map[float64]string{1: "1.0", 0.1: "0.1", 1e-7: "1.0e-07", 1.5e30: "1.5e+30", -2e21: "-2.0e+21"} {
		if got := floatText(x); got != want {
			t.Errorf("floatText(%v) = %s, want %s", x, got, want)
		}
	}
}

// TestCover: a list that replaces another leaves no origins of its items.
func TestCover(t *testing.T) {
	low, high := &source{label: "low"}, &source{label: "high"}
	got := origins([]*layer{
		{origins: map[string]origin{"list": {src: low}, "list[0].a": {src: low}, "list[1].a": {src: low}, "lists": {src: low}}},
		{origins: map[string]origin{"list": {src: high}, "list[0].b": {src: high}}},
	})
	want := map[string]origin{"list": {src: high}, "list[0].b": {src: high}, "lists": {src: low}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestValidate(t *testing.T) {
	config := defaultConfig()
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	config.Data.Train, config.Data.Path, config.Machines[1].Rule = 0, "\xff", "gauss-2"
	want := "data.path: found \"\\xff\", which is not UTF-8 text, or holds a control character; allowed: text\n" +
		"data.train: found 0, a batch of zero samples; allowed: a whole number, at least 1 and at most 1000000000\n" +
		"machines[1].rule: found gauss-2, not a rule of family flow; allowed: left, trapezoid"
	if err := config.Validate(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"steps", "batch_size", "gauss-3", "sgd", "learning_rate"}
	for found, want := range map[string]string{
		"step": "steps", "STEPS": "steps", "batchsize": "batch_size", "batch-size": "batch_size", "gsd": "sgd", "gauss3": "gauss-3",
		"laerning_rate": "learning_rate", "rate": "", "x": "", "": "", "epochs": "",
	} {
		if got := nearest(found, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", found, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("x", []byte("name: x\ntraining: {steps: 10}\n"), "yaml", nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
