package suite

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestResultsAreWrittenSortedAndReadBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.jsonl")
	results := Results{
		{"tests", "TestA"}:          Pass,
		{"csapi", "TestB/a_<b>"}:    Fail,
		{"csapi", "TestB"}:          Fail,
		{"csapi", "TestA"}:          Skip,
		{"csapi", "TestB/\"quoted"}: Pass,
	}
	if err := results.Write(file); err != nil {
		t.Fatal(err)
	}
	want := `{"Package":"csapi","Test":"TestA","Action":"skip"}
{"Package":"csapi","Test":"TestB","Action":"fail"}
{"Package":"csapi","Test":"TestB/\"quoted","Action":"pass"}
{"Package":"csapi","Test":"TestB/a_<b>","Action":"fail"}
{"Package":"tests","Test":"TestA","Action":"pass"}
`
	if got, _ := os.ReadFile(file); string(got) != want {
		t.Errorf("written:\n%s", got)
	}
	if got, err := ReadResults(file); err != nil || !reflect.DeepEqual(got, results) {
		t.Errorf("read %v, %v", got, err)
	}
}

func TestNothingRecordedIsNoError(t *testing.T) {
	if results, err := ReadResults(filepath.Join(t.TempDir(), "none")); results != nil || err != nil {
		t.Errorf("%v, %v", results, err)
	}
}

func TestOnlyWhatPassedBeforeCanRegress(t *testing.T) {
	for _, c := range []struct {
		before, now string
		regression  bool
	}{
		{Pass, Fail, true}, {Pass, Skip, true}, {Pass, "", true},
		{Fail, Pass, false}, {Fail, Skip, false}, {Skip, Fail, false}, {"", Fail, false}, {"", Pass, false},
	} {
		if got := (Change{Before: c.before, Now: c.now}).Regression(); got != c.regression {
			t.Errorf("%q -> %q: %v", c.before, c.now, got)
		}
	}
}

var recorded = Results{
	{"csapi", "TestA"}: Pass, {"csapi", "TestA/one"}: Pass, {"csapi", "TestA/two"}: Pass,
	{"csapi", "TestB"}: Pass, {"tests", "TestC"}: Fail,
}

func TestAMissingRowCountsWhereTheRunShouldHaveHadIt(t *testing.T) {
	now := Results{{"csapi", "TestA"}: Fail, {"csapi", "TestA/one"}: Pass}
	for pattern, want := range map[string][]Change{
		"": {
			{Test{"csapi", "TestA"}, Pass, Fail},
			{Test{"csapi", "TestA/two"}, Pass, ""},
			{Test{"csapi", "TestB"}, Pass, ""},
		},
		"TestA": {
			{Test{"csapi", "TestA"}, Pass, Fail},
			{Test{"csapi", "TestA/two"}, Pass, ""},
		},
		"TestA/one": {
			{Test{"csapi", "TestA"}, Pass, Fail},
		},
	} {
		if got := Changes(recorded, now, ScopeOf([]string{"csapi"}, pattern)); !reflect.DeepEqual(got, want) {
			t.Errorf("pattern %q: %v, want %v", pattern, got, want)
		}
	}
}

func TestAPackageThatIsMissingInAFullRunRegresses(t *testing.T) {
	now := Results{{"tests", "TestC"}: Fail}
	for _, c := range Changes(recorded, now, ScopeOf(nil, "")) {
		if c.Package != "csapi" || !c.Regression() {
			t.Errorf("%v", c)
		}
	}
	if changes := Changes(recorded, now, ScopeOf(nil, "")); len(changes) != 4 {
		t.Errorf("%d changes", len(changes))
	}
}

func TestRecordingAPartKeepsTheRest(t *testing.T) {
	now := Results{{"csapi", "TestA"}: Pass, {"csapi", "TestA/three"}: Pass}
	want := Results{
		{"csapi", "TestA"}: Pass, {"csapi", "TestA/three"}: Pass,
		{"csapi", "TestB"}: Pass, {"tests", "TestC"}: Fail,
	}
	if got := Updated(recorded, now, ScopeOf([]string{"csapi"}, "TestA")); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheSummaryCountsTestsAndRows(t *testing.T) {
	var b bytes.Buffer
	PrintSummary(&b, Results{
		{"csapi", "TestA"}: Pass, {"csapi", "TestA/one"}: Skip, {"tests", "TestC"}: Fail,
	}, []Change{{Test{"csapi", "TestA"}, Fail, Pass}, {Test{"tests", "TestC"}, Pass, Fail}})
	for _, want := range []string{
		"rows: 1 passed, 1 failed, 1 skipped\n",
		"Passes now, did not before (1):\n  csapi TestA: fail -> pass\n",
		"PASSED BEFORE, DOES NOT NOW (1):\n  tests TestC: pass -> fail\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestEachLaneHasItsFile(t *testing.T) {
	for file, lane := range map[string]Lane{
		"results.jsonl":                 {"hearth", "hearth", "11"},
		"results-v12.jsonl":             {"hearth", "hearth", "12"},
		"results-hs2-synapse.jsonl":     {"hearth", "synapse", "11"},
		"results-v12-hs1-synapse.jsonl": {"synapse", "hearth", "12"},
	} {
		if got := lane.ResultsFile(); got != file {
			t.Errorf("%v: %s, want %s", lane, got, file)
		}
		if err := lane.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, lane := range []Lane{{"dendrite", "hearth", "11"}, {"hearth", "hearth", "9"}} {
		if lane.Check() == nil {
			t.Errorf("%v is accepted", lane)
		}
	}
}
