package shim

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// forwards publish a server's ports on 127.0.0.1, by container port. They
// outlive a stop and start of the server, so its published ports never change.
type forwards map[int]net.Listener

func forward(address string, ports []int) (forwards, error) {
	f := forwards{}
	for _, port := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			f.Close()
			return nil, err
		}
		f[port] = l
		go accept(l, fmt.Sprintf("%s:%d", address, port))
	}
	return f, nil
}

func (f forwards) published(port int) int { return f[port].Addr().(*net.TCPAddr).Port }

func (f forwards) Close() {
	for _, l := range f {
		l.Close()
	}
}

func accept(l net.Listener, target string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			defer server.Close()
			join(client.(*net.TCPConn), server.(*net.TCPConn))
		}()
	}
}

// join copies both ways until both sides have said all they had to say.
func join(a, b *net.TCPConn) {
	var wg sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{a, b}, {b, a}} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := io.Copy(way[0], way[1])
			if err != nil { // one side is gone: do not wait for the other
				a.Close()
				b.Close()
				return
			}
			way[0].CloseWrite()
		}()
	}
	wg.Wait()
}
