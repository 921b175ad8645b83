package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The fault whose message is worded in its own way.
const faultUnknownKey = "unknown key"

// ConfigError is one fault of a configuration.
type ConfigError struct {
	File         string // the configuration file, when the fault lies in one
	Line, Column int    // 1-based, the column in characters; 0 when unknown; in the file, or in the text of Source
	Key          string // full key, such as training.optimizer.learning_rate
	Fault        string // what is wrong, when Found against Allowed does not say it
	Found        string // the faulty value
	Allowed      string // what may stand there
	Nearest      string // the valid spelling nearest to what was found, or ""
	Source       string // where the value came from: the file, an environment variable or an override
	Excerpt      string // the line of the file with a caret under the fault
	Err          error  // the cause, when another package reported it
}

// Error returns the message on one line,
//
//	FILE:LINE:COLUMN: KEY: found FOUND, FAULT; did you mean NEAREST? allowed: ALLOWED
//
// without the parts that are empty, and after it the excerpt, when there is one.
func (e *ConfigError) Error() string {
	var head []string
	switch {
	case e.File != "" && e.Line > 0:
		head = append(head, fmt.Sprintf("%s:%d:%d", printable(e.File), e.Line, e.Column))
	case e.File != "":
		head = append(head, printable(e.File))
	case e.Source != "" && e.Line > 0:
		head = append(head, fmt.Sprintf("%s, column %d", printable(e.Source), e.Column))
	case e.Source != "":
		head = append(head, printable(e.Source))
	}
	if e.Key != "" {
		head = append(head, printable(e.Key))
	}
	what := e.Fault
	if e.Found != "" {
		what = "found " + printable(e.Found)
		if e.Fault != "" {
			what += ", " + e.Fault
		}
	}
	body := []string{what}
	if e.Nearest != "" {
		body = append(body, "did you mean "+printable(e.Nearest)+"?")
	}
	if e.Allowed != "" {
		label := "allowed: "
		if e.Fault == faultUnknownKey {
			label = "allowed here: "
		}
		body = append(body, label+e.Allowed)
	}
	text := strings.Join(append(head, strings.Join(body, "; ")), ": ")
	text = clean(strings.ReplaceAll(text, "?; ", "? "))
	if e.Excerpt != "" {
		text += "\n" + e.Excerpt
	}
	return text
}

// Unwrap returns the cause, or nil.
func (e *ConfigError) Unwrap() error { return e.Err }

// source is where a layer of the configuration comes from.
type source struct {
	file  string   // or
	label string   // such as "environment variable PKM_SEED"
	rank  int      // order among the sources
	lines []string // of the file, or of the variable or override, for excerpts
}

// origin is where a value comes from.
type origin struct {
	src       *source // nil: a default, or a Config made by a program
	line, col int     // in its lines
	via       string  // the reference that gave the value, or ""
}

// add records the fault e, which lies at o.
func (c *checker) add(o origin, e ConfigError) {
	if o.src != nil {
		e.File, e.Source = o.src.file, o.src.label
		if e.File != "" {
			e.Source = e.File
		}
		e.Line, e.Column = o.line, o.col
		e.Excerpt = excerpt(o.src.lines, o.line, o.col)
	}
	if o.via != "" && e.Found != "" {
		e.Found += " from " + o.via
	}
	c.errs = append(c.errs, ranked{o.src, &e})
}

// ranked is a fault and its source.
type ranked struct {
	src *source
	err *ConfigError
}

// rank is the order of the source, the main file's where there is none.
func (r ranked) rank() int {
	if r.src == nil {
		return 0
	}
	return r.src.rank
}

// err returns the faults in the order of their places, each once, or nil.
func (c *checker) err() error {
	slices.SortStableFunc(c.errs, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.err.Line, b.err.Line), cmp.Compare(a.err.Column, b.err.Column))
	})
	var errs []error
	said := map[string]bool{}
	for _, r := range c.errs {
		// A list of which an override changes an item is checked twice.
		if text := r.err.Error(); !said[text] {
			said[text] = true
			errs = append(errs, r.err)
		}
	}
	return errors.Join(errs...)
}

// excerpt returns the line of a file with a caret under column col, at most 80
// characters of it.
func excerpt(lines []string, line, col int) string {
	if line < 1 || line > len(lines) || col < 1 {
		return ""
	}
	text := []rune(clean(strings.TrimRight(lines[line-1], "\r")))
	from := max(0, min(col-1, len(text))-60)
	shown := strings.TrimRight(string(text[from:min(len(text), from+80)]), " ")
	number := strconv.Itoa(line)
	return fmt.Sprintf("  %s | %s\n  %s | %s^", number, shown, strings.Repeat(" ", len(number)), strings.Repeat(" ", max(0, col-1-from)))
}

// printable cleans text and shortens it to at most 120 characters.
func printable(text string) string {
	runes := []rune(clean(text))
	if len(runes) > 120 {
		runes = append(runes[:119:119], '…')
	}
	return string(runes)
}

// clean keeps text on one line and free of terminal control sequences, a
// character for a character.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
