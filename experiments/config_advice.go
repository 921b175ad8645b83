package experiments

import "strings"

// syntaxAdvice says what to do about what a parser of YAML, JSON or TOML
// reports, or "" where its message says it.
func syntaxAdvice(format, message string) string {
	type known struct{ format, part, advice string }
	for _, k := range []known{
		{"YAML", "mapping value is not allowed", "keys of one mapping below one another; a text with a colon in quotes"},
		{"YAML", `\t`, "spaces to indent with, no tabs"},
		{"YAML", "',' or ']' must be", "a list that is closed, such as [64, 64]"},
		{"YAML", "',' or '}' must be", "a mapping that is closed, such as {kind: sgd}"},
		{"YAML", "']' not found", "a list that is closed, such as [64, 64]"},
		{"YAML", "'}' not found", "a mapping that is closed, such as {kind: sgd}"},
		{"YAML", "non-map value", "key: value, with a space after the colon"},
		{"YAML", "unexpected key name", "key: value, with a space after the colon"},
		{"YAML", "end character of", "a text that ends with the quote that it begins with"},
		{"JSON", "looking for beginning of object key", "keys in double quotes, and no comma after the last"},
		{"JSON", "looking for beginning of value", "a value, texts in double quotes, and no comma after the last"},
		{"JSON", "after object key:value", "a comma between two keys"},
		{"JSON", "after array element", "a comma between two items"},
		{"JSON", "after top-level value", "one object, {…}"},
		{"JSON", "unexpected end", "brackets and quotes that are closed"},
		{"TOML", "already defined", "each key and each table once"},
		{"TOML", "", "key = value, texts in quotes, such as name = 'x'"},
	} {
		if k.format == format && strings.Contains(message, k.part) {
			return k.advice
		}
	}
	return ""
}
