package experiments

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// parse reads a YAML configuration that must be right.
func parse(t *testing.T, text string, overrides, environ []string) *Config {
	t.Helper()
	config, err := Parse("test.yaml", []byte(text), "yaml", overrides, environ)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// defaultConfig is design.md §5, written a second time by hand.
func defaultConfig() *Config {
	return &Config{
		Name:      "x",
		Seed:      1,
		Precision: "float64",
		Data:      Data{Source: "digits", Train: 1000, Query: 100, Classes: []int{}, Task: "classification", Shape: []int{}, Channels: "first", Header: "auto", Sigma: 0.1, Arms: 2, Features: 2},
		Network: Network{
			Kind: "mlp", Hidden: []int{64, 64}, Activation: "tanh", SoftplusBeta: 1, Parameterization: "standard", Convs: []Conv{}, Layers: []Layer{}, Bias: true,
			Init: Init{Scheme: "glorot-normal", Gain: 1},
		},
		Loss: Loss{Kind: "cross-entropy"},
		Training: Training{
			Steps: 500, LossLimit: 10000,
			Checkpoints: Checkpoints{Disk: "256MiB", Save: 10},
			Optimizer: Optimizer{Kind: "sgd", LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Alpha: 0.99, Epsilon: 1e-8,
				RelativeTolerance: 1e-6, AbsoluteTolerance: 1e-9},
			Schedule: Schedule{Kind: "constant", Gamma: 0.1, StartFactor: 0.3333333333333333, TotalIters: 5, PctStart: 0.3, DivFactor: 25, FinalDivFactor: 10000},
		},
		Machines:   []Machine{{"exact", "exact", "gauss-3", "outputs", 1e-9, 512}, {"domingos", "flow", "trapezoid", "outputs", 1e-9, 512}},
		Bound:      Bound{Kind: "none", Confidence: 0.95},
		Baselines:  []Baseline{},
		PathKernel: "trace",
		Memory:     "2GiB",
		Figures:    true,
	}
}

func TestDefaults(t *testing.T) {
	if got := parse(t, "name: x\n", nil, nil); !reflect.DeepEqual(got, defaultConfig()) {
		t.Errorf("got  %+v\nwant %+v", got, defaultConfig())
	}
}

func TestShippedConfigurations(t *testing.T) {
	files, err := filepath.Glob("configs/*.[ytj]*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		config, err := Load(file, nil, nil)
		if withoutFashion(t, file, err) {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)); config.Name != want {
			t.Errorf("%s has the name %s", file, config.Name)
		}
	}
}

func TestLayers(t *testing.T) {
	const file = "name: x\nseed: 2\ntraining: {steps: 2, optimizer: {learning_rate: 0.2}}\nnetwork: {hidden: [2, 2]}\n"
	tests := []struct {
		name               string
		environ, overrides []string
		want               func(*Config)
	}{
		{"file over defaults", nil, nil, func(*Config) {}},
		{"environment over file", []string{"PKM_SEED=3"}, nil, func(c *Config) { c.Seed = 3 }},
		{"override over environment", []string{"PKM_SEED=3"}, []string{"seed=4"}, func(c *Config) { c.Seed = 4 }},
		{"the last override", nil, []string{"seed=4", "seed=5"}, func(c *Config) { c.Seed = 5 }},
		{"an override with spaces", nil, []string{" seed = 4 "}, func(c *Config) { c.Seed = 4 }},
		{"keys with underscores", []string{"PKM_PATH_KERNEL=none", "PKM_TRAINING_BATCH_SIZE=0", "PKM_TRAINING_OPTIMIZER_LEARNING_RATE=1e-3"}, nil,
			func(c *Config) { c.PathKernel, c.Training.Optimizer.LearningRate = "none", 1e-3 }},
		{"other variables", []string{"PKM_BLAS=gonum", "PATH=/bin", "PKMX=1", "pkm_seed=9", "=C:=C:", "broken"}, nil, func(*Config) {}},
		{"a list replaces a list", nil, []string{"network.hidden=[8]"}, func(c *Config) { c.Network.Hidden = []int{8} }},
		{"an empty list", nil, []string{"network.hidden=[]"}, func(c *Config) { c.Network.Hidden = []int{} }},
		{"a section keeps its other keys", nil, []string{"training={steps: 7, optimizer: {kind: sgd}}"}, func(c *Config) { c.Training.Steps = 7 }},
		{"a section, then a key of it", []string{"PKM_TRAINING={steps: 7}"}, []string{"training.steps=8", "training={batch_size: 0}"}, func(c *Config) { c.Training.Steps = 8 }},
		{"machines", nil, []string{"machines=[{name: A, family: flow, rule: left}]"}, func(c *Config) { c.Machines = []Machine{{"A", "flow", "left", "outputs", 1e-9, 512}} }},
		{"no machines", nil, []string{"machines=[]", "path_kernel=none"}, func(c *Config) { c.Machines, c.PathKernel = []Machine{}, "none" }},
		{"a comma in a text", nil, []string{"data.classes=[3,8]", "data.train=100"}, func(c *Config) { c.Data.Classes, c.Data.Train = []int{3, 8}, 100 }},
		{"a value nobody uses may be unsupported", []string{"PKM_LOSS_KIND=logistic"}, []string{"loss.kind=cross-entropy"}, func(*Config) {}},
		{"the ends of the seeds", nil, []string{"seed=-9223372036854775808"}, func(c *Config) { c.Seed = math.MinInt64 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := defaultConfig()
			want.Seed, want.Training.Steps, want.Training.Optimizer.LearningRate, want.Network.Hidden = 2, 2, 0.2, []int{2, 2}
			test.want(want)
			if got := parse(t, file, test.overrides, test.environ); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEnvironmentNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, path := range configSchema().paths() {
		name := envName(path)
		if seen[name] != "" {
			t.Errorf("%s and %s share %s", path, seen[name], name)
		}
		seen[name] = path
	}
	for _, name := range reservedEnv() {
		if seen[name] != "" {
			t.Errorf("%s is reserved, and the variable of %s", name, seen[name])
		}
	}
}

func TestFormats(t *testing.T) {
	want := defaultConfig()
	want.Data.Train = 100 // there are 357 digits of the classes below
	want.Data.Classes, want.Training.Optimizer.LearningRate, want.Training.Optimizer.Nesterov = []int{3, 8}, 1e-3, false
	want.Machines = []Machine{{"a", "exact", "midpoint-2", "outputs", 1e-9, 512}, {"b", "flow", "left", "outputs", 1e-9, 512}}
	tests := []struct{ name, format, text string }{
		{"block YAML", "yaml", "name: x\ndata:\n  classes:\n  - 3\n  - 8\ntraining:\n  optimizer:\n    learning_rate: 1e-3\n    nesterov: false\nmachines:\n- name: a\n  family: exact\n  rule: midpoint-2\n- {name: b, family: flow, rule: left}\n"},
		{"anchors", "yml", "name: x\ndata: {classes: &c [3, 8]}\ntraining: {optimizer: {learning_rate: 0.001}}\nmachines:\n- &a {name: a, family: exact, rule: midpoint-2}\n- {<<: *a, name: b, family: flow, rule: left}\n"},
		{"Windows line ends and a mark", "yaml", "\ufeffname: x\r\ndata: {classes: [3,\r\n 8]}\r\ntraining: {optimizer: {learning_rate: .001}}\r\nmachines:\r\n- {name: a, family: exact, rule: midpoint-2}\r\n- {name: b, family: flow, rule: left}\r\n---\r\n"},
		{"JSON", "json", "{\n\t\"name\": \"x\",\n\t\"data\": {\"classes\": [3, 8]},\n\t\"training\": {\"optimizer\": {\"learning_rate\": 1E-3, \"nesterov\": false}},\n\t\"machines\": [{\"name\": \"a\", \"family\": \"exact\", \"rule\": \"midpoint-2\"}, {\"name\": \"b\", \"family\": \"flow\", \"rule\": \"left\"}]\n}\n"},
		{"TOML", "toml", "name = 'x'\ndata.classes = [\n 3, # three\n 8]\n[training.optimizer]\nlearning_rate = 1e-3\nnesterov = false\n[[machines]]\nname = \"a\"\nfamily = \"exact\"\nrule = \"midpoint-2\"\n[[machines]]\nname = \"b\"\nfamily = \"flow\"\nrule = \"left\"\n"},
		{"inline TOML", "TOML", "name = 'x'\ndata = {classes = [3, 8]}\ntraining = {optimizer.learning_rate = 0.001}\nmachines = [{name='a', family='exact', rule='midpoint-2'}, {name='b', family='flow', rule='left'}]\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse("x", []byte(test.text), test.format, []string{"data.train=100"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestYAMLRoundTrip(t *testing.T) {
	for _, overrides := range [][]string{
		nil,
		{"data.classes=[3,8]", "data.train=200", "network.hidden=[]", "network.init.gain=1e-7", "training.loss_limit=1e21", "seed=-5"},
		{"machines=[]", "path_kernel=none", "precision=float32", "training.optimizer.learning_rate=0.30000000000000004"},
		{"name=\"no\"", "machines=[{name: \"1e3\", family: exact, rule: gauss-64}, {name: \"010\", family: flow, rule: left}]"},
	} {
		config := parse(t, "name: x\n", overrides, nil)
		text, err := config.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again := parse(t, string(text), nil, nil)
		if !reflect.DeepEqual(again, config) {
			t.Errorf("%v: got %+v, want %+v", overrides, again, config)
		}
		if twice, err := again.YAML(); err != nil || string(twice) != string(text) {
			t.Errorf("%v: written a second time:\n%s\nwant\n%s (%v)", overrides, twice, text, err)
		}
	}
}

func TestYAMLText(t *testing.T) {
	text, err := defaultConfig().YAML()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/default.yaml", string(text))
}

func TestQuoteYAML(t *testing.T) {
	for _, text := range []string{"", "plain", "data/x.csv", "yes", "null", "~", "1", "1e3", ".inf", "true", "a: b", "# c", "é ü", "'", `"\`, "[", "-", "C:\\x", "\u2028", "\u200b", "😀", " a "} {
		n, fault := parseYAML("k: " + quoteYAML(text))
		if fault != nil {
			t.Errorf("%q: %v", text, fault)
			continue
		}
		if got := n.entry("k"); got.kind != textNode || got.text != text {
			t.Errorf("%q is written %s and read as %+v", text, quoteYAML(text), got)
		}
	}
}

func TestYAMLRefusesAnInvalidConfiguration(t *testing.T) {
	config := defaultConfig()
	config.Training.Steps = -1
	text, err := config.YAML()
	var fault *ConfigError
	if text != nil || !errors.As(err, &fault) || fault.Key != "training.steps" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := write("digits.yaml", "name: x\n")
	if _, err := Load(right, nil, nil); err != nil {
		t.Error(err)
	}
	tests := []struct {
		path, want string
		is         error
	}{
		{filepath.Join(dir, "digit.yaml"), "digit.yaml: no such file; did you mean " + right + "?", fs.ErrNotExist},
		{filepath.Join(dir, "none", "x.yaml"), "x.yaml: no such file", fs.ErrNotExist},
		{dir, ": is a directory; allowed: a configuration file", nil},
		{write("x.ini", "name: x\n"), `found "ini", unknown configuration format; allowed: .yaml, .yml, .json, .toml`, nil},
		{write("long.yaml", "name: x\n"+strings.Repeat("#\n", maxConfigBytes/2)), "too long for a configuration; allowed: at most 65536 bytes", nil},
	}
	for _, test := range tests {
		config, err := Load(test.path, nil, nil)
		var fault *ConfigError
		if config != nil || !errors.As(err, &fault) || fault.File != test.path || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Load(%s) = %v, %v; want %q", test.path, config, err, test.want)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("Load(%s) = %v, which is not %v", test.path, err, test.is)
		}
	}
}
