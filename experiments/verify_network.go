package experiments

import (
	"fmt"
	"io"
	"math"

	"pkm/graphs"
	"pkm/internal/compute"
	"pkm/internal/npy"
	"pkm/internal/safetensors"
	"pkm/training"
)

// verifyNetwork evaluates the network again, from the configuration, the weights
// and the inputs in the run directory, and compares outputs and losses with what
// is written there. Only gonum is used, so that it works everywhere; the
// tolerance covers another BLAS.
func (v *verifier) verifyNetwork() {
	if err := v.evaluateNetwork(); err != nil {
		v.add(StatusFailed, "network", "%v", err)
	}
}

func (v *verifier) evaluateNetwork() error {
	text, err := v.read("config.yaml")
	if err != nil {
		return err
	}
	c, err := parseWritten("config.yaml", text)
	if err != nil {
		return err
	}
	if c.Precision == "float32" {
		return evaluateNetwork[float32](v, c, 1e-4) // 2⁻²⁴ for each of some thousand roundings
	}
	return evaluateNetwork[float64](v, c, 1e-9) // the same with 2⁻⁵³, and room
}

func evaluateNetwork[T graphs.Float](v *verifier, c *Config, tolerance float64) error {
	shape, err := v.sampleShape()
	if err != nil {
		return err
	}
	network, err := c.Network.Build(&Dataset{Shape: shape}, v.C)
	if err != nil {
		return err
	}
	if network.Parameters() != v.summary.Parameters {
		return fmt.Errorf("the network of config.yaml has %d weights, summary.json says %d", network.Parameters(), v.summary.Parameters)
	}
	engine, err := compute.Open("gonum")
	if err != nil {
		return err
	}
	defer engine.Close()
	loss, err := training.NewLoss[float64](c.Loss.Kind)
	if err != nil {
		return err
	}
	for _, check := range []struct {
		weights, side, outputs string
		loss                   *Figure
	}{
		{"weights_initial", "query", "outputs_initial", nil},
		{"weights_final", "query", "outputs_final", &v.summary.Network.QueryLoss},
		{"weights_final", "train", "", &v.summary.Network.TrainLoss},
	} {
		w, err := readWeights[T](v, network, check.weights+".safetensors")
		if err != nil {
			return err
		}
		inputs, err := readElements[T](v, check.side+"_inputs")
		if err != nil {
			return err
		}
		samples, err := v.readTargets(check.side + "_targets")
		if err != nil {
			return err
		}
		f, err := graphs.NewForward[T](network, engine, samples.Count())
		if err != nil {
			return err
		}
		if err := f.SetInputs(inputs); err != nil {
			return err
		}
		if err := f.Run(w); err != nil {
			return err
		}
		outputs := widen(f.Outputs())
		if check.outputs != "" {
			written, err := readElements[float64](v, check.outputs)
			if err != nil {
				return err
			}
			miss, scale := 0.0, 0.0
			for i, o := range written {
				miss, scale = max(miss, math.Abs(o-outputs[i])), max(scale, math.Abs(o))
			}
			if !(miss <= tolerance*max(scale, 1)) {
				return fmt.Errorf("the outputs of %s.safetensors on %s_inputs are off %s by %.3g", check.weights, check.side, check.outputs, miss)
			}
			v.add(StatusOK, "network", "the outputs of %s.safetensors on %s_inputs are %s, to %.2g", check.weights, check.side, check.outputs, miss)
		}
		if check.loss == nil {
			continue
		}
		targets, err := targetsOf[float64](c.Loss.Kind, samples, v.C)
		if err != nil {
			return err
		}
		losses := make([]float64, samples.Count())
		loss.Evaluate(outputs, targets, v.C, losses, make([]float64, len(targets)))
		mean := training.Mean(losses)
		if !(math.Abs(mean-float64(*check.loss)) <= tolerance*max(mean, 1)) {
			return fmt.Errorf("the %s loss is %.6g, summary.json says %.6g", check.side, mean, float64(*check.loss))
		}
		v.add(StatusOK, "network", "the %s loss is %.6g, as summary.json says", check.side, mean)
	}
	return nil
}

// read returns the content of a file of the run directory.
func (v *verifier) read(name string) ([]byte, error) {
	f, err := openFile(v.root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// readTargets reads classes, or numbers to predict.
func (v *verifier) readTargets(name string) (*Samples, error) {
	if numbers, err := readElements[float64](v, name); err == nil {
		return &Samples{Targets: numbers, Indices: make([]int64, len(numbers)/max(1, v.C))}, nil
	}
	labels, err := readElements[int64](v, name)
	if err != nil {
		return nil, err
	}
	s := &Samples{Labels: make([]int, len(labels)), Indices: make([]int64, len(labels))}
	for i, l := range labels {
		s.Labels[i] = int(l)
	}
	return s, nil
}

// sampleShape returns the shape of a sample as the network sees it.
func (v *verifier) sampleShape() ([]int, error) {
	f, err := openFile(v.root, "arrays/train_inputs.npy")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := npy.ReadHeader(f)
	if err != nil {
		return nil, fmt.Errorf("arrays/train_inputs.npy: %w", err)
	}
	if len(h.Shape) < 2 {
		return nil, fmt.Errorf("arrays/train_inputs.npy: shape %v, (samples, …) is due", h.Shape)
	}
	return h.Shape[1:], nil
}

// readElements reads arrays/<name>.npy of a given type.
func readElements[E float32 | float64 | int64](v *verifier, name string) ([]E, error) {
	f, err := openFile(v.root, "arrays/"+name+".npy")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, data, err := npy.Read[E](f)
	if err != nil {
		return nil, fmt.Errorf("arrays/%s.npy: %w", name, err)
	}
	return data, nil
}

// readWeights reads the flat weight vector of a network.
func readWeights[T graphs.Float](v *verifier, network *graphs.Network, name string) ([]T, error) {
	f, err := openFile(v.root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	named, _, err := safetensors.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := make([]T, network.Parameters())
	found := 0
	for _, t := range named {
		p, err := network.Layout().Find(t.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		values, ok := t.Data.([]T)
		if !ok || len(values) != p.Size() {
			return nil, fmt.Errorf("%s: tensor %s has other elements than the network's", name, t.Name)
		}
		found += copy(graphs.View(w, p), values)
	}
	if found != len(w) {
		return nil, fmt.Errorf("%s: found %d of %d weights", name, found, len(w))
	}
	return w, nil
}
