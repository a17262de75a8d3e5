package shim

import (
	"fmt"
	"io"
	"net"
	"testing"
)

func TestAForwardedConnectionCanBeHalfClosed(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		said, _ := io.ReadAll(conn) // ends only when the half-close comes through
		fmt.Fprintf(conn, "got %s", said)
	}()
	port := server.Addr().(*net.TCPAddr).Port
	f, err := forward("127.0.0.1", []int{port})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.published(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "hello")
	conn.(*net.TCPConn).CloseWrite()
	if answer, err := io.ReadAll(conn); string(answer) != "got hello" {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestAConnectionToAStoppedServerIsClosed(t *testing.T) {
	f, err := forward("127.0.0.1", []int{1}) // nothing listens there
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.published(1)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if answer, err := io.ReadAll(conn); len(answer) > 0 || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}
