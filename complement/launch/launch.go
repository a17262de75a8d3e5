// Package launch starts homeservers as local processes: each in a mount
// namespace of its own, where /etc/hosts and /etc/resolv.conf show the network
// that the server belongs to.
//
// It happens in two steps. Outside, Launcher.Start writes the order down and
// starts this very program again in a new namespace. Inside, Enter mounts,
// issues the certificate, writes the configuration and becomes the server.
package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"hearth/complement/shim"
)

// Kinds of homeserver; they serve as the names of Complement's base images.
const (
	Hearth  = "hearth"
	Synapse = "synapse"
)

// EnterCommand is the argument that makes this program call Enter.
const EnterCommand = "enter-namespace"

// Mark is in the environment of every process of a run that works in folder,
// so that a later run can tell which processes an interrupted one has left.
func Mark(folder string) string { return "COMPLEMENT_RUN_FOLDER=" + folder }

// Launcher implements shim.Launcher.
type Launcher struct {
	HearthBinary  string
	SynapsePython string // interpreter of the environment that Synapse lives in
	RoomVersion   string
	RunFolder     string // goes into the mark of each process
}

// Knows implements shim.Launcher.
func (l Launcher) Knows(image string) bool { return image == Hearth || image == Synapse }

// order is what Enter reads.
type order struct {
	Launcher
	shim.Homeserver
	Root string // folder that holds Complement's files, as "complement"
}

// Paths inside a server's folder.
func (o order) data() string        { return filepath.Join(o.Dir, "data") }
func (o order) complement() string  { return filepath.Join(o.Root, "complement") }
func (o order) authority() string   { return filepath.Join(o.complement(), "ca", "ca.crt") }
func (o order) config() string      { return filepath.Join(o.Dir, "config") }
func (o order) certificate() string { return filepath.Join(o.Dir, "server.crt") }
func (o order) privateKey() string  { return filepath.Join(o.Dir, "server.key") }
func (o order) hostsFile() string   { return filepath.Join(o.Dir, "hosts") }
func (o order) resolvConf() string  { return filepath.Join(o.Dir, "resolv.conf") }

// Start implements shim.Launcher.
func (l Launcher) Start(hs shim.Homeserver) (shim.Process, error) {
	o := order{l, hs, filepath.Join(hs.Dir, "root")}
	written, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	orderFile := filepath.Join(o.Dir, "order.json")
	for name, content := range map[string]string{
		orderFile:      string(written),
		o.hostsFile():  o.Hosts,
		o.resolvConf(): "nameserver " + o.DNS + "\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(filepath.Join(o.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own copy
	// Not by its path: a build may have put another program there meanwhile.
	cmd := exec.Command("/proc/self/exe", EnterCommand, orderFile)
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.Dir, log, log
	cmd.Env = o.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return StartGroup(cmd)
}

// environment holds nothing of the caller's: a HEARTH_ variable of somebody's
// shell would otherwise change the configuration under test.
func (o order) environment() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + o.data(),
		"LANG=C.UTF-8",
		"RUST_BACKTRACE=1",
		Mark(o.RunFolder),
	}, o.Env...)
}

// Enter does the inner step and returns only if it fails.
func Enter(orderFile string) error {
	written, err := os.ReadFile(orderFile)
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(written, &o); err != nil {
		return fmt.Errorf("%s: %w", orderFile, err)
	}
	for from, to := range map[string]string{
		o.hostsFile():  "/etc/hosts",
		o.resolvConf(): "/etc/resolv.conf",
	} {
		if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount over %s: %w", to, err)
		}
	}
	return o.become(os.Environ())
}

// become turns this process into the server, and returns only if that fails.
func (o order) become(env []string) error {
	if err := o.issueCertificate(); err != nil {
		return fmt.Errorf("certificate for %s: %w", o.Name, err)
	}
	argv, err := o.prepare()
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", argv[0], syscall.Exec(argv[0], argv, env))
}

// prepare writes the configuration and says which program reads it.
func (o order) prepare() (argv []string, err error) {
	switch o.Image {
	case Hearth:
		return o.prepareHearth()
	case Synapse:
		return o.prepareSynapse()
	}
	return nil, fmt.Errorf("no such kind of homeserver: %s", o.Image)
}

// forks receives every start of a process. The kernel ties "kill me when my
// parent is gone" to the thread that forked, hence one thread that never ends.
var forks = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for fork := range forks {
			fork()
		}
	}()
}

// Group is a process with its descendants.
type Group struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// StartGroup starts cmd in a process group that dies with this program.
func StartGroup(cmd *exec.Cmd) (*Group, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	forks <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	g := &Group{cmd, make(chan struct{})}
	go func() {
		cmd.Wait() // what counts is the exit code
		close(g.done)
	}()
	return g, nil
}

// Signal implements shim.Process.
func (g *Group) Signal(sig syscall.Signal) {
	select {
	case <-g.done: // the number may belong to somebody else by now
	default:
		syscall.Kill(-g.cmd.Process.Pid, sig)
	}
}

// Done implements shim.Process.
func (g *Group) Done() <-chan struct{} { return g.done }

// ExitCode implements shim.Process; -1 when a signal ended the process.
func (g *Group) ExitCode() int { return g.cmd.ProcessState.ExitCode() }
