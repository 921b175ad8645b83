package experiments

import (
	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// merge lays the layers (defaults, then files, environment and overrides, the
// lowest first) over one another and decodes the result strictly. Viper does the
// layering: its defaults lie below its configuration, into which the other
// layers are merged. (The environment does not come through viper's own lookup,
// which reads the process: here it is a parameter, and its variables have been
// checked and typed.)
func merge(layers []*layer) (*Config, error) {
	v := viper.New()
	eachLeaf(layers[0].values, "", v.SetDefault)
	for _, l := range layers[1:] {
		if err := v.MergeConfigMap(l.values); err != nil {
			return nil, err
		}
	}

	config := new(Config)
	err := v.UnmarshalExact(config, func(d *mapstructure.DecoderConfig) {
		d.TagName = "yaml"
		d.WeaklyTypedInput = false
		d.DecodeHook = nil
	})
	return config, err
}

// eachLeaf calls set for every value that is not a section, with its full key.
func eachLeaf(values map[string]any, path string, set func(key string, value any)) {
	for key, value := range values {
		if section, ok := value.(map[string]any); ok {
			eachLeaf(section, joinKey(path, key), set)
			continue
		}
		set(joinKey(path, key), value)
	}
}

// origins returns where each value of the merged configuration comes from.
func origins(layers []*layer) map[string]origin {
	all := &layer{origins: map[string]origin{}}
	for _, l := range layers {
		all.cover(l)
	}
	return all.origins
}

// required records the keys of sections that have no default and that no layer
// gives.
func (c *checker) required(file string, layers []*layer) {
	given := origins(layers)
	c.schema.each(func(f *field) {
		_, isSet := given[f.path]
		_, hasDefault := f.tag.Lookup("default")
		if isSet || hasDefault || f.isSection() || c.faulty[f.path] {
			return
		}
		c.faulty[f.path] = true
		if !c.unread && !c.faulty[""] && !c.meant[f.path] {
			c.add(origin{}, ConfigError{File: file, Source: file, Key: f.path, Fault: "missing", Allowed: f.allowed()})
		}
	})
}
