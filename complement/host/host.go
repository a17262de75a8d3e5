// Package host checks that a run can work on this machine, that it is the only
// one, and that an interrupted one has left nothing behind.
package host

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"hearth/complement/launch"
	"hearth/complement/shim"
)

// Check says what is missing on this machine, and what to do about it.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed (every homeserver gets a mount namespace of its own): run it with sudo")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("no Go found: install Go 1.24 or newer and put it into PATH")
	}
	for _, file := range []string{"/etc/hosts", "/etc/resolv.conf"} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%s must exist, because each homeserver sees another file in its place: create an empty one", file)
		}
	}
	return nil
}

// CheckPorts says which port that the servers need is taken. Ask after Lock and
// KillLeftovers: what those deal with takes ports too.
func CheckPorts() error {
	for _, port := range []string{"8008", "8448"} {
		l, err := net.Listen("tcp", net.JoinHostPort(shim.FirstServerAddress(), port))
		if err != nil {
			return fmt.Errorf("port %s is in use: stop the program that listens on it on all addresses (`ss -ltnp sport = :%s` names it): %w", port, port, err)
		}
		l.Close()
	}
	l, err := net.ListenPacket("udp4", net.JoinHostPort(shim.FirstResolverAddress(), "53"))
	if err != nil {
		return fmt.Errorf("UDP port 53 is in use: stop the name server that listens on it on all addresses (`ss -lunp sport = :53` names it), or bind it to one address: %w", err)
	}
	return l.Close()
}

// AppservicePortTaken tells whether something listens where an appservice test
// expects nobody.
func AppservicePortTaken() bool {
	conn, err := net.Dial("tcp", "127.0.0.1:9000")
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Executable makes path absolute, if a program is there.
func Executable(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("no Hearth binary at %q: build it (cargo build --release) and name it with --hearth", path)
	}
	return filepath.Abs(path)
}

// Lock makes sure that folder belongs to one run. It ends with the process.
func Lock(folder string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.Name())
		f.Close()
		return nil, fmt.Errorf("another Complement run is active (process %s): wait for it, or end it with `kill %[1]s`", bytes.TrimSpace(holder))
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	fmt.Fprintln(f, os.Getpid())
	return func() { f.Close() }, nil
}

// KillLeftovers ends the processes of former runs in folder, and says how many
// there were. Only processes that carry this run folder's mark are touched.
func KillLeftovers(folder string) int {
	mark := []byte(launch.Mark(folder))
	environs, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is valid
	killed := 0
	for _, file := range environs {
		environ, err := os.ReadFile(file)
		if err != nil { // it has ended meanwhile
			continue
		}
		if !contains(bytes.Split(environ, []byte{0}), mark) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err == nil && pid != os.Getpid() && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

func contains(all [][]byte, one []byte) bool {
	for _, item := range all {
		if bytes.Equal(item, one) {
			return true
		}
	}
	return false
}
