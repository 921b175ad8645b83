package experiments

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pkm/graphs"
)

// layered returns a configuration with that list under network.layers.
func layered(list string) string {
	return "name: x\nnetwork: {kind: layers, layers: " + list + "}\n"
}

// everyLayer is a list with every kind of layer, and what its lines are read as
// and written as, defaults included.
const everyLayer = `name: x
network:
  kind: layers
  layers:
    - {kind: conv2d, filters: 8, kernel: 3}
    - {kind: tanh}
    - {kind: max-pool}
    - kind: residual
      layers:
        - {kind: conv2d, filters: 8, kernel: 3, stride: 3, padding: 1, bias: false}
        - {kind: layer-norm}
        - kind: residual
          layers: [{kind: gelu}]
      shortcut:
        - {kind: average-pool, size: 3}
    - {kind: residual, layers: [{kind: layer-norm, epsilon: 0.5, affine: false}]}
    - {kind: global-average-pool}
    - {kind: flatten}
    - {kind: dense, units: 32, bias: false}
    - {kind: dense}
`

func wantLayers() []Layer {
	return []Layer{
		{Kind: "conv2d", Filters: 8, Kernel: 3, Stride: 1, Bias: true},
		{Kind: "tanh"},
		{Kind: "max-pool", Size: 2},
		{
			Kind: "residual",
			Layers: []Layer{
				{Kind: "conv2d", Filters: 8, Kernel: 3, Stride: 3, Padding: 1},
				{Kind: "layer-norm", Epsilon: 1e-5, Affine: true},
				{Kind: "residual", Layers: []Layer{{Kind: "gelu"}}, Shortcut: []Layer{}},
			},
			Shortcut: []Layer{{Kind: "average-pool", Size: 3}},
		},
		{Kind: "residual", Layers: []Layer{{Kind: "layer-norm", Epsilon: 0.5}}, Shortcut: []Layer{}},
		{Kind: "global-average-pool"},
		{Kind: "flatten"},
		{Kind: "dense", Units: 32},
		{Kind: "dense", Bias: true},
	}
}

// decode reads a configuration without judging its values.
func decode(t *testing.T, text, format string) (*Config, *checker) {
	t.Helper()
	c := newChecker()
	config, err := merge(c.layers("f", []byte(text), format, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	return config, c
}

func TestLayersAreRead(t *testing.T) {
	config, c := decode(t, everyLayer, "yaml")
	if err := c.err(); err != nil {
		t.Fatal(err)
	}
	if got := config.Network.Layers; !reflect.DeepEqual(got, wantLayers()) {
		t.Errorf("got  %+v\nwant %+v", got, wantLayers())
	}
}

// TestLayersAreWritten: the keys of a layer's kind are written, each of them,
// and no other; of a network of layers, not those of the short forms.
func TestLayersAreWritten(t *testing.T) {
	network := Network{Kind: "layers", Layers: wantLayers(), Init: Init{Scheme: "zeros", Gain: 1}}
	var b strings.Builder
	writeSection(&b, configSchema().child("network"), reflect.ValueOf(network), "")
	const want = `kind: layers
layers:
  - {kind: conv2d, filters: 8, kernel: 3, stride: 1, padding: 0, bias: true}
  - {kind: tanh}
  - {kind: max-pool, size: 2}
  - kind: residual
    layers:
      - {kind: conv2d, filters: 8, kernel: 3, stride: 3, padding: 1, bias: false}
      - {kind: layer-norm, epsilon: 1.0e-05, affine: true}
      - kind: residual
        layers:
          - {kind: gelu}
        shortcut: []
    shortcut:
      - {kind: average-pool, size: 3}
  - kind: residual
    layers:
      - {kind: layer-norm, epsilon: 0.5, affine: false}
    shortcut: []
  - {kind: global-average-pool}
  - {kind: flatten}
  - {kind: dense, units: 32, bias: false}
  - {kind: dense, units: 0, bias: true}
init:
  scheme: zeros
  gain: 1.0
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	again, c := decode(t, "name: x\nnetwork:\n  "+strings.ReplaceAll(b.String(), "\n", "\n  "), "yaml")
	if err := c.err(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.Network.Layers, wantLayers()) {
		t.Errorf("read again: %+v", again.Network.Layers)
	}
}

func TestLayersInOtherFormats(t *testing.T) {
	want := []Layer{
		{Kind: "residual", Layers: []Layer{{Kind: "layer-norm", Epsilon: 0.5, Affine: true}, {Kind: "tanh"}}, Shortcut: []Layer{{Kind: "identity"}}},
		{Kind: "dense", Units: 10, Bias: true},
	}
	for _, test := range []struct{ format, text string }{
		{"json", `{"name": "x", "network": {"kind": "layers", "layers": [{"kind": "residual", "layers": [{"kind": "layer-norm", "epsilon": 0.5}, {"kind": "tanh"}], "shortcut": [{"kind": "identity"}]}, {"kind": "dense", "units": 10}]}}`},
		{"toml", "name = 'x'\nnetwork.kind = 'layers'\n[[network.layers]]\nkind = 'residual'\nshortcut = [{kind = 'identity'}]\n[[network.layers.layers]]\nkind = 'layer-norm'\nepsilon = 0.5\n[[network.layers.layers]]\nkind = 'tanh'\n[[network.layers]]\nkind = 'dense'\nunits = 10\n"},
		{"yaml", "name: x\nnetwork:\n  kind: layers\n  layers:\n  - kind: residual\n    layers: [&n {kind: layer-norm, epsilon: 0.5}, {kind: tanh}]\n    shortcut: [{<<: *n, kind: identity, epsilon: 1}]\n  - {units: 10, kind: dense}\n"},
	} {
		config, c := decode(t, test.text, test.format)
		if err := c.err(); test.format == "yaml" {
			// A merge key brings the keys of another kind like any others.
			if err == nil || !strings.Contains(err.Error(), "layers[0].shortcut[0].epsilon: not a key of kind identity") {
				t.Errorf("a merged key of another kind: %v", err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if got := config.Network.Layers; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v", test.format, got)
		}
	}
}

func TestLayersRoundTrip(t *testing.T) {
	config := parse(t, everyLayer, []string{"network.init.gain=2"}, nil)
	text, err := config.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if again := parse(t, string(text), nil, nil); !reflect.DeepEqual(again, config) {
		t.Errorf("got %+v, want %+v", again, config)
	}
}

// TestNetworkOfLayers compares the list with the short form of the same
// network: equal layouts, names included.
func TestNetworkOfLayers(t *testing.T) {
	data, err := LoadDigits()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ list, short string }{
		{
			"[{kind: conv2d, filters: 4, kernel: 3, stride: 2, padding: 1}, {kind: silu}, {kind: max-pool, size: 2}, {kind: conv2d, filters: 3, kernel: 2}, {kind: silu}, {kind: flatten}, {kind: dense, units: 5}, {kind: silu}, {kind: dense}]",
			"network: {kind: cnn, activation: silu, hidden: [5], convs: [{filters: 4, kernel: 3, stride: 2, padding: 1, pool: max}, {filters: 3, kernel: 2}]}",
		},
		{
			"[{kind: conv2d, filters: 4, kernel: 5, bias: false}, {kind: identity}, {kind: average-pool, size: 3}, {kind: flatten}, {kind: dense, units: 10, bias: false}]",
			"network: {kind: cnn, bias: false, hidden: [], convs: [{filters: 4, kernel: 5, pool: average, pool_size: 3}]}",
		},
	} {
		got, err := parse(t, layered(test.list), nil, nil).Network.Build(data, 10)
		if err != nil {
			t.Fatal(err)
		}
		want, err := parse(t, "name: x\n"+test.short+"\n", nil, nil).Network.Build(data, 10)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Layout(), want.Layout()) || got.Outputs() != 10 {
			t.Errorf("%s: %v, want %v", test.list, got.Layout(), want.Layout())
		}
	}
}

// TestLayerKinds: each kind of the schema is built, as what it says.
func TestLayerKinds(t *testing.T) {
	l := Layer{Units: 1, Filters: 2, Kernel: 3, Stride: 4, Padding: 5, Bias: true, Size: 6, Epsilon: 7, Affine: true, Factor: 8,
		Layers: []Layer{{Kind: "gelu"}, {Kind: "dense", Units: 3}}, Shortcut: []Layer{{Kind: "dense", Units: 4, Bias: true}}}
	want := map[string]graphs.Layer{
		"dense":        graphs.Dense{Out: 1, Bias: true},
		"conv2d":       graphs.Conv2D{Filters: 2, Kernel: 3, Stride: 4, Padding: 5, Bias: true},
		"max-pool":     graphs.MaxPool2D{Size: 6},
		"average-pool": graphs.AvgPool2D{Size: 6},
		"flatten":      graphs.Flatten{},
		"layer-norm":   graphs.LayerNorm{Epsilon: 7, Affine: true},
		"scale":        graphs.Scale{Factor: 8},
		"residual": graphs.Residual{
			Layers:   []graphs.Layer{graphs.Activation{Kind: graphs.GELU}, graphs.Dense{Out: 3}},
			Shortcut: []graphs.Layer{graphs.Dense{Out: 4, Bias: true}},
		},
		"global-average-pool": graphs.GlobalAvgPool{},
	}
	for _, kind := range graphs.ActivationKinds() {
		want[string(kind)] = graphs.Activation{Kind: kind}
	}
	kinds := configSchema().find("network.layers").item().kinds()
	for kind, layer := range want {
		l.Kind = kind
		if got, err := l.graph(""); err != nil || !reflect.DeepEqual(got, layer) {
			t.Errorf("%s: got %#v, want %#v", kind, got, layer)
		}
	}
	for _, kind := range kinds {
		if _, ok := want[kind]; !ok {
			t.Errorf("%s is not tested", kind)
		}
	}
}

// TestImpossibleLayer: the error names the first layer that does not fit.
func TestImpossibleLayer(t *testing.T) {
	conv := func(kernel int) Layer { return Layer{Kind: "conv2d", Filters: 1, Kernel: kernel, Stride: 1} }
	tanh, flatten, dense := Layer{Kind: "tanh"}, Layer{Kind: "flatten"}, Layer{Kind: "dense", Units: 10}
	for _, test := range []struct {
		name, path, cause string
		layers            []Layer
	}{
		{"the first", "network.layers[0]", "9×9 does not fit into 8×8", []Layer{conv(9), flatten, dense}},
		{"after layers without weights", "network.layers[2]", "flatten the input first", []Layer{tanh, tanh, dense, flatten}},
		{"the last", "network.layers[2]", "at least 1 output", []Layer{flatten, dense, {Kind: "dense", Units: -1}}},
		{"the first of two", "network.layers[1]", "6×6 does not fit into 4×4", []Layer{conv(5), conv(6), conv(9)}},
		{"in a block", "network.layers[1].layers[1]", "6×6 does not fit into 5×5", []Layer{conv(2), {Kind: "residual", Layers: []Layer{conv(3), conv(6)}}, conv(9)}},
		{"in a shortcut", "network.layers[1].shortcut[0]", "8×8 does not fit into 7×7", []Layer{conv(2), {Kind: "residual", Layers: []Layer{tanh}, Shortcut: []Layer{conv(8)}}}},
		{"in a block in a shortcut", "network.layers[0].shortcut[1].layers[0]", "8×8 does not fit into 7×7", []Layer{
			{Kind: "residual", Layers: []Layer{tanh}, Shortcut: []Layer{conv(2), {Kind: "residual", Layers: []Layer{conv(8)}}}}, conv(9)}},
		{"branches of two shapes", "network.layers[1]", "", []Layer{tanh, {Kind: "residual", Layers: []Layer{conv(3)}}, flatten, dense}},
		{"an unknown kind in a block", "network.layers[0].layers[0]", `of kind "noise"`, []Layer{{Kind: "residual", Layers: []Layer{{Kind: "noise"}}}}},
		{"an unknown kind in a shortcut", "network.layers[0].shortcut[0]", `of kind "noise"`, []Layer{{Kind: "residual", Shortcut: []Layer{{Kind: "noise"}}}}},
		{"an unknown kind", "network.layers[1]", `of kind "noise"`, []Layer{tanh, {Kind: "noise"}, dense}},
	} {
		network := Network{Kind: "layers", Layers: test.layers}
		_, err := network.Build(&Dataset{Shape: []int{1, 8, 8}}, 10)
		var fault *LayerError
		if !errors.As(err, &fault) || fault.Path != test.path || !strings.Contains(fault.Err.Error(), test.cause) || strings.Contains(err.Error(), "graphs") {
			t.Errorf("%s: got %v, want %s: %s", test.name, err, test.path, test.cause)
		}
	}
	for name, layers := range map[string][]Layer{
		"images":        {conv(3)},
		"nothing":       {},
		"no weights":    {flatten},
		"other outputs": {flatten, {Kind: "dense", Units: 9}},
	} {
		if _, err := (Network{Kind: "layers", Layers: layers}).Build(&Dataset{Shape: []int{1, 8, 8}}, 10); err == nil {
			t.Errorf("a network that ends in %s is built", name)
		}
	}
}

func TestDescribeLayers(t *testing.T) {
	for list, want := range map[string]string{
		"[{kind: conv2d, filters: 8, kernel: 3}, {kind: tanh}, {kind: max-pool}, {kind: flatten}, {kind: dense, units: 32}, {kind: dense}]": "layers, conv2d 8 of 3×3 → tanh → max-pool 2×2 → flatten → dense 32 → dense, float64",
		"[{kind: flatten}" + strings.Repeat(", {kind: relu}", 8) + ", {kind: dense}]":                                                       "layers, flatten → relu → relu → relu → relu → relu → relu → 2 more → dense, float64",
		"[{kind: flatten}" + strings.Repeat(", {kind: relu}", 7) + ", {kind: dense}]":                                                       "relu → relu → relu → relu → relu → relu → relu → dense, float64",
	} {
		if got := parse(t, layered(list), nil, nil).Describe(); !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if got := (Network{Kind: "layers", Layers: wantLayers()}).describe(); !strings.Contains(got, "residual of 3 → residual of 1 → global-average-pool") {
		t.Error(got)
	}
}
