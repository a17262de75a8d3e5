package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth/complement/shim"
)

// Run is one run of the suite.
type Run struct {
	Lane     Lane
	Launcher shim.Launcher
	Tests    string        // folder of compiled test packages, NAME.test each
	Folder   string        // for what exists only while running; marks all processes
	Output   string        // for the full output of each package
	Pattern  string        // Go test expression; empty for all
	Jobs     int           // packages at a time
	Limit    time.Duration // for each package
	Stall    time.Duration // without any output
	Print    io.Writer
}

// testFile is how the toolchain names a compiled test package.
const testFile = ".test"

// longest are started first, so that none of them is left for the end.
var longest = []string{"tests", "csapi", "msc3902"}

// Packages lists the compiled test packages in folder, in starting order.
func Packages(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*"+testFile))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no compiled Complement test packages in %s: put them there as csapi.test, tests.test, msc*.test, or name another folder with --tests (complement/README.md, \"The test packages\")", folder)
	}
	var first, rest []string
	for _, file := range files {
		rest = append(rest, strings.TrimSuffix(filepath.Base(file), testFile))
	}
	for _, name := range longest {
		if i := slices.Index(rest, name); i >= 0 {
			first, rest = append(first, name), slices.Delete(rest, i, i+1)
		}
	}
	return append(first, rest...), nil
}

// Do runs packages, several at a time. Results hold what came out even when
// there is an error: a package that could not run as a whole.
func (r *Run) Do(ctx context.Context, packages []string) (Results, error) {
	var (
		mu       sync.Mutex
		all      = Results{}
		problems []error
		subnets  shim.Subnets
		wg       sync.WaitGroup
		queue    = make(chan string)
	)
	r.Print = &lineWriter{to: r.Print}
	for range max(1, r.Jobs) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for name := range queue {
				results, err := r.pkg(ctx, name, &subnets)
				mu.Lock()
				for t, outcome := range results {
					all[t] = outcome
				}
				if err != nil {
					problems = append(problems, fmt.Errorf("package %s: %w", name, err))
				}
				mu.Unlock()
			}
		}()
	}
	for _, name := range packages {
		queue <- name
	}
	close(queue)
	wg.Wait()
	return all, errors.Join(problems...)
}

// lineWriter keeps the lines of parallel packages apart.
type lineWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// pkg runs one package with an engine of its own. A test that takes the whole
// process down, or stalls, fails; the tests after it run in a new process.
func (r *Run) pkg(ctx context.Context, name string, subnets *shim.Subnets) (results Results, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	folder := filepath.Join(r.Folder, name)
	if err := os.MkdirAll(filepath.Join(folder, "tmp"), 0o755); err != nil {
		return nil, err
	}
	engine := shim.NewEngine(filepath.Join(folder, "engine"), r.Launcher, subnets)
	socket := filepath.Join(folder, "docker.sock")
	stop, err := shim.Serve(engine, socket)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop(), os.RemoveAll(folder)) }()
	output, err := os.Create(filepath.Join(r.Output, name+".log"))
	if err != nil {
		return nil, err
	}
	defer output.Close()

	began := time.Now()
	p := process{run: r, name: name, folder: folder, socket: socket, output: output, collector: newCollector(name)}
	for {
		before := len(p.collector.seen())
		end := p.once(ctx)
		if ctx.Err() != nil {
			end = fmt.Errorf("stopped after %s: %w", time.Since(began).Round(time.Second), context.Cause(ctx))
		}
		if end == nil {
			fmt.Fprintf(r.Print, "%-8s done in %s\n", name, time.Since(began).Round(time.Second))
			return p.collector.results, nil
		}
		if ctx.Err() != nil || len(p.collector.seen()) == before {
			return p.collector.results, fmt.Errorf("%w; its output is in %s", end, output.Name())
		}
		fmt.Fprintf(r.Print, "%-8s %v; going on behind it\n", name, end)
	}
}

// skipping is an expression for exactly these top-level tests.
func skipping(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	slices.Sort(quoted)
	return "^(" + strings.Join(quoted, "|") + ")$"
}
