package sweeps

import (
	"fmt"
	"io"
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

const parquetName = "results.parquet"

// writeParquet writes a table, the first record of which is its header, in its order: columns
// of whole numbers, of numbers or of texts, as all their values can be read. What is
// not there is null.
func writeParquet(w io.Writer, records [][]string) error {
	header, rows := records[0], records[1:]
	var fields []reflect.StructField
	kinds := make([]reflect.Kind, len(header))
	for i, name := range header {
		kinds[i] = columnKind(rows, i)
		typ := map[reflect.Kind]reflect.Type{reflect.Int64: reflect.TypeFor[*int64](), reflect.Float64: reflect.TypeFor[*float64](), reflect.String: reflect.TypeFor[*string]()}[kinds[i]]
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: typ, Tag: reflect.StructTag(fmt.Sprintf("parquet:%q", name+",optional"))})
	}
	row := reflect.StructOf(fields)
	out := parquet.NewWriter(w, parquet.SchemaOf(reflect.New(row).Interface()))
	for _, record := range rows {
		value := reflect.New(row)
		for i, text := range record {
			if text == "" {
				continue
			}
			switch field := value.Elem().Field(i); kinds[i] {
			case reflect.Int64:
				x, _ := strconv.ParseInt(text, 10, 64) // columnKind has read it
				field.Set(reflect.ValueOf(&x))
			case reflect.Float64:
				x, _ := strconv.ParseFloat(text, 64)
				field.Set(reflect.ValueOf(&x))
			default:
				field.Set(reflect.ValueOf(&text))
			}
		}
		if err := out.Write(value.Interface()); err != nil {
			return err
		}
	}
	return out.Close()
}

// columnKind returns what all texts of a column can be read as.
func columnKind(rows [][]string, i int) reflect.Kind {
	kind, seen := reflect.Int64, false
	for _, row := range rows {
		text := row[i]
		if text == "" {
			continue
		}
		seen = true
		if _, err := strconv.ParseInt(text, 10, 64); err != nil && kind == reflect.Int64 {
			kind = reflect.Float64
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return reflect.String
		}
	}
	if !seen {
		return reflect.String
	}
	return kind
}
