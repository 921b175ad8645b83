package datasets

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

func csvTable(text string, o Options) (*Table, error) {
	return readCSV(bufio.NewReaderSize(strings.NewReader(text), 1<<16), o)
}

// The same three rows in different spellings.
func TestCSV(t *testing.T) {
	values := []float64{1, 2.5, -3, 4e2, 0, 0.125}
	for _, test := range []struct {
		name, text string
		options    Options
		labels     []string
	}{
		{"header", "a,b,kind\n1,2.5,cat\n-3,4e2,dog\n0,.125,cat\n", Options{}, []string{"cat", "dog", "cat"}},
		{"no header", "1,2.5,cat\n-3,4e2,dog\n0,.125,cat\n", Options{}, []string{"cat", "dog", "cat"}},
		{"numeric header", "2020,2021,2022\n1,2.5,0\n-3,4e2,7\n0,.125,0\n", Options{Header: "present"}, []string{"0", "7", "0"}},
		{"semicolons, CRLF, BOM, quotes", "\ufeff\"a\";b;kind\r\n1;2.5;\"cat\"\r\n-3;400;dog\r\n0;.125;cat", Options{}, []string{"cat", "dog", "cat"}},
		{"tabs, spaces", "a\tb\tkind\n1\t 2.5\tcat \n-3\t4e2\tdog\n0\t.125\tcat\n", Options{}, []string{"cat", "dog", "cat"}},
		{"target by name", "kind,a,b\ncat,1,2.5\ndog,-3,4e2\ncat,0,.125\n", Options{Target: "kind"}, []string{"cat", "dog", "cat"}},
		{"target by number", "1,cat,2.5\n-3,dog,4e2\n0,cat,.125\n", Options{Target: "1"}, []string{"cat", "dog", "cat"}},
		{"inputs by name", "id,a,b,kind\nx,1,2.5,1.0\ny,-3,4e2,-0.0\nz,0,.125,1\n", Options{Inputs: "a, b"}, []string{"1", "0", "1"}},
		{"a comma in a name", "\"a,b\",kind,b\n1,cat,2.5\n-3,dog,4e2\n0,cat,.125\n", Options{Target: "kind", Inputs: "0,2"}, []string{"cat", "dog", "cat"}},
	} {
		table, err := csvTable(test.text, test.options)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if !slices.Equal(table.Values, values) || !slices.Equal(table.Labels, test.labels) || table.Rows != 3 || !slices.Equal(table.Shape, []int{2}) {
			t.Errorf("%s: %+v", test.name, table)
		}
	}
	table, err := csvTable("y,x1,x2,x3,x4,z\n1,2,3,4,5,6\n7,8,9,10,11,12\n", Options{Target: "y,z", Regression: true, Shape: []int{1, 2, 2}})
	if err != nil || !slices.Equal(table.Targets, []float64{1, 6, 7, 12}) || table.Outputs != 2 || !slices.Equal(table.Shape, []int{1, 2, 2}) {
		t.Errorf("%+v, %v", table, err)
	}
}

func TestCSVRefuses(t *testing.T) {
	for _, test := range []struct {
		name, text string
		options    Options
		want       string
	}{
		{"empty", "", Options{}, "found no row"},
		{"only a header", "a,b\n", Options{}, "found a header and no row"},
		{"ragged", "a,b,c\n1,2,3\n1,2\n", Options{}, "line 3: found 2 columns, 3 are due as in the first row"},
		{"text among inputs", "a,b,c\n1,2,3\n1,red,3\n", Options{}, `line 3, column 1 (b): found "red", a number is due; if the column is the class, name it in data.target`},
		{"missing number", "1,2,3\n1,,3\n", Options{}, "line 2, column 1: found nothing, a number is due; fill it in"},
		{"NaN", "1,2,3\nNaN,2,3\n", Options{}, `line 2, column 0: found "NaN", a finite number`},
		{"too large", "1,2,3\n1e999,2,3\n", Options{}, `line 2, column 0: found "1e999", a number is due`},
		{"missing class", "1,2,a\n1,2,\n", Options{}, "line 2, column 2: found nothing, a class is due"},
		{"fraction for a class", "1,2,1\n1,2,1.5\n", Options{}, `found "1.5", a class is due; numbers to predict need data.task: regression`},
		{"text for a number to predict", "1,2,a\n1,2,1.5\n", Options{Regression: true}, `line 1, column 2: found "a", a number is due`},
		{"a numeric header", "label,0,1\n3,1,2\n4,5,6\n3,4,4\n", Options{Target: "0"}, "line 1: found the class \"label\" in it alone, and numbers below: set data.header: present"},
		{"quote", "1,\"2,3\n", Options{}, "line 1"},
		{"no such target", "a,b\n1,2\n", Options{Target: "c"}, `data.target names the column "c", which there is not: there are the columns 0 to 1, a, b`},
		{"no such number", "1,2\n1,2\n", Options{Target: "2"}, "there are the columns 0 to 1"},
		{"input twice", "a,b\n1,2\n", Options{Inputs: "a,0"}, "names column 0 (a) twice"},
		{"target among inputs", "a,b\n1,2\n", Options{Inputs: "a,b"}, "column 1 (b) is among data.inputs and is the target"},
		{"one column", "1\n2\n", Options{}, "at least one of inputs and one of targets"},
		{"two targets of classes", "a,b,c\n1,2,3\n", Options{Target: "a,b"}, "data.target names 2 columns"},
		{"shape", "1,2,3\n", Options{Shape: []int{1, 2, 3}}, "data.shape is [1 2 3], while a sample has 2 inputs"},
		{"overflowing shape", "1,2,3\n", Options{Shape: []int{1 << 62, 1 << 62, 4}}, "while a sample has 2 inputs"},
	} {
		_, err := csvTable(test.text, test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
		}
	}
}

// FuzzCSV: whatever the text, no panic, and what is read has the shape it claims.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"a,b,c\n1,2,x\n3,4,y\n", "1;2;3\n4;5;6", "\ufeff\"a\"\t\"b\"\n1\t2\n", "a\n", "\"", "1,2\n3\n", "\r\n\r\n,", ""} {
		f.Add(text, "", "", false)
		f.Add(text, "-1", "0,b", true)
	}
	f.Fuzz(func(t *testing.T, text, target, inputs string, regression bool) {
		table, err := csvTable(text, Options{Target: target, Inputs: inputs, Regression: regression})
		if err != nil {
			return
		}
		if len(table.Values) != table.Rows*table.Features() || len(table.Labels)+len(table.Targets) != table.Rows*max(1, table.Outputs) || table.Rows == 0 {
			t.Errorf("%+v", table)
		}
	})
}
