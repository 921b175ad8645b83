package datasets

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV reads rows of numbers and a class or numbers to predict, separated by commas,
// semicolons or tabs (RFC 4180). Target and Inputs name columns. Header is "present",
// "absent", or "auto": the first row is one if none of its fields is a number.
func (f *Reader) CSV(o Options) (t *Table, err error) {
	err = f.each(o.Path, func(r *bufio.Reader) error {
		t, err = readCSV(r, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func readCSV(r *bufio.Reader, o Options) (*Table, error) {
	if start, _ := r.Peek(3); string(start) == "\ufeff" {
		if _, err := r.Discard(3); err != nil {
			return nil, err
		}
	}
	rows := csv.NewReader(r)
	rows.Comma, rows.ReuseRecord, rows.TrimLeadingSpace = separator(r), true, true
	first, err := rows.Read()
	if err == io.EOF {
		return nil, errors.New("found no row")
	}
	if err != nil {
		return nil, csvError(err, 0, 0)
	}
	isHeader, guessed := o.Header == "present", o.Header == "auto" || o.Header == ""
	if guessed {
		isHeader = true
		for _, field := range first {
			if _, err := strconv.ParseFloat(strings.TrimSpace(field), 64); err == nil {
				isHeader = false
			}
		}
	}
	var names []string
	if isHeader {
		for _, field := range first {
			names = append(names, strings.TrimSpace(field))
		}
	}
	c, err := chooseColumns(names, len(first), o)
	if err != nil {
		return nil, err
	}
	t := c.start(o)
	record := first
	if isHeader {
		record, err = rows.Read()
	}
	words := 0 // labels that are no numbers
	for ; err == nil; record, err = rows.Read() {
		if err := c.add(t, rows, record, o); err != nil {
			return nil, err
		}
		if len(t.Labels) > 0 {
			if _, err := strconv.ParseFloat(t.Labels[t.Rows-1], 64); err != nil {
				words++
			}
		}
	}
	switch {
	case err != io.EOF:
		return nil, csvError(err, len(record), len(first))
	case t.Rows == 0:
		return nil, errors.New("found a header and no row")
	case guessed && !isHeader && words == 1 && t.Rows > 2:
		if _, err := strconv.ParseFloat(t.Labels[0], 64); err != nil {
			return nil, &Error{Where: "line 1", Fault: fmt.Sprintf("found the class %.40q in it alone, and numbers below: set data.header: present if this is a header, absent if not", t.Labels[0])}
		}
	}
	return t, t.reshape(o.Shape)
}

// add adds a row to t.
func (c *columns) add(t *Table, rows *csv.Reader, record []string, o Options) error {
	fail := func(i int, fault string) error {
		line, _ := rows.FieldPos(i)
		return &Error{Where: fmt.Sprintf("line %d, %s", line, c.name(i)), Fault: fault}
	}
	for _, i := range c.inputs {
		v, fault := number(record[i])
		if fault != "" {
			if _, text := strconv.ParseFloat(record[i], 64); text != nil && strings.TrimSpace(record[i]) != "" {
				fault += "; if the column is the class, name it in data.target; data.inputs leaves columns out"
			}
			return fail(i, fault)
		}
		t.Values = append(t.Values, v)
	}
	for _, i := range c.targets {
		if o.Regression {
			v, fault := number(record[i])
			if fault != "" {
				return fail(i, fault)
			}
			t.Targets = append(t.Targets, v)
			continue
		}
		l, fault := label(record[i])
		if fault != "" {
			return fail(i, fault)
		}
		t.Labels = append(t.Labels, l)
	}
	t.Rows++
	return nil
}

// csvError says what is wrong with a row of so many columns, where so many are due.
func csvError(err error, found, due int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	fault := parse.Err.Error()
	if errors.Is(parse.Err, csv.ErrFieldCount) {
		fault = fmt.Sprintf("found %d columns, %d are due as in the first row", found, due)
	}
	return &Error{Where: fmt.Sprintf("line %d", parse.Line), Fault: fault, Err: err}
}

// separator returns what separates the fields of the first line: a comma, or the semicolon
// or tab of which it has more.
func separator(r *bufio.Reader) rune {
	start, _ := r.Peek(1 << 15)
	line, _, _ := bytes.Cut(start, []byte("\n"))
	best, most := ',', bytes.Count(line, []byte(","))
	for _, other := range ";\t" {
		if n := bytes.Count(line, []byte(string(other))); n > most {
			best, most = other, n
		}
	}
	return best
}
