package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Chdir(t.TempDir())
	config := write(t, "fast.yaml", fast)
	if code, _, errout := pkm(t, "run", config, "--out", "run"); code != 0 {
		t.Fatal(errout)
	}
	for _, c := range []struct {
		args []string
		code int
		want []string // of stdout, or of stderr where it fails
	}{
		{[]string{"run", "--query", "2", "--top", "3", "--figure", "f.svg"}, exitOK, []string{"query 2", "30 training samples", "residual", "pushed it up", "others", "by class", "decompose.layers=true"}},
		{[]string{"run", "--query", "2", "--replay", "--class", "3", "--against", "5"}, exitOK, []string{"the margin of class 3 over 5", "following the path", "layer 2", "step 3"}},
		{[]string{"run", "--query", "2", "--csv", "--top", "1"}, exitOK, []string{"sample,side,rank", "2,for,1,", "2,against,1,"}},
		{[]string{"run", "--query", "5"}, exitUsage, []string{"no query 5, but 5 queries"}},
		{[]string{"run", "--query", "1", "--figure", "f.svg"}, exitUsage, []string{"not overwritten"}},
		{[]string{"run", "--query", "1", "--figure", "f.gif"}, exitUsage, []string{".svg or .png is due"}},
		{[]string{"run"}, exitUsage, []string{"neither --query nor --input"}},
		{[]string{"run", "--query", "1", "--input", "x.npy"}, exitUsage, []string{"both given"}},
		{[]string{"run", "--query", "1", "--json", "--csv"}, exitUsage, []string{"both given"}},
		{[]string{"run", "--query", "1", "--top", "-1"}, exitUsage, []string{"--top is -1"}},
		{[]string{"run", "--input", "x.npy"}, exitUsage, []string{"x.npy: no such file"}},
		{[]string{"run", "run", "--query", "1"}, exitUsage, []string{"one run directory, found 2"}},
		{[]string{"nothing", "--query", "1"}, exitFailed, []string{"this is not a run directory"}},
	} {
		code, out, errout := pkm(t, append([]string{"explain"}, c.args...)...)
		text := out
		if c.code != exitOK {
			text = errout
		}
		for _, want := range c.want {
			if code != c.code || !strings.Contains(text, want) {
				t.Errorf("%v: exit %d, %q is missing\n%s%s", c.args, code, want, out, errout)
			}
		}
	}
	if svg, err := os.ReadFile("f.svg"); err != nil || !strings.Contains(string(svg), "</svg>") {
		t.Errorf("%v", err)
	}
	code, out, errout := pkm(t, "explain", "run", "--query", "0", "--json")
	var all []struct {
		Sum struct{ Initial, Contributions, Regularization, Machine, Network, Residual float64 }
		For []struct{ Index int }
	}
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || len(all) != 1 || len(all[0].For) == 0 || all[0].Sum.Network-all[0].Sum.Machine != all[0].Sum.Residual {
		t.Errorf("exit %d, %v\n%s%s", code, err, out, errout)
	}
}
