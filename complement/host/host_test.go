package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth/complement/launch"
)

func TestASecondRunIsRefusedAndToldWhoIsFirst(t *testing.T) {
	folder := t.TempDir()
	release, err := Lock(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(folder); err == nil || !strings.Contains(err.Error(), "kill ") {
		t.Errorf("second lock: %v", err)
	}
	release()
	release, err = Lock(folder)
	if err != nil {
		t.Fatal("after the release:", err)
	}
	release()
}

func TestOnlyProcessesWithTheMarkAreKilled(t *testing.T) {
	folder := t.TempDir()
	start := func(env string) *launch.Group {
		cmd := exec.Command("sleep", "60")
		cmd.Env = []string{env}
		g, err := launch.StartGroup(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Signal(syscall.SIGKILL); <-g.Done() })
		return g
	}
	marked, other := start(launch.Mark(folder)), start(launch.Mark(folder+"-of-another"))
	if killed := KillLeftovers(folder); killed != 1 {
		t.Errorf("killed %d", killed)
	}
	<-marked.Done()
	select {
	case <-other.Done():
		t.Error("the other one is dead too")
	default:
	}
}

func TestAMissingBinaryIsNamed(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{"", folder, filepath.Join(folder, "none")} {
		if _, err := Executable(path); err == nil || !strings.Contains(err.Error(), "--hearth") {
			t.Errorf("%q: %v", path, err)
		}
	}
	program := filepath.Join(folder, "hearth")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Executable(program); err != nil || got != program {
		t.Errorf("%q, %v", got, err)
	}
}
