package suite

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// tally counts outcomes.
type tally struct{ pass, fail, skip int }

func (t *tally) add(outcome string) {
	switch outcome {
	case Pass:
		t.pass++
	case Fail:
		t.fail++
	case Skip:
		t.skip++
	}
}

// PrintSummary shows the counts of each package and what has changed.
func PrintSummary(w io.Writer, results Results, changes []Change) {
	top, rows := map[string]*tally{}, map[string]*tally{}
	var totalTop, totalRows tally
	var packages []string
	for t, outcome := range results {
		if top[t.Package] == nil {
			top[t.Package], rows[t.Package] = &tally{}, &tally{}
			packages = append(packages, t.Package)
		}
		rows[t.Package].add(outcome)
		totalRows.add(outcome)
		if t.Top() == t {
			top[t.Package].add(outcome)
			totalTop.add(outcome)
		}
	}
	slices.Sort(packages)

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nTESTS\tpassed\tfailed\tskipped\tROWS\tpassed\tfailed\tskipped\t")
	line := func(name string, t, r tally) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\t%d\t%d\t%d\t\n", name, t.pass, t.fail, t.skip, r.pass, r.fail, r.skip)
	}
	for _, name := range packages {
		line(name, *top[name], *rows[name])
	}
	line("all", totalTop, totalRows)
	table.Flush()

	printChanges(w, "Passes now, did not before", changes, func(c Change) bool { return c.Now == Pass })
	printChanges(w, "Other changes", changes, func(c Change) bool { return c.Now != Pass && !c.Regression() })
	printChanges(w, "PASSED BEFORE, DOES NOT NOW", changes, Change.Regression)
	fmt.Fprintf(w, "\nrows: %d passed, %d failed, %d skipped\n", totalRows.pass, totalRows.fail, totalRows.skip)
}

func printChanges(w io.Writer, title string, changes []Change, wanted func(Change) bool) {
	var b strings.Builder
	count := 0
	for _, c := range changes {
		if wanted(c) {
			count++
			fmt.Fprintf(&b, "  %s %s: %s -> %s\n", c.Package, c.Name, orNone(c.Before), orNone(c.Now))
		}
	}
	if count > 0 {
		fmt.Fprintf(w, "\n%s (%d):\n%s", title, count, b.String())
	}
}

func orNone(outcome string) string {
	if outcome == "" {
		return "no row"
	}
	return outcome
}
