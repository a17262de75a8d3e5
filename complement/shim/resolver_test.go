package shim

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
)

func TestTheResolverKnowsTheNetworkAndNothingElse(t *testing.T) {
	conn, err := resolve("127.0.0.1:0", map[string]string{"hs1": "127.11.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}

	addresses, err := resolver.LookupHost(t.Context(), "HS1.")
	if err != nil || len(addresses) != 1 || addresses[0] != "127.11.0.1" {
		t.Errorf("hs1: %v, %v", addresses, err)
	}
	var missing *net.DNSError
	if _, _, err := resolver.LookupSRV(t.Context(), "matrix-fed", "tcp", "hs1"); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("SRV: %v", err)
	}
	if _, err := resolver.LookupHost(t.Context(), "example.org."); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("example.org: %v", err)
	}
}

func TestBrokenQueriesGetNoAnswer(t *testing.T) {
	query := append(bytes.Repeat([]byte{0}, headerLen), 3, 'h', 's', '1', 0, 0, 1, 0, 1)
	if answer(query, nil) == nil {
		t.Fatal("the whole query gets no answer")
	}
	for n := range query {
		if answer(query[:n], nil) != nil {
			t.Errorf("the first %d bytes get an answer", n)
		}
	}
	response := append([]byte{}, query...)
	response[2] |= 0x80
	if answer(response, nil) != nil {
		t.Error("a response gets an answer")
	}
}
