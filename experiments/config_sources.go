package experiments

import (
	"path/filepath"
	"slices"
	"strings"
)

// Sources says where the values of a configuration come from.
type Sources struct{ of map[string]origin }

// LoadSources is [Load], and says where each value comes from.
func LoadSources(path string, overrides, environ []string) (*Config, *Sources, error) {
	data, err := readConfigFile(path)
	if err != nil {
		return nil, nil, err
	}
	return ParseSources(path, data, strings.TrimPrefix(filepath.Ext(path), "."), overrides, environ)
}

// ParseSources is [Parse], and says where each value comes from.
func ParseSources(name string, data []byte, format string, overrides, environ []string) (*Config, *Sources, error) {
	config, of, err := compose(name, data, format, overrides, environ)
	return config, &Sources{of}, err
}

// YAML returns what [Config.YAML] does, with the source of each value as a
// comment: FILE:LINE:COLUMN, the variable, the override, or default.
func (s *Sources) YAML(config *Config) ([]byte, error) {
	text, err := config.YAML()
	if err != nil {
		return nil, err
	}
	schema := configSchema()
	return annotated(text, func(paths []string) string {
		if f := schema.find(paths[0]); f != nil && (f.isSection() || f.isListOfSections()) && len(paths) == 1 && s.of[paths[0]].src != nil {
			return "" // what it holds has sources of its own
		}
		if f := schema.find(paths[0]); f != nil && f.isSection() {
			return ""
		}
		var said []string
		var sources []*source
		for i, path := range paths {
			o, given := s.of[path]
			if i > 0 && (!given || slices.Contains(sources, o.src)) {
				continue // a default of an item, or part of what is said already
			}
			text := o.String()
			if o.via != "" {
				text += ", " + o.via
			}
			said, sources = append(said, text), append(sources, o.src)
		}
		return strings.Join(said, "; ")
	}), nil
}
