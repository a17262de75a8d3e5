package shim

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

const (
	firstSubnet = 11
	lastSubnet  = 250
	// MaxServers is how many names (hs1, hs2, ...) a network knows.
	MaxServers = 9
)

// Subnets hands out 127.k.0.0/24 networks to all engines of one run.
type Subnets struct {
	mu   sync.Mutex
	used [lastSubnet + 1]bool
}

func (s *Subnets) take() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := firstSubnet; k <= lastSubnet; k++ {
		if !s.used[k] {
			s.used[k] = true
			return k, nil
		}
	}
	return 0, errors.New("all loopback subnets are in use")
}

func (s *Subnets) release(k int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[k] = false
}

// ResolverAddress is where the name server of a subnet listens.
func ResolverAddress(subnet int) string { return fmt.Sprintf("127.%d.0.53", subnet) }

// FirstServerAddress is where hs1 of the first network listens.
func FirstServerAddress() string { return serverAddress(firstSubnet, 1) }

// FirstResolverAddress is the name server's address in the first network.
func FirstResolverAddress() string { return ResolverAddress(firstSubnet) }

func serverAddress(subnet, number int) string { return fmt.Sprintf("127.%d.0.%d", subnet, number) }

type network struct {
	id, name string
	labels   map[string]string
	subnet   int
	resolver net.PacketConn
}

// names are all that exist in a network, with their addresses.
func (n *network) names() map[string]string {
	names := map[string]string{"localhost": "127.0.0.1", "host.docker.internal": "127.0.0.1"}
	for i := 1; i <= MaxServers; i++ {
		names[fmt.Sprintf("hs%d", i)] = serverAddress(n.subnet, i)
	}
	return names
}

func (n *network) hosts() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost host.docker.internal\n")
	for i := 1; i <= MaxServers; i++ {
		fmt.Fprintf(&b, "%s hs%d\n", serverAddress(n.subnet, i), i)
	}
	return b.String()
}

func (n *network) close(subnets *Subnets) {
	n.resolver.Close()
	subnets.release(n.subnet)
}

func (e *Engine) createNetwork(name string, labels map[string]string) (*network, error) {
	subnet, err := e.subnets.take()
	if err != nil {
		return nil, err
	}
	n := &network{id: newID(), name: name, labels: labels, subnet: subnet}
	n.resolver, err = resolve(ResolverAddress(subnet)+":53", n.names())
	if err != nil {
		e.subnets.release(subnet)
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks[n.id] = n
	return n, nil
}

// networkNamed finds by name or id, as Docker does. The caller holds the lock.
func (e *Engine) networkNamed(ref string) (*network, error) {
	if n := e.networks[ref]; n != nil {
		return n, nil
	}
	for _, n := range e.networks {
		if n.name == ref {
			return n, nil
		}
	}
	return nil, &apiError{404, "network " + ref + " not found"}
}

// deleteNetwork refuses while a container runs in it: Complement deletes all
// networks of a package whenever it constructs a blueprint, and relies on that.
func (e *Engine) deleteNetwork(ref string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, err := e.networkNamed(ref)
	if err != nil {
		return err
	}
	for _, c := range e.containers {
		if c.network == n && c.running() {
			return &apiError{403, "network " + n.name + " has active endpoints"}
		}
	}
	delete(e.networks, n.id)
	n.close(e.subnets)
	return nil
}
