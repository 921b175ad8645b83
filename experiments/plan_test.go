package experiments

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pkm/graphs"
)

// By hand: 64-64-64-10 without biases. A sample's products are 2·d_in·d_out FLOPs each:
// forward and weights for the first layer, forward, weights and input for the others.
func TestPlanCountsProducts(t *testing.T) {
	c, err := Parse("t", []byte("name: t\nnetwork: {bias: false}\ndata: {train: 1000, query: 50}\nmachines: []\npath_kernel: none\n"), "yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1000.0 * 2 * (2*4096 + 3*4096 + 3*640); plan.Training != want || plan.Tracking != 0 {
		t.Errorf("training %g, tracking %g, want %g and 0", plan.Training, plan.Tracking, want)
	}
	if plan.Parameters != 2*4096+640 || plan.Steps != 500 {
		t.Errorf("%d weights, %d steps", plan.Parameters, plan.Steps)
	}
	var out bytes.Buffer
	if err := plan.Print(&out); err != nil || !strings.Contains(out.String(), "memory: all") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}

// The estimate of the query's Jacobians is what their evaluators take.
func TestPlanKnowsTheJacobiansMemory(t *testing.T) {
	c, err := Parse("t", []byte("name: t\nprecision: float32\nmachines: [{name: a, family: exact, rule: gauss-3}]\n"), "yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.Plan()
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Data.Load()
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Network.Build(data, 10)
	if err != nil {
		t.Fatal(err)
	}
	j, err := graphs.NewJacobian[float32](n, gonum(t), 100)
	if err != nil {
		t.Fatal(err)
	}
	want := 3 * float64(j.Bytes()-4*n.Parameters())
	for _, d := range plan.Demands {
		if d.What == "Jacobians of the query samples" && math.Abs(d.Bytes-want) > 1e-9*want {
			t.Errorf("%g bytes, want %g", d.Bytes, want)
		}
	}
}
