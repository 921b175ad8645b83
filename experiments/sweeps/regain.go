package sweeps

import "fmt"

// known returns how many trials results.csv in the folder dir knows the end of, other than as failed, 0 where there
// is none that can be read.
func known(dir string) (n int) {
	r, err := ReadResults(dir)
	if err != nil {
		return 0
	}
	for _, row := range r.Rows {
		if ended(State(row[r.Column("state")])) {
			n++
		}
	}
	return n
}

// ended reports whether a state is the end of a trial that nobody takes back.
func ended(s State) bool { return s == Completed || s == Terminated || s == Diverged }

// regains reports whether the table knows less than results.csv did when the sweep was opened, as its work queue
// is another one. Until it knows as much, from the folders of the trials, results.csv is left as it is.
func (c *coordinator) regains() bool { return c.endedTrials() < c.known && !c.over() }

func (c *coordinator) endedTrials() (n int) {
	for _, row := range c.table.Rows {
		if ended(row.State()) {
			n++
		}
	}
	return n
}

// noteRegaining says what is missing in the work queue.
func (c *coordinator) noteRegaining() {
	if n := c.endedTrials(); n < c.known {
		c.options.Observe(Event{Table: c.table, Note: fmt.Sprintf("note: the work queue knows %d of the %d trials that %s has the results of; the others are read again from their folders, or run again where those are not here",
			n, c.known, csvName)})
	}
}
