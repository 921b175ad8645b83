package sweeps

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// tableOf is a table of four trials with different ends.
func tableOf() *Table {
	t := newTable(&Definition{ID: "x", Metric: Metric{"loss", "maximize"}, Trials: 4, Parameters: []string{"training.steps", "network.hidden"}})
	figures := func(loss float64) []Figure { return []Figure{{"steps", 20}, {"loss", figureOf(loss)}} }
	for i, r := range []*Result{
		{Attempt: 1, State: Completed, Steps: 20, Figures: figures(0.5), Seconds: 1.25},
		{Attempt: 2, State: Failed, Message: `no "memory", none`},
		{Attempt: 1, State: Completed, Steps: 20, Figures: append(figures(1), Figure{"machines.exact.rmse", 1e-12})},
		{Attempt: 1, State: Completed, Steps: 20, Figures: figures(math.NaN())},
	} {
		r.Trial = i
		t.Rows = append(t.Rows, &Row{Trial: &Trial{Number: i, Hash: strings.Repeat("ab", 32), Values: []string{"20", "[8, 16]"}, CopyOf: -1}, Result: r, finished: true})
	}
	return t
}

func TestTableFiles(t *testing.T) {
	dir := t.TempDir()
	table := tableOf()
	if err := table.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := table.Definition.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, csvName))
	want := `trial,state,attempt,seconds,steps,copy_of,folder,message,training.steps,network.hidden,loss,machines.exact.rmse
0,completed,1,1.250,20,,trials/0000-abababababab,,20,"[8, 16]",0.5,
1,failed,2,0.000,0,,trials/0001-abababababab,"no ""memory"", none",20,"[8, 16]",,
2,completed,1,0.000,20,,trials/0002-abababababab,,20,"[8, 16]",1,1e-12
3,completed,1,0.000,20,,trials/0003-abababababab,,20,"[8, 16]",,
`
	if err != nil || string(text) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, text, want)
	}
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	if rows := r.Sorted(); len(rows) != 2 || rows[0][0] != "2" || table.Best().Trial.Number != 2 {
		t.Errorf("the best: %v", rows)
	}

	f, err := os.Open(filepath.Join(dir, parquetName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, column := range file.Schema().Fields() {
		names = append(names, column.Name()+" "+column.Type().String())
	}
	header := []string{"trial INT(64,true)", "state STRING", "attempt INT(64,true)", "seconds DOUBLE", "steps INT(64,true)", "copy_of STRING", "folder STRING", "message STRING",
		"training.steps INT(64,true)", "network.hidden STRING", "loss DOUBLE", "machines.exact.rmse DOUBLE"}
	if !reflect.DeepEqual(names, header) {
		t.Errorf("columns %q", names)
	}
	rows := make([]parquet.Row, 5)
	n, _ := file.RowGroups()[0].Rows().ReadRows(rows)
	if n != 4 || rows[2][10].Double() != 1 || !rows[1][10].IsNull() || rows[0][0].Int64() != 0 || rows[3][9].String() != "[8, 16]" {
		t.Errorf("%d rows: %v", n, rows[:n])
	}
}
