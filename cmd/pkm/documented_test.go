package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documented is a command of a README.
type documented struct {
	where string // file:line
	args  []string
}

// placeholder finds what a reader has to fill in.
var placeholder = regexp.MustCompile(`[A-Z]{3,}|…|\[`)

// documentedCommands returns the commands of a file: the lines of code blocks that begin with pkm, go run ./cmd/pkm,
// ./scripts or go run ./scripts, and what stands in code in the text and names everything.
func documentedCommands(t *testing.T, file string) (all []documented) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inside, code := false, regexp.MustCompile("`([^`]+)`")
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "```") {
			inside = !inside
			continue
		}
		candidates := []string{line}
		if !inside {
			candidates = nil
			for _, span := range code.FindAllStringSubmatch(line, -1) {
				if !placeholder.MatchString(span[1]) {
					candidates = append(candidates, span[1])
				}
			}
		}
		for _, c := range candidates {
			c, _, _ = strings.Cut(c, " #") // a comment
			args := words(c)
			for _, begin := range [][]string{{"pkm"}, {"go", "run"}} {
				if len(args) > len(begin) && slices.Equal(args[:len(begin)], begin) || len(args) > 0 && strings.HasPrefix(args[0], "./scripts/") {
					all = append(all, documented{fmt.Sprintf("%s:%d", filepath.ToSlash(file), i+1), args})
					break
				}
			}
		}
	}
	return all
}

// words splits a command line as a shell does, of which it knows single and double quotes.
func words(line string) (out []string) {
	var word strings.Builder
	quote, quoted := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, quoted = r, true
		case r == ' ' || r == '\t':
			if quoted || word.Len() > 0 {
				out = append(out, word.String())
			}
			word.Reset()
			quoted = false
		default:
			word.WriteRune(r)
		}
	}
	if quoted || word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// TestDocumentedCommands: every command of the READMEs names a command, flags and files that there are; those that run, compare
// and explain shipped configurations are run, in order, at a small size.
func TestDocumentedCommands(t *testing.T) {
	long(t)
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []documented
	for _, file := range []string{"README.md", "experiments/configs/README.md"} {
		commands := documentedCommands(t, filepath.Join(top, file))
		if len(commands) < 5 {
			t.Fatalf("%s: %d commands", file, len(commands))
		}
		all = append(all, commands...)
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("docs", 0o777); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range all {
		for _, arg := range c.args {
			if strings.HasPrefix(arg, "experiments/") || strings.HasPrefix(arg, "./scripts/") || strings.HasPrefix(arg, "./cmd/") {
				if _, err := os.Stat(filepath.Join(top, arg)); err != nil {
					t.Errorf("%s: %v names %s, which there is not", c.where, c.args, arg)
				}
			}
		}
		args := c.args[1:]
		switch {
		case c.args[0] == "go" && c.args[2] == "./cmd/pkm":
			args = c.args[3:]
		case c.args[0] != "pkm":
			continue // a script
		}
		if len(args) == 0 {
			continue // the program's name
		}
		if !parses(t, args) {
			t.Errorf("%s: pkm %s is no command with these flags", c.where, strings.Join(args, " "))
			continue
		}
		small, ok := atSmallSize(top, args)
		if !ok {
			continue
		}
		ran++
		t.Logf("%s: pkm %s", c.where, strings.Join(small, " "))
		if code, out, errout := pkm(t, small...); code != 0 {
			if strings.Contains(errout, "dataset-fashion-mnist") {
				t.Logf("%s: passed over without Fashion-MNIST", c.where)
				continue
			}
			t.Errorf("%s: pkm %s: exit %d\n%s%s", c.where, strings.Join(small, " "), code, out, errout)
		}
	}
	if ran < 8 {
		t.Errorf("%d of %d documented commands were run", ran, len(all))
	}
}

// parses reports whether a command line names a command and its flags: its help is then that of the command.
func parses(t *testing.T, args []string) bool {
	t.Helper()
	code, out, _ := pkm(t, append(slices.Clone(args), "--help")...)
	return code == 0 && strings.Contains(out, "pkm "+args[0])
}

// atSmallSize returns the command at a small size, with configurations of the repository at top; ok is false for
// one that is not run.
func atSmallSize(top string, args []string) (small []string, ok bool) {
	small = slices.Clone(args)
	for i, arg := range small {
		if strings.HasPrefix(arg, "experiments/") {
			small[i] = filepath.Join(top, arg)
		}
		if q, err := strconv.Atoi(arg); err == nil && i > 0 && small[i-1] == "--query" && q >= 5 {
			small[i] = "4"
		}
		if strings.HasPrefix(arg, "runs/") && i > 0 && args[0] != "run" && small[i-1] != "--out" {
			if _, err := os.Stat(arg); err != nil {
				return nil, false // of a run that the text only speaks of
			}
		}
	}
	shipped := len(args) > 1 && strings.HasPrefix(args[1], "experiments/configs/")
	switch args[0] {
	case "run", "plan":
		if !shipped {
			return nil, false
		}
		return append(small, smaller(filepath.Base(args[1]))...), true
	case "converge":
		return append(small, "data.train=30", "data.query=5", "training.steps=4", "--halvings", "1"), shipped
	case "compare", "explain", "report", "verify":
		return small, len(args) > 1
	case "schema", "doctor":
		return small, true
	}
	return nil, false
}

// smaller returns what makes a shipped configuration small.
func smaller(config string) []string {
	overrides := []string{"data.train=30", "data.query=5", "training.steps=3"}
	switch config {
	case "domingos-flow.yaml":
		overrides = append(overrides, "training.optimizer.time=0.05")
	case "loss-path-kernel.yaml":
		overrides = append(overrides, "decompose.windows=3")
	case "digits-report.yaml":
		overrides = append(overrides, "decompose.windows=3", "analysis.samples=30")
	}
	return overrides
}
