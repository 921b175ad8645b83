package experiments

import (
	"io/fs"
	"path"
	"slices"

	"pkm/internal/npy"
)

// verifyShapes checks the shape of every array of a known name against the
// numbers of the summary.
func (v *verifier) verifyShapes() {
	if v.summary == nil {
		return
	}
	files, _ := fs.Glob(v.root.FS(), "arrays/*.npy")
	inMachines, _ := fs.Glob(v.root.FS(), "arrays/*/*.npy")
	for _, name := range append(files, inMachines...) {
		base := path.Base(name)
		rs, ok := v.shapeRules(path.Base(path.Dir(name)))[base[:len(base)-len(".npy")]]
		if !ok {
			continue
		}
		shape, err := v.shape(name)
		if err != nil {
			v.absent(name, err)
			continue
		}
		fits := func(r shapeRule) bool {
			n := len(r.leading)
			return len(shape) >= n && slices.Equal(shape[:n], r.leading) && (!r.exact || len(shape) == n)
		}
		if !slices.ContainsFunc(rs, fits) {
			v.add(StatusFailed, name, "shape is %v, which does not fit summary.json: N = %d, M = %d, C = %d, S = %d",
				shape, v.N, v.M, v.C, v.summary.Steps)
		}
	}
}

// shapeRule gives the leading dimensions of an array; exact, that there are no others.
type shapeRule struct {
	leading []int
	exact   bool
}

// shapeRules returns what the arrays in a machine's folder, and those above, look like.
func (v *verifier) shapeRules(machine string) map[string][]shapeRule {
	k := v.C
	if v.target(machine) == lossTarget {
		k = 1
	}
	return map[string][]shapeRule{
		"train_inputs":           {{[]int{v.N}, false}},
		"train_targets":          {{[]int{v.N}, true}, {[]int{v.N, v.C}, true}},
		"train_original_targets": {{[]int{v.N}, true}},
		"train_indices":          {{[]int{v.N}, true}},
		"query_inputs":           {{[]int{v.M}, false}},
		"query_targets":          {{[]int{v.M}, true}, {[]int{v.M, v.C}, true}},
		"query_indices":          {{[]int{v.M}, true}},
		"batches":                {{[]int{v.summary.Steps}, false}},
		"step_sizes":             {{[]int{v.summary.Steps}, true}},
		"outputs_initial":        {{[]int{v.M, v.C}, true}},
		"outputs_final":          {{[]int{v.M, v.C}, true}},
		"contributions":          {{[]int{v.M, k, v.N}, true}},
		"regularization":         {{[]int{v.M, k}, true}},
		"residual":               {{[]int{v.M, k}, true}},
		"path_kernel":            {{[]int{v.M, v.N}, true}, {[]int{v.M, v.C, v.N, v.C}, true}},
		"coefficients":           {{[]int{v.M, v.C, v.N, v.C}, true}},
	}
}

func (v *verifier) shape(name string) ([]int, error) {
	f, err := openFile(v.root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := npy.ReadHeader(f)
	return h.Shape, err
}
