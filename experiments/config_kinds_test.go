package experiments

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestKindOverrides: the keys of network.kind are judged when all sources are
// merged, and the message names the source that gave the key.
func TestKindOverrides(t *testing.T) {
	const list = "network.layers=[{kind: flatten}, {kind: dense}]"
	tests := []struct {
		name, text         string
		environ, overrides []string
		want               string // "" when it is accepted
	}{
		{"a list by override", "name: x\n", nil, []string{"network.kind=layers", list}, ""},
		{"a list by section", "name: x\n", nil, []string{"network={kind: layers, layers: [{kind: flatten}, {kind: dense}]}"}, ""},
		{"a list by variable", "name: x\n", []string{"PKM_NETWORK_KIND=layers", "PKM_NETWORK_LAYERS=[{kind: flatten}, {kind: dense, units: 10}]"}, nil, ""},
		{"units of a subset of the classes", layered("[{kind: flatten}, {kind: dense, units: 2}]"), nil, []string{"data={classes: [3, 8], train: 200}"}, ""},
		{"initial weights", layered("[{kind: flatten}, {kind: dense}]"), nil, []string{"network.init.scheme=zeros"}, ""},
		{"an empty list beside an mlp", "name: x\n", nil, []string{"network.layers=[]"}, "override network.layers=[]: network.layers: found [], while network.kind is mlp; allowed: layers only with network.kind: layers"},
		{"a variable of the short forms", layered("[{kind: flatten}, {kind: dense}]"), []string{"PKM_NETWORK_ACTIVATION=relu"}, nil,
			"environment variable PKM_NETWORK_ACTIVATION: network.activation: found relu, while network.kind is layers; allowed: the keys kind, layers, init"},
		{"a default of the short forms", layered("[{kind: flatten}, {kind: dense}]"), nil, []string{"network.hidden=[64, 64]"},
			"override network.hidden=[64, 64]: network.hidden: found [64, 64], while network.kind is layers; allowed: the keys kind, layers, init"},
		{"a list beside a cnn", layered("[{kind: flatten}, {kind: dense}]"), nil, []string{"network.kind=cnn", "network.convs=[{filters: 1, kernel: 1}]"},
			"f.yaml:2:33: network.layers: found a list, while network.kind is cnn by override network.kind=cnn; allowed: layers only with network.kind: layers; ~network.layers on the command line takes it away"},
		{"an item", "name: x\n", nil, []string{"network.layers[0].layers[1].units=3"}, "override network.layers[0].layers[1].units=3: network.layers[0].layers[1].units: found [0], while network.layers is empty; allowed: an item that is there; +network.layers=… appends one"},
		{"a replaced list", layered("[{kind: flatten}, {kind: dense, units: 9}]"), nil, []string{"network.layers=[{kind: flatten}, {kind: dense, units: 8}]"},
			"override network.layers=[{kind: flatten}, {kind: dense, units: 8}]: network.layers[1].units: found 8, while it is the last layer; allowed: 10, the number of outputs of the data, or leave it out"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(test.text), "yaml", test.overrides, test.environ)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if got := firstLine(err); got != test.want || len(faults(t, err)) != 1 {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// TestValidateLayers are the faults of configurations that a program made.
func TestValidateLayers(t *testing.T) {
	flatten, dense := Layer{Kind: "flatten"}, Layer{Kind: "dense", Units: 10, Bias: true}
	endless := []Layer{{Kind: "residual", Layers: []Layer{{}}}}
	endless[0].Layers = endless
	tests := []struct {
		name   string
		change func(*Network)
		want   string
	}{
		{"nothing", func(*Network) {}, ""},
		{"no short form", func(n *Network) { n.Hidden, n.Activation, n.Convs, n.Bias = nil, "", nil, false }, ""},
		{"no layers in a layer", func(n *Network) { n.Layers[0].Layers, n.Layers[0].Shortcut = []Layer{}, []Layer{} }, ""},
		{"widths", func(n *Network) { n.Hidden = []int{3} }, "network.hidden: found [3], while network.kind is layers; allowed: the keys kind, layers, init"},
		{"blocks", func(n *Network) { n.Convs = []Conv{{Filters: 1, Kernel: 1}} }, "network.convs: found a list, while network.kind is layers; allowed: the keys kind, layers, init"},
		{"layers of an mlp", func(n *Network) { n.Kind = "mlp" }, "network.layers: found a list, while network.kind is mlp; allowed: layers only with network.kind: layers"},
		{"a key of another kind", func(n *Network) { n.Layers[0].Units = 5 }, "network.layers[0].units: found 5, while network.layers[0].kind is flatten; allowed: units only with network.layers[0].kind: dense"},
		{"a key of several kinds", func(n *Network) { n.Layers[1].Size = 3 }, "network.layers[1].size: found 3, while network.layers[1].kind is dense; allowed: the keys kind, units, bias"},
		{"layers in a layer", func(n *Network) { n.Layers[0].Layers = []Layer{flatten} }, "network.layers[0].layers: found a list, while network.layers[0].kind is flatten; allowed: layers only with network.layers[0].kind: residual"},
		{"no kind", func(n *Network) { n.Layers[0] = Layer{} }, `network.layers[0].kind: found ""; allowed: ` + strings.Join(configSchema().find("network.layers").item().kinds(), ", ")},
		{"no size", func(n *Network) { n.Layers[0] = Layer{Kind: "max-pool"} }, "network.layers[0].size: found 0; allowed: a whole number, at least 1 and at most 1000000"},
		{"a block without end", func(n *Network) { n.Layers = append(endless, n.Layers...) }, "network.layers[0]" + strings.Repeat(".layers[0]", 4) + ".layers: found a list, inside of 5 others; allowed: residual blocks nested at most 4 deep"},
	}
	for _, test := range tests {
		config := defaultConfig()
		config.Network.Kind, config.Network.Layers = "layers", []Layer{flatten, dense}
		test.change(&config.Network)
		got := ""
		if err := config.Validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// TestNestingLimit: four residual blocks inside one another are read.
func TestNestingLimit(t *testing.T) {
	block := "{kind: tanh}"
	for range maxNesting {
		block = "{kind: residual, layers: [" + block + "], shortcut: [{kind: identity}]}"
	}
	parse(t, layered("["+block+", {kind: flatten}, {kind: dense}]"), nil, nil)
}

// TestKindsOfTheSchema: every kind that a key is tagged with exists, and every
// kind of layer is reached by its own spelling and by none of another's.
func TestKindsOfTheSchema(t *testing.T) {
	for _, section := range []*field{configSchema().child("network"), configSchema().find("network.layers").item()} {
		known := section.child("kind").oneOf()
		for _, sub := range section.children {
			for _, kind := range strings.Fields(sub.tag.Get("of")) {
				if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+kind+" ") {
					t.Errorf("%s.%s is a key of the kind %s, which there is not", section.path, sub.key, kind)
				}
			}
		}
	}
	item := configSchema().find("network.layers").item()
	for _, kind := range item.kinds() {
		if fault, near := unknownLayer(kind, item.kinds()); fault != "" || near != kind {
			t.Errorf("%s is taken for %s %s", kind, near, fault)
		}
	}
	want := []string{"kind", "filters", "kernel", "stride", "padding", "bias"}
	if got := item.only("conv2d").keys(); !reflect.DeepEqual(got, want) {
		t.Errorf("conv2d has the keys %v", got)
	}
}

func TestUnknownLayer(t *testing.T) {
	kinds := configSchema().find("network.layers").item().kinds()
	for text, want := range map[string]string{
		"conv": "conv2d", "Conv-2D": "conv2d", "linear": "dense", "Dens": "dense", "fully_connected": "dense", "MaxPool2d": "max-pool", "max_pool": "max-pool",
		"avg-pool": "average-pool", "GlobalAveragePooling2D": "global-average-pool", "LayerNorm": "layer-norm", "residul": "residual", "swish": "silu",
		"BatchNorm1d": "layer-norm", "batch normalization": "layer-norm", "dropout": "", "lstm": "", "": "",
	} {
		if _, near := unknownLayer(text, kinds); near != want {
			t.Errorf("%s is taken for %q, not %q", text, near, want)
		}
	}
}

// TestReadmeLayers: the list in the README is a configuration, and shows every
// kind but the activations.
func TestReadmeLayers(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := bytes.Cut(text, []byte("```yaml\nnetwork:\n"))
	block, _, closed := bytes.Cut(text, []byte("```"))
	if !found || !closed {
		t.Fatal("no list of layers in the README")
	}
	parse(t, "name: x\nnetwork:\n"+string(block), nil, nil)
	for _, kind := range configSchema().find("network.layers").item().kinds() {
		if !bytes.Contains(block, []byte(kind)) {
			t.Errorf("the README does not show %s", kind)
		}
	}
}
