package suite

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearth/complement/launch"
)

// newRun has one package: a shell script that plays the test program. What
// comes behind the mark 0x16 is for test2json.
func newRun(t *testing.T, script string) (*Run, *bytes.Buffer) {
	t.Helper()
	tests, printed := t.TempDir(), &bytes.Buffer{}
	program := "#!/bin/sh\nrun() { printf '\\026=== RUN   %s\\n' $1; }\nend() { printf '\\026--- %s: %s (0.00s)\\n' $1 $2; }\nbye() { printf '\\026PASS\\n'; }\n" + script
	if err := os.WriteFile(filepath.Join(tests, "csapi.test"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	// A socket's path must be short, shorter than some names of t.TempDir.
	folder, err := os.MkdirTemp("", "suite")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return &Run{
		Lane: Lane{"hearth", "synapse", "11"}, Launcher: launch.Launcher{}, Tests: tests,
		Folder: folder, Output: t.TempDir(), Limit: time.Minute, Stall: time.Minute, Print: printed,
	}, printed
}

func TestOutcomesOfTestsAndSubtestsAreCollected(t *testing.T) {
	r, printed := newRun(t, `run TestA; run TestA/one; end PASS TestA; printf '    '; end FAIL TestA/one
run TestB; echo why; end SKIP TestB; bye; exit 1`)
	results, err := r.Do(t.Context(), []string{"csapi"})
	want := Results{{"csapi", "TestA"}: Pass, {"csapi", "TestA/one"}: Fail, {"csapi", "TestB"}: Skip}
	if err != nil || !reflect.DeepEqual(results, want) {
		t.Errorf("%v, %v", results, err)
	}
	if !strings.Contains(printed.String(), "pass TestA") || strings.Contains(printed.String(), "TestA/one") {
		t.Errorf("printed:\n%s", printed)
	}
	if log, _ := os.ReadFile(filepath.Join(r.Output, "csapi.log")); !strings.Contains(string(log), "why\n") {
		t.Errorf("log:\n%s", log)
	}
}

func TestTestsBehindACrashRunInANewProcess(t *testing.T) {
	r, _ := newRun(t, `case "$*" in
*skip*) echo "$*" > skipped; run TestC; end PASS TestC; bye; cp skipped "$(dirname "$0")" ;;
*) run TestA; end PASS TestA; run TestB; run TestB/one; echo 'panic: oh'; exit 2 ;;
esac`)
	results, err := r.Do(t.Context(), []string{"csapi"})
	want := Results{
		{"csapi", "TestA"}: Pass, {"csapi", "TestB"}: Fail, {"csapi", "TestB/one"}: Fail, {"csapi", "TestC"}: Pass,
	}
	if err != nil || !reflect.DeepEqual(results, want) {
		t.Errorf("%v, %v", results, err)
	}
	if args, _ := os.ReadFile(filepath.Join(r.Tests, "skipped")); !strings.Contains(string(args), "-test.skip=^(TestA|TestB)$") {
		t.Errorf("arguments %s", args)
	}
}

func TestAProgramThatNeverGetsToATestIsAnError(t *testing.T) {
	r, _ := newRun(t, `echo broken; exit 3`)
	results, err := r.Do(t.Context(), []string{"csapi"})
	if err == nil || !strings.Contains(err.Error(), "csapi.log") || len(results) > 0 {
		t.Errorf("%v, %v", results, err)
	}
}

func TestAStalledTestFailsAndTheRestRuns(t *testing.T) {
	r, _ := newRun(t, `case "$*" in
*skip*) run TestB; end PASS TestB; bye ;;
*) run TestA; sleep 60 ;;
esac`)
	r.Stall = 2 * time.Second
	results, err := r.Do(t.Context(), []string{"csapi"})
	want := Results{{"csapi", "TestA"}: Fail, {"csapi", "TestB"}: Pass}
	if err != nil || !reflect.DeepEqual(results, want) {
		t.Errorf("%v, %v", results, err)
	}
}

func TestAPackageOutOfTimeIsKilledAndReported(t *testing.T) {
	r, _ := newRun(t, `run TestA; while :; do echo busy; sleep 0.1; done`)
	r.Limit = 2 * time.Second
	results, err := r.Do(t.Context(), []string{"csapi"})
	if err == nil || !reflect.DeepEqual(results, Results{{"csapi", "TestA"}: Fail}) {
		t.Errorf("%v, %v", results, err)
	}
}

func TestAnInterruptedRunLeavesNothingBehind(t *testing.T) {
	r, _ := newRun(t, `run TestA; sleep 60`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := r.Do(ctx, []string{"csapi"}); err == nil {
		t.Error("no error")
	}
	if left, _ := os.ReadDir(r.Folder); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheProgramSeesTheShimAndNothingOfTheCallersSetup(t *testing.T) {
	t.Setenv("COMPLEMENT_DEBUG", "1")
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	r, _ := newRun(t, `env; run TestA; end PASS TestA; bye`)
	if _, err := r.Do(t.Context(), []string{"csapi"}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(r.Output, "csapi.log"))
	if err != nil {
		t.Fatal(err)
	}
	env := string(content)
	for _, want := range []string{
		"DOCKER_HOST=unix://" + r.Folder + "/csapi/docker.sock\n", "TMPDIR=" + r.Folder + "/csapi/tmp\n",
		"COMPLEMENT_BASE_IMAGE=hearth\n", "COMPLEMENT_BASE_IMAGE_hs1=hearth\n", "COMPLEMENT_BASE_IMAGE_hs2=synapse\n",
	} {
		if !strings.Contains(env, want) {
			t.Errorf("no %s in\n%s", want, env)
		}
	}
	if strings.Contains(env, "COMPLEMENT_DEBUG") || strings.Contains(env, "DOCKER_TLS_VERIFY") {
		t.Error("the caller's variables came through")
	}
}

func TestTheLongestPackagesStartFirst(t *testing.T) {
	folder := t.TempDir()
	if _, err := Packages(folder); err == nil {
		t.Error("an empty folder is accepted")
	}
	for _, name := range []string{"csapi", "msc1", "msc3902", "tests"} {
		if err := os.WriteFile(filepath.Join(folder, name+".test"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Packages(folder); err != nil || !reflect.DeepEqual(got, []string{"tests", "csapi", "msc3902", "msc1"}) {
		t.Errorf("%v, %v", got, err)
	}
}
