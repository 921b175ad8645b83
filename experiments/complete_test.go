package experiments

import (
	"slices"
	"strings"
	"testing"
)

func TestCompleteOverride(t *testing.T) {
	for text, want := range map[string]string{
		"prec":                           "precision=…",
		"training.st":                    "training.steps=… training.stop.…",
		"training.stop.":                 "training.stop.loss=… training.stop.gradient_norm=…",
		"machines[0].t":                  "machines[0].target=… machines[0].tolerance=…",
		"network.layers[0].layers[1].ke": "network.layers[0].layers[1].kernel=…",
		"+machi":                         "+machines=…",
		"~training.batch":                "~training.batch_size",
		"loss.kind=":                     "loss.kind=cross-entropy loss.kind=squared-error loss.kind=logistic",
		"precision=float3":               "precision=float32",
		"network.bias=":                  "network.bias=true network.bias=false",
		"training.steps=":                "training.steps=500",
		"training.steps=1":               "",
		"name=":                          "",
		"nothing.":                       "",
		"data.train.":                    "",
		"x=":                             "",
		"a[":                             "",
		"~seed=":                         "",
	} {
		var got []string
		for _, c := range CompleteOverride(text) {
			if c.Partial {
				c.Text += "…"
			}
			got = append(got, c.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	all := CompleteOverride("")
	if len(all) != len(configSchema().children) || slices.ContainsFunc(all, func(c Completion) bool { return c.Meaning == "" }) {
		t.Errorf("nothing: %+v", all)
	}
}

// Every completed key is one that overrides take, and every completed value one that the key takes.
func TestCompletionsAreKnown(t *testing.T) {
	long(t)
	var enter func(text string, depth int)
	count := 0
	enter = func(text string, depth int) {
		for _, c := range CompleteOverride(text) {
			if c.Partial && depth < 6 {
				enter(c.Text, depth+1)
				continue
			}
			count++
			_, err := Parse("x.yaml", []byte("name: x\n"), "yaml", []string{c.Text}, nil)
			if err != nil && (strings.Contains(err.Error(), "unknown key") || strings.Contains(err.Error(), "allowed here")) {
				t.Errorf("%s: %v", c.Text, err)
			}
		}
	}
	enter("", 0)
	if count < 100 {
		t.Errorf("%d completions", count)
	}
}
