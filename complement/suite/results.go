package suite

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Outcomes of a test.
const (
	Pass = "pass"
	Fail = "fail"
	Skip = "skip"
)

// Test names a test or subtest.
type Test struct{ Package, Name string }

// Top is the test itself for a top-level test, else the one it belongs to.
func (t Test) Top() Test {
	name, _, _ := strings.Cut(t.Name, "/")
	return Test{t.Package, name}
}

// Results are outcomes by test.
type Results map[Test]string

// row is a line of a results file.
type row struct{ Package, Test, Action string }

// ReadResults returns nil, and no error, where nothing is recorded yet.
func ReadResults(file string) (Results, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	results := Results{}
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return results, lines.Err()
		}
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		results[Test{r.Package, r.Test}] = r.Action
	}
}

// Write puts one row per test into file, sorted.
func (r Results) Write(file string) error {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, t := range r.sorted() {
		if err := encoder.Encode(row{t.Package, t.Name, r[t]}); err != nil {
			return err
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

func (r Results) sorted() []Test {
	tests := make([]Test, 0, len(r))
	for t := range r {
		tests = append(tests, t)
	}
	slices.SortFunc(tests, compareTests)
	return tests
}

func compareTests(a, b Test) int {
	return cmp.Or(strings.Compare(a.Package, b.Package), strings.Compare(a.Name, b.Name))
}

// Scope is the part of the suite that a run covered.
type Scope struct {
	Packages []string // nil for all, also those whose program is missing
	All      bool     // every test of these packages
	Subtests bool     // every subtest of the tests that ran
}

// ScopeOf tells what a choice of packages (nil for all) and a pattern (a Go
// test expression) cover.
func ScopeOf(packages []string, pattern string) Scope {
	return Scope{packages, pattern == "", !strings.Contains(pattern, "/")}
}

// expects tells whether a recorded row should have come up again.
func (s Scope) expects(t Test, now Results) bool {
	if s.Packages != nil && !slices.Contains(s.Packages, t.Package) {
		return false
	}
	_, ran := now[t.Top()]
	return s.All || s.Subtests && ran
}

// Change is a difference from the recorded results. An empty outcome says that
// the row did not exist.
type Change struct {
	Test
	Before, Now string
}

// Regression tells whether something passed before and does not any more. A
// test that is skipped or gone, for example because its parent now stops
// earlier, counts: otherwise a broken set-up would look like progress.
func (c Change) Regression() bool { return c.Before == Pass && c.Now != Pass }

// Changes lists what differs between recorded results and a run, sorted.
func Changes(before, now Results, scope Scope) []Change {
	var changes []Change
	for t, outcome := range now {
		if before[t] != outcome {
			changes = append(changes, Change{t, before[t], outcome})
		}
	}
	for t, outcome := range before {
		if _, ok := now[t]; !ok && scope.expects(t, now) {
			changes = append(changes, Change{t, outcome, ""})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return compareTests(a.Test, b.Test) })
	return changes
}

// Updated is what to record after a run: its rows, and those of before that it
// did not cover.
func Updated(before, now Results, scope Scope) Results {
	all := Results{}
	for t, outcome := range before {
		if !scope.expects(t, now) {
			all[t] = outcome
		}
	}
	for t, outcome := range now {
		all[t] = outcome
	}
	return all
}
