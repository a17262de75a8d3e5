package shim

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The only ports that Complement asks for.
var servedPorts = []int{8008, 8448}

var serverName = regexp.MustCompile(`^hs([1-9])$`)

type container struct {
	id, name string
	base     string
	alias    string // server name
	address  string
	dir      string
	labels   map[string]string
	env      []string
	network  *network
	ports    forwards

	mu   sync.Mutex
	proc Process // nil before the first start
}

// creation is the part of Docker's request body that matters here.
type creation struct {
	Image            string
	Env              []string
	Labels           map[string]string
	HostConfig       struct{ Mounts []struct{ Source string } }
	NetworkingConfig struct {
		EndpointsConfig map[string]struct{ Aliases []string }
	}
}

// endpoint is the one network and the one alias that Complement gives.
func (c creation) endpoint() (network, alias string, err error) {
	for name, endpoint := range c.NetworkingConfig.EndpointsConfig {
		if len(endpoint.Aliases) == 1 && len(c.NetworkingConfig.EndpointsConfig) == 1 {
			return name, endpoint.Aliases[0], nil
		}
	}
	return "", "", &apiError{400, "exactly one network with one alias is supported"}
}

func (e *Engine) createContainer(name string, req creation) (*container, error) {
	networkName, alias, err := req.endpoint()
	if err != nil {
		return nil, err
	}
	number := serverName.FindStringSubmatch(alias)
	if number == nil {
		return nil, &apiError{400, "server names are hs1 to hs9, not " + alias}
	}
	if len(req.HostConfig.Mounts) > 0 {
		return nil, &apiError{400, "host mounts are not supported"}
	}

	c := &container{id: newID(), name: name, alias: alias, env: req.Env}
	c.dir = e.path("containers", c.id)
	e.mu.Lock()
	c.network, err = e.networkNamed(networkName)
	img := e.images[req.Image]
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(number[1])
	c.address = serverAddress(c.network.subnet, n)

	if err := os.MkdirAll(filepath.Join(c.dir, "root"), 0o755); err != nil {
		return nil, err
	}
	switch {
	case img != nil:
		c.base, c.labels = img.base, merged(img.labels, req.Labels)
		err = copyFolder(img.data, c.dataDir())
	case e.launcher.Knows(req.Image):
		c.base, c.labels = req.Image, merged(req.Labels)
		err = os.Mkdir(c.dataDir(), 0o755)
	default:
		err = &apiError{404, "no such image: " + req.Image}
	}
	if err == nil {
		c.ports, err = forward(c.address, servedPorts)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[c.id] = c
	return c, nil
}

func (e *Engine) container(id string) (*container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.containers[id]; c != nil {
		return c, nil
	}
	return nil, &apiError{404, "no such container: " + id}
}

func (e *Engine) removeContainer(c *container) error {
	e.mu.Lock()
	delete(e.containers, c.id)
	e.mu.Unlock()
	c.stop(syscall.SIGKILL, time.Second)
	c.ports.Close()
	return os.RemoveAll(c.dir)
}

func (c *container) dataDir() string { return filepath.Join(c.dir, "data") }
func (c *container) logFile() string { return filepath.Join(c.dir, "log") }

func (c *container) process() Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proc
}

func (c *container) running() bool {
	p := c.process()
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

func (c *container) start(launcher Launcher) error {
	if c.running() {
		return nil // Docker answers 304; Complement never asks
	}
	p, err := launcher.Start(Homeserver{
		Image: c.base, Name: c.alias, Address: c.address,
		Hosts: c.network.hosts(), DNS: ResolverAddress(c.network.subnet),
		Dir: c.dir, Env: c.env,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proc = p
	return nil
}

// stop sends sig, waits, and kills what is still there after the grace period.
func (c *container) stop(sig syscall.Signal, grace time.Duration) {
	p := c.process()
	if p == nil || !c.running() {
		return
	}
	p.Signal(sig)
	select {
	case <-p.Done():
	case <-time.After(grace):
		p.Signal(syscall.SIGKILL)
		<-p.Done()
	}
}

func (c *container) signal(sig syscall.Signal) {
	if p := c.process(); p != nil {
		p.Signal(sig)
	}
}

// extract puts the files of a tar stream where the server will find them.
func (c *container) extract(under string, archive io.Reader) error {
	root := filepath.Join(c.dir, "root", filepath.Clean("/"+under))
	for tr := tar.NewReader(archive); ; {
		header, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &apiError{400, "bad archive: " + err.Error()}
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		file := filepath.Join(root, filepath.Clean("/"+header.Name))
		if err := writeFile(file, tr); err != nil {
			return err
		}
	}
}

func writeFile(name string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

func copyFolder(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := exec.Command("cp", "-a", "--reflink=auto", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
}
