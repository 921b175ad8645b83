package experiments

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file, or writes the file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// beside returns the overrides and the variables that comments of a file name,
// "# override: key=value" and "# variable: NAME=value".
func beside(text string) (overrides, environ []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if override, ok := strings.CutPrefix(line, "# override: "); ok {
			overrides = append(overrides, override)
		}
		if variable, ok := strings.CutPrefix(line, "# variable: "); ok {
			environ = append(environ, variable)
		}
	}
	return overrides, environ
}

// TestWrongConfigurations compares the messages for each file of
// testdata/wrong with the .txt beside it. Each fault has a place, but for those
// of a whole file and of a key that is missing from it.
func TestWrongConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if filepath.Ext(file) == ".txt" || err != nil {
			continue // a golden file, or the folder of files below
		}
		tested++
		t.Run(filepath.Base(file), func(t *testing.T) {
			overrides, environ := beside(string(text))
			config, err := Load(filepath.ToSlash(file), overrides, environ)
			if err == nil {
				t.Fatalf("accepted: %+v", config)
			}
			for _, fault := range faults(t, err) {
				if fault.Source == "" || fault.File != "" && fault.Source != fault.File {
					t.Errorf("%v names the file %q and the source %q", fault, fault.File, fault.Source)
				}
				if whole := fault.Fault == "missing" || strings.Contains(fault.Fault, "configuration"); (fault.Line == 0 || fault.Excerpt == "") && !whole {
					t.Errorf("%v has no place", fault)
				}
			}
			golden(t, file+".txt", err.Error()+"\n")
		})
	}
	if tested < 100 {
		t.Errorf("only %d files", tested)
	}
}

// faults returns the faults joined in err.
func faults(t *testing.T, err error) []*ConfigError {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not joined", err)
	}
	var out []*ConfigError
	for _, e := range joined.Unwrap() {
		var fault *ConfigError
		if !errors.As(e, &fault) {
			t.Fatalf("%v is no ConfigError", e)
		}
		if first, _, _ := strings.Cut(e.Error(), "\n"); first == "" || strings.Count(e.Error(), "\n") > 2 {
			t.Errorf("%q is not one line and an excerpt", e.Error())
		}
		out = append(out, fault)
	}
	return out
}

// firstLine returns the first line of a fault, without the column of a variable
// or an override, which is where the excerpt has its caret.
func firstLine(fault error) string {
	first, _, _ := strings.Cut(fault.Error(), "\n")
	return regexp.MustCompile(`^((?:override|environment variable) .*?), column [0-9]+: `).ReplaceAllString(first, "$1: ")
}

// TestRefusals are the faults that need no file: the first line of each, in
// order.
func TestRefusals(t *testing.T) {
	const valid = "name: x\n"
	const width = ", at least 1 and at most 1000000000"
	tests := []struct {
		name, text         string
		environ, overrides []string
		want               []string
	}{
		{"no name", "seed: 1\n", nil, nil, []string{"f.yaml: name: missing; allowed: " + folderNames}},
		{"no equals sign", valid, nil, []string{"training.steps"}, []string{"override training.steps: has no =; allowed: key=value, such as training.steps=100; +key=value to add; ~key to take away"}},
		{"an unknown override", valid, nil, []string{"training.step=1"}, []string{"override training.step=1: training.step: unknown key; did you mean training.steps? allowed here: steps, batch_size, loss_limit, clip_norm, stop, checkpoints, optimizer, schedule"}},
		{"an override of another section", valid, nil, []string{"learning_rate=1"}, []string{"override learning_rate=1: learning_rate: unknown key; did you mean training.optimizer.learning_rate? allowed here: name, seed, precision, data, network, loss, training, machines, decompose, bound, baselines, analysis, path_kernel, memory, fast_dev_run, figures, tensorboard"}},
		{"an override of an item that is not there", valid, nil, []string{"machines[2].rule=left"}, []string{"override machines[2].rule=left: machines[2].rule: found [2], while the number of items of machines is 2; allowed: machines[0] to machines[1]"}},
		{"an override below a value", valid, nil, []string{"seed.x=1"}, []string{"override seed.x=1: seed.x: unknown key: seed has no keys below it; allowed: seed, which is a whole number"}},
		{"an override of nothing", valid, nil, []string{"=1"}, []string{"override =1: unknown key; allowed here: name, seed, precision, data, network, loss, training, machines, decompose, bound, baselines, analysis, path_kernel, memory, fast_dev_run, figures, tensorboard"}},
		{"an override without a value", valid, nil, []string{"seed="}, []string{"override seed=: seed: found nothing (~key gives a key its default back); allowed: a whole number"}},
		{"an override that is no YAML", valid, nil, []string{"network.hidden=[8"}, []string{"override network.hidden=[8: network.hidden: cannot be read as YAML: sequence end token ']' not found; allowed: a list of whole numbers, at least 1 and at most 1000000, such as [64, 64]"}},
		{"an unknown key in an override", valid, nil, []string{"machines=[{name: a, famly: flow, rule: left}]"}, []string{
			"override machines=[{name: a, famly: flow, rule: left}]: machines[0].famly: unknown key; did you mean machines[0].family? allowed here: name, family, rule, target, tolerance, max_nodes",
		}},
		{"an unknown variable", valid, []string{"PKM_TRAINING_STEP=1"}, nil, []string{"environment variable PKM_TRAINING_STEP: unknown variable; did you mean PKM_TRAINING_STEPS? allowed: PKM_ and a key, such as PKM_TRAINING_STEPS for training.steps"}},
		{"a variable of the wrong type", valid, []string{"PKM_TRAINING_STEPS=ten"}, nil, []string{`environment variable PKM_TRAINING_STEPS: training.steps: found "ten" (text); allowed: a whole number` + width}},
		{"the source of the value that is used", "name: x\ntraining: {steps: -1}\n", []string{"PKM_TRAINING_STEPS=-2"}, nil, []string{"environment variable PKM_TRAINING_STEPS: training.steps: found -2; allowed: a whole number" + width}},
		{"the override over the variable", valid, []string{"PKM_TRAINING_STEPS=-2"}, []string{"training.steps=-3"}, []string{"override training.steps=-3: training.steps: found -3; allowed: a whole number" + width}},
		{"a faulty list under a right one", "name: x\nmachines: [{name: a, family: flow, rule: gauss-3}]\n", nil, []string{"machines=[{name: a, family: flow, rule: simpson}]"}, []string{
			"override machines=[{name: a, family: flow, rule: simpson}]: machines[0].rule: found simpson, not a rule of family flow; allowed: left, trapezoid"}},
		{"every source at once", "name: x\nsead: 1\n", []string{"PKM_SED=1"}, []string{"sed=1"}, []string{
			"f.yaml:2:1: sead: unknown key; did you mean seed? allowed here: name, seed, precision, data, network, loss, training, machines, decompose, bound, baselines, analysis, path_kernel, memory, fast_dev_run, figures, tensorboard, defaults, remove",
			"environment variable PKM_SED: unknown variable; did you mean PKM_SEED? allowed: PKM_ and a key, such as PKM_TRAINING_STEPS for training.steps",
			"override sed=1: sed: unknown key; did you mean seed? allowed here: name, seed, precision, data, network, loss, training, machines, decompose, bound, baselines, analysis, path_kernel, memory, fast_dev_run, figures, tensorboard"}},
		{"a terminal sequence", valid, nil, []string{"name=\"\x1b[31m\"", "network.activation=\"\\e]0;\\a\""}, []string{
			"override name=\"\ufffd[31m\": name: found \"\\x1b[31m\"; allowed: " + folderNames,
			"override network.activation=\"\\e]0;\\a\": network.activation: found \"\\x1b]0;\\a\"; allowed: tanh, relu, sigmoid, softplus, gelu, silu, identity"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config, err := Parse("f.yaml", []byte(test.text), "yaml", test.overrides, test.environ)
			if err == nil {
				t.Fatalf("accepted: %+v", config)
			}
			var got []string
			for _, fault := range faults(t, err) {
				got = append(got, firstLine(fault))
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestRefusedValues checks one value each: the key that is refused, and a part
// of the message.
func TestRefusedValues(t *testing.T) {
	tests := []struct{ override, want string }{
		{"name=''", `name: found ""; allowed: a folder name: letters`},
		{"name=a/b", `name: found "a/b"`},
		{`name=a\b`, `name: found "a\\b"`},
		{"name=..", `name: found ".."`},
		{"name=a.", `name: found "a."`},
		{"name=-a", `name: found "-a"`},
		{"name=" + strings.Repeat("a", 101), "name: found "},
		{"seed=9223372036854775808", "seed: found 9223372036854775808, which does not fit into 64 bits"},
		{"seed=1.5", "seed: found 1.5 (a decimal number); allowed: a whole number"},
		{"data.train=0", "data.train: found 0, a batch of zero samples; allowed"},
		{"data.query=0", "data.query: found 0, a batch of zero samples; allowed"},
		{"data.classes=[3]", "data.classes: found one class"},
		{"data.classes=[3,4,3]", "data.classes[2]: found 3, given twice"},
		{"data.classes=[3,-1]", "data.classes[1]: found -1"},
		{"data.path=x.csv", "data.path: found \"x.csv\", while data.source is digits"},
		{"data.source=csv", "data.path: found no path, while data.source is csv"},
		{"data.source=sinusoid", "data.source: numbers to predict need loss: {kind: squared-error}; the default is cross-entropy"},
		{"data={source: spirals, arms: 1}", "data.arms: found 1; allowed: a whole number, at least 2"},
		{"data={source: spirals, classes: [0, 2]}", "data.classes[1]: found 2, not a class of spirals; allowed: whole numbers, 0 to 1"},
		{"data.features=3", "data.features: found 3, while data.source is digits; allowed: features only with data.source: linear"},
		{"network.hidden=[8,0]", "network.hidden[1]: found 0; allowed: a whole number, at least 1"},
		{"network.hidden=[1000001]", "network.hidden[0]: found 1000001"},
		{"network.kind=cnn", "network.convs: found an empty list, while network.kind is cnn; allowed: at least one block"},
		{"network.convs=[{filters: 8, kernel: 5}]", "network.convs: found a list with blocks, while network.kind is mlp"},
		{"network.init.gain=0", "network.init.gain: found 0; allowed: a finite number, above 0"},
		{"network.init.scheme=glorotnormal", "did you mean glorot-normal?"},
		{"loss.kind=logistic", "loss.kind: found logistic, while the data has 10 classes; allowed: logistic for two classes"},
		{"training.steps=0", "training.steps: found 0"},
		{"training.batch_size=-1", "training.batch_size: found -1; allowed: a whole number, at least 0 and at most 1000000000 (0: every sample of data.train)"},
		{"training.batch_size=1001", "training.batch_size: found 1001, more than the 1000 training samples"},
		{"training.loss_limit=-1", "training.loss_limit: found -1"},
		{"training.loss_limit=0.5", "training.loss_limit: found 0.5, which the initial loss exceeds"},
		{"training.optimizer.kind=flow", "training.optimizer.time: missing"},
		{"training.checkpoints.disk=many", "training.checkpoints.disk: found \"many\"; allowed: a number and a unit of bytes"},
		{"training.checkpoints.disk=3 Gb", "training.checkpoints.disk: found \"3 Gb\""},
		{"training.optimizer.beta1=0.5", "training.optimizer.beta1: found 0.5, while training.optimizer.kind is sgd"},
		{"training.schedule.gamma=0.5", "training.schedule.gamma: found 0.5, while training.schedule.kind is constant"},
		{"training.schedule.kind=step", "training.schedule.step_size: missing"},
		{"training.clip_norm=-1", "training.clip_norm: found -1"},
		{"training.optimizer.learning_rate=0", "training.optimizer.learning_rate: found 0; allowed: a finite number, above 0"},
		{"training.optimizer.learning_rate=.nan", "training.optimizer.learning_rate: found NaN"},
		{"training.optimizer.learning_rate=.inf", "training.optimizer.learning_rate: found +Inf"},
		{"training.optimizer.learning_rate=1e400", "training.optimizer.learning_rate: found 1e400, which is too large"},
		{"machines=[{name: a, family: flow, rule: left}]\x00training.optimizer.momentum=0.9", "machines[0].family: found flow, while the steps of sgd with momentum do not follow the gradient flow; allowed: exact"},
		{"machines=[{name: a, family: flow, rule: left}]\x00training.optimizer.kind=adam", "machines[0].family: found flow, while the steps of adam do not"},
		{"machines=[{name: a, family: exact, rule: left}]\x00training.optimizer.kind=flow\x00training.optimizer.time=1", "machines[0].family: found exact, while training.optimizer.kind is flow"},
		{"path_kernel=full\x00training.optimizer.kind=adam", "path_kernel: found full, while the steps of adam have no coefficients of a kernel; allowed: trace, none"},
		{"training.optimizer.momentum=1", "training.optimizer.momentum: found 1; allowed: a finite number, at least 0 and below 1"},
		{"training.optimizer.nesterov=true", "training.optimizer.nesterov: found true, while training.optimizer.momentum is 0"},
		{"decompose.windows=501", "decompose.windows: found 501, more than the 500 steps; allowed: a whole number from 0 to training.steps"},
		{"decompose={windows: 2, epochs: 1}", "decompose.epochs: found 1, while decompose.windows is 2; allowed: one of the two, the other 0"},
		{"baselines=[{kind: linearised}]", "did you mean linearized?"},
		{"baselines=[{kind: linearized, ridge: 1}]", "baselines[0].ridge: "},
		{"baselines=[{kind: tangent-kernel, ridge: 0}]", "baselines[0].ridge: found 0; allowed: a finite number, above 0"},
		{"baselines=[{kind: linearized}, {kind: linearized}]", "baselines[1].kind: found linearized, given twice; allowed: each kind once"},
		{"baselines=[{kind: linearized}]\x00training.optimizer.kind=flow\x00training.optimizer.time=1", "baselines[0].kind: found linearized, while training.optimizer.kind is flow"},
		{"baselines=[{kind: averaged-coefficients}]", "baselines[0].kind: found averaged-coefficients, while no machine has coefficients; allowed: with plain sgd or flow"},
		{"baselines=[{kind: path-kernel-svm}]\x00data.source=sinusoid\x00loss.kind=squared-error", "baselines[0].kind: found path-kernel-svm, while the data has no classes"},
		{"analysis.samples=1001", "analysis.samples: found 1001, more than the 1000 of data.train"},
		{"machines=[]", "machines: found an empty list, while path_kernel is trace; allowed: at least one machine, or path_kernel: none"},
		{"machines=[{name: a, family: exact, rule: adaptive, tolerance: 0}]", "machines[0].tolerance: found 0; allowed: a finite number, above 0"},
		{"machines=[{name: a, family: exact, rule: adaptive, max_nodes: 8}]", "machines[0].max_nodes: found 8; allowed: a whole number, at least 9"},
		{"machines=[{name: a, family: exact, rule: gauss-3, tolerance: 1e-9}]", "machines[0].tolerance: given while machines[0].rule is gauss-3; allowed: only with rule: adaptive"},
		{"machines=[{name: a, family: flow, rule: adaptive}]", "machines[0].rule: found adaptive, not a rule of family flow; allowed: left, trapezoid"},
		{"machines=[{name: a, family: exact, rule: gauss-0}]", "machines[0].rule: found gauss-0, not a rule of family exact; allowed"},
		{"machines=[{name: a, family: exact, rule: gauss-65}]", "machines[0].rule: found gauss-65, not a rule of family exact; allowed"},
		{"machines=[{name: a, family: exact, rule: gaus-3}]", "did you mean gauss-3?"},
		{"machines=[{name: a, family: flow, rule: left}, {name: A, family: flow, rule: left}]", "machines[1].name: found A, which differs from the name a of machines[0] only by case"},
		{"machines=[{name: a, family: flow, rule: left}, {name: a, family: flow, rule: left}]", "machines[1].name: found a, the name of machines[0] too"},
		{"machines=[{name: .., family: flow, rule: left}]", `machines[0].name: found ".."`},
		{"machines=[{name: outputs_final.npy, family: flow, rule: left}]", "machines[0].name: found outputs_final.npy"},
		{"precision=float46", "did you mean float64?"},
		{"path_kernel=true", "path_kernel: found true (true or false); allowed: trace, full, none"},
		{"data.train=2026-01-01", "data.train: found \"2026-01-01\" (text)"},
		{"data.train=!!int 5", "data.train: found the YAML tag !!int"},
	}
	for _, test := range tests {
		_, err := Parse("f.yaml", []byte("name: x\n"), "yaml", strings.Split(test.override, "\x00"), nil)
		if err == nil {
			t.Errorf("%s: accepted", test.override)
			continue
		}
		if all := faults(t, err); len(all) != 1 {
			t.Errorf("%s: %d faults: %v", test.override, len(all), err)
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got\n%v\nwant\n%s", test.override, err, test.want)
		}
	}
}

// One logit has no softmax to take the logarithm of: the account would be of zeros.
func TestLogProbabilityOfOneOutput(t *testing.T) {
	overrides := []string{"data={classes: [3, 8], train: 40, query: 7}", "machines=[{name: exact, family: exact, rule: left, target: log-probability}]"}
	for loss, want := range map[string]string{"logistic": "machines[0].target: found log-probability, while loss.kind logistic has one output", "cross-entropy": ""} {
		_, err := Parse("test", []byte("name: x\n"), "yaml", append(overrides, "loss.kind="+loss), nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", loss, err)
		}
	}
}
