// Command complement runs the Complement test suite against homeservers that
// are local processes. The script `run` builds and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"hearth/complement/host"
	"hearth/complement/launch"
	"hearth/complement/suite"
)

// Exit codes besides 0.
const (
	exitRegression  = 1
	exitNotRun      = 2
	exitInterrupted = 130
)

type options struct {
	lane     suite.Lane
	hearth   string
	tests    string
	packages string
	pattern  string
	results  string
	record   bool
	jobs     int
	limit    time.Duration
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == launch.EnterCommand {
		fmt.Fprintln(os.Stderr, launch.Enter(os.Args[2]))
		os.Exit(1)
	}
	if len(os.Args) == 2 && os.Args[1] == launch.ContainerCommand {
		fmt.Fprintln(os.Stderr, launch.Container())
		os.Exit(1)
	}
	opts := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second ctrl-C ends the program at once
	code, err := run(ctx, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "complement:", err)
	}
	os.Exit(code)
}

func parse() options {
	var o options
	flag.StringVar(&o.hearth, "hearth", "", "the Hearth `binary` to test")
	flag.StringVar(&o.lane.HS1, "hs1", launch.Hearth, "`kind` of the first server: hearth or synapse")
	flag.StringVar(&o.lane.HS2, "hs2", launch.Hearth, "`kind` of the second server: hearth or synapse")
	flag.StringVar(&o.lane.RoomVersion, "room-version", suite.DefaultRoomVersion, "default room `version`: 11 or 12")
	flag.BoolVar(&o.record, "record", false, "write the outcome into the lane's results file")
	flag.StringVar(&o.tests, "tests", os.Getenv("HEARTH_COMPLEMENT_TESTS"), "`folder` of Complement's compiled test packages (default ~/.cache/hearth/complement/tests)")
	flag.StringVar(&o.packages, "packages", "", "run only these packages, `names` with commas between")
	flag.StringVar(&o.results, "results", ".", "`folder` of the results files")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "packages at a `time`")
	flag.DurationVar(&o.limit, "limit", 14*time.Minute, "longest `time` for one package")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, "usage: complement/run --hearth BINARY [options] [PATTERN]\n\nPATTERN is a Go test expression, such as 'TestRoom.*' or 'TestLogin/parallel'.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(exitNotRun)
	}
	o.pattern = flag.Arg(0)
	return o
}

// run prepares everything, runs the suite and judges it.
func run(ctx context.Context, o options) (code int, err error) {
	if err := errors.Join(o.lane.Check(), host.Check()); err != nil {
		return exitNotRun, err
	}
	folders, err := makeFolders(o.lane)
	if err != nil {
		return exitNotRun, err
	}
	unlock, err := host.Lock(folders.cache)
	if err != nil {
		return exitNotRun, err
	}
	defer unlock()
	if err := folders.clean(); err != nil {
		return exitNotRun, err
	}
	if err := host.CheckPorts(); err != nil {
		return exitNotRun, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folders.run)) }()

	resultsFile := filepath.Join(o.results, o.lane.ResultsFile())
	before, err := suite.ReadResults(resultsFile)
	if err != nil {
		return exitNotRun, err
	}
	if o.tests == "" {
		o.tests = filepath.Join(folders.cache, "tests")
	}
	packages, err := choose(o)
	if err != nil {
		return exitNotRun, err
	}
	launcher, err := newLauncher(ctx, o, folders)
	if err != nil {
		return exitNotRun, err
	}

	for _, kind := range o.lane.Kinds() {
		if err := suite.Probe(ctx, launcher, kind, folders.run); err != nil {
			return exitNotRun, err
		}
	}

	began := time.Now()
	r := suite.Run{
		Lane: o.lane, Launcher: launcher, Tests: o.tests, Folder: folders.run, Output: folders.output,
		Pattern: o.pattern, Jobs: o.jobs, Limit: o.limit, Stall: 3 * time.Minute, Print: os.Stdout,
	}
	now, failure := r.Do(ctx, packages)
	if ctx.Err() != nil {
		return exitInterrupted, errors.New("interrupted; nothing is recorded")
	}
	scope := suite.ScopeOf(o.chosen(), o.pattern)
	changes := suite.Changes(before, now, scope)
	if before == nil {
		changes = nil
	}
	suite.PrintSummary(os.Stdout, now, changes)
	fmt.Printf("took %s; full output in %s\n", time.Since(began).Round(time.Second), folders.output)

	if o.record {
		return verdict(failure, nil), errors.Join(failure, suite.Updated(before, now, scope).Write(resultsFile))
	}
	if before == nil {
		fmt.Printf("nothing is recorded in %s yet: --record writes it\n", resultsFile)
	}
	return verdict(failure, changes), failure
}

func verdict(failure error, changes []suite.Change) int {
	if failure != nil || slices.ContainsFunc(changes, suite.Change.Regression) {
		return exitRegression
	}
	return 0
}

// folders below the user's cache.
type folders struct {
	cache  string
	run    string // exists only while running
	output string // full output of the last run of the lane
}

func makeFolders(lane suite.Lane) (folders, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return folders{}, err
	}
	cache := filepath.Join(user, "hearth", "complement")
	f := folders{cache, filepath.Join(cache, "run"), filepath.Join(cache, "output", lane.Name())}
	return f, os.MkdirAll(f.output, 0o755)
}

// clean removes what an interrupted run has left. The caller holds the lock.
func (f folders) clean() error {
	if killed := host.KillLeftovers(f.run); killed > 0 {
		fmt.Printf("ended %d processes that an interrupted run had left behind\n", killed)
	}
	if err := os.RemoveAll(f.run); err != nil {
		return err
	}
	return os.MkdirAll(f.run, 0o755)
}

// chosen lists the packages asked for, nil for all.
func (o options) chosen() []string {
	if o.packages == "" {
		return nil
	}
	return strings.Split(o.packages, ",")
}

// choose lists the packages to run.
func choose(o options) ([]string, error) {
	all, err := suite.Packages(o.tests)
	wanted := o.chosen()
	if err != nil || wanted == nil {
		return all, err
	}
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("no package %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	return wanted, nil
}

func newLauncher(ctx context.Context, o options, f folders) (launch.Launcher, error) {
	l := launch.Launcher{RoomVersion: o.lane.RoomVersion, RunFolder: f.run}
	var err error
	if o.lane.Uses(launch.Hearth) {
		if l.HearthBinary, err = host.Executable(o.hearth); err != nil {
			return l, err
		}
	}
	if o.lane.Uses(launch.Synapse) {
		folder := filepath.Join(filepath.Dir(f.cache), "synapse")
		if l.SynapsePython, err = launch.InstallSynapse(ctx, folder); err != nil {
			return l, err
		}
	}
	if host.AppservicePortTaken() {
		fmt.Println("warning: something listens on port 9000, where appservice tests expect nobody")
	}
	return l, nil
}
