// Package shim answers the part of the Docker Engine API that Complement uses,
// on a unix socket. Every "container" is a homeserver that a Launcher starts as
// a local process on a loopback address of its own.
package shim

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Homeserver is what a Launcher needs to know to start one process.
type Homeserver struct {
	Image   string   // base image: names the kind of server
	Name    string   // server name, "hs1"
	Address string   // loopback address to bind
	Hosts   string   // content for /etc/hosts
	DNS     string   // address of the resolver that knows the same names
	Dir     string   // data/, root/ (files Complement copied in) and log
	Env     []string // what Complement set, "NAME=value"
}

// Process is a started homeserver.
type Process interface {
	// Signal reaches the process and its children; after the end it does nothing.
	Signal(syscall.Signal)
	// Done is closed once the process has ended.
	Done() <-chan struct{}
	// ExitCode is valid after Done.
	ExitCode() int
}

// Launcher starts homeservers.
type Launcher interface {
	// Knows tells whether image is a base image that Start understands.
	Knows(image string) bool
	Start(Homeserver) (Process, error)
}

// Engine holds the networks, images and containers of one test package.
type Engine struct {
	dir      string
	launcher Launcher
	subnets  *Subnets

	mu         sync.Mutex
	networks   map[string]*network
	images     map[string]*image
	containers map[string]*container
}

// NewEngine keeps everything below dir, which it owns.
func NewEngine(dir string, launcher Launcher, subnets *Subnets) *Engine {
	return &Engine{
		dir: dir, launcher: launcher, subnets: subnets,
		networks:   map[string]*network{},
		images:     map[string]*image{},
		containers: map[string]*container{},
	}
}

// Close ends every process and forgets everything.
func (e *Engine) Close() error {
	e.mu.Lock()
	containers, networks := e.containers, e.networks
	e.containers, e.networks, e.images = map[string]*container{}, map[string]*network{}, map[string]*image{}
	e.mu.Unlock()
	for _, c := range containers {
		c.stop(syscall.SIGKILL, time.Second)
		c.ports.Close()
	}
	for _, n := range networks {
		n.close(e.subnets)
	}
	return os.RemoveAll(e.dir)
}

func (e *Engine) path(kind, id string) string {
	return filepath.Join(e.dir, kind, id[:12])
}

// apiError carries the status that Docker would answer with.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

func statusOf(err error) int {
	var api *apiError
	if errors.As(err, &api) {
		return api.status
	}
	return 500
}

func newID() string {
	var b [32]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

func merged(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
