package suite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hearth/complement/launch"
)

// process runs a package's test program, as often as needed.
type process struct {
	run       *Run
	name      string
	folder    string
	socket    string
	output    io.Writer
	collector *collector
}

// once runs all tests that have no outcome yet. An error says why the program
// did not come to its regular end.
func (p *process) once(ctx context.Context) error {
	tests, err := p.start()
	if err != nil {
		return err
	}
	stalled := p.watch(ctx, tests)
	cut := p.collector.endProcess()
	switch code := tests.ExitCode(); {
	case stalled:
		return fmt.Errorf("no output for %s, killed", p.run.Stall)
	case code < 0 || code > 1: // a panic ends with 2
		return fmt.Errorf("the test program crashed (exit code %d)", code)
	case cut > 0:
		return fmt.Errorf("the test program left with %d tests unfinished", cut)
	}
	return nil
}

// started is a test program whose events come through test2json.
type started struct {
	*launch.Group
	convert *launch.Group
	events  *os.File
}

func (p *process) start() (*started, error) {
	args := []string{
		"-test.v=test2json",
		"-test.timeout=0", // the runner keeps the time
		"-test.run=" + p.run.Pattern,
	}
	if seen := p.collector.seen(); len(seen) > 0 {
		args = append(args, "-test.skip="+skipping(seen))
	}
	program, err := filepath.Abs(filepath.Join(p.run.Tests, p.name+testFile))
	if err != nil {
		return nil, err
	}
	plain, plainIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	defer plainIn.Close()
	events, eventsIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer eventsIn.Close()

	tests := exec.Command(program, args...)
	tests.Dir, tests.Env = p.folder, p.environment()
	tests.Stdout, tests.Stderr = plainIn, plainIn
	convert := exec.Command("go", "tool", "test2json", "-t")
	convert.Dir = p.folder
	convert.Stdin, convert.Stdout = plain, eventsIn

	s := &started{events: events}
	if s.convert, err = launch.StartGroup(convert); err != nil {
		events.Close()
		return nil, err
	}
	if s.Group, err = launch.StartGroup(tests); err != nil {
		s.convert.Signal(syscall.SIGKILL)
		events.Close()
		return nil, err
	}
	return s, nil
}

// environment is the caller's without what would change the suite's meaning.
func (p *process) environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		switch name, _, _ := strings.Cut(entry, "="); {
		case strings.HasPrefix(name, "COMPLEMENT_"), strings.HasPrefix(name, "DOCKER_"), name == "TMPDIR":
		default:
			env = append(env, entry)
		}
	}
	env = append(env,
		"DOCKER_HOST=unix://"+p.socket,
		// Complement keeps its certificate in a file of a fixed name there.
		"TMPDIR="+filepath.Join(p.folder, "tmp"),
		"COMPLEMENT_ENABLE_DIRTY_RUNS=1",
		"COMPLEMENT_SPAWN_HS_TIMEOUT_SECS=60",
		launch.Mark(p.run.Folder),
	)
	return append(env, p.run.Lane.environment()...)
}

// watch reads all events, and kills the program when its time is over or when
// nothing has come for too long. It returns after the end of the program.
func (p *process) watch(ctx context.Context, s *started) (stalled bool) {
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		defer s.events.Close()
		r := bufio.NewReader(s.events)
		for {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	timer := time.NewTimer(p.run.Stall)
	defer timer.Stop()
	over := ctx.Done()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				<-s.Done()
				<-s.convert.Done()
				return stalled
			}
			timer.Reset(p.run.Stall)
			p.report(p.collector.add(line))
		case <-timer.C:
			stalled = true
			s.Signal(syscall.SIGKILL)
		case <-over:
			over = nil
			s.Signal(syscall.SIGKILL)
		}
	}
}

// report keeps all output in the package's file, and shows each top-level end.
func (p *process) report(e event) {
	switch e.Action {
	case "output":
		io.WriteString(p.output, e.Output)
	case Pass, Fail, Skip:
		if e.Test != "" && !strings.Contains(e.Test, "/") {
			fmt.Fprintf(p.run.Print, "%-8s %s %s (%.1fs)\n", p.name, e.Action, e.Test, e.Elapsed)
		}
	}
}
