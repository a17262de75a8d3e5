package shim

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
)

const (
	headerLen  = 12
	typeA      = 1
	noError    = 0
	noSuchName = 3
)

// resolve answers name queries on a UDP address: A for the names given,
// nothing else for them, and "no such name" for all others. A server whose
// resolver ignores the hosts file, or asks for SRV records first, gets its
// answer at once instead of waiting for a name server that is out of reach.
func resolve(address string, names map[string]string) (net.PacketConn, error) {
	conn, err := net.ListenPacket("udp4", address)
	if err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answer(buf[:n], names); reply != nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return conn, nil
}

// answer is nil for what is no query with one question.
func answer(query []byte, names map[string]string) []byte {
	name, end := question(query)
	if end == 0 {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end-4:])
	reply := append([]byte{}, query[:end]...)
	code, answers := byte(noSuchName), uint16(0)
	if ip, ok := names[strings.ToLower(name)]; ok {
		code = noError
		if kind == typeA {
			answers = 1
			reply = append(reply, 0xc0, headerLen, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4)
			reply = append(reply, net.ParseIP(ip).To4()...)
		}
	}
	reply[2], reply[3] = 0x81, 0x80|code // a response, recursion desired and available
	binary.BigEndian.PutUint16(reply[4:], 1)
	binary.BigEndian.PutUint16(reply[6:], answers)
	binary.BigEndian.PutUint32(reply[8:], 0)
	return reply
}

// question is the name asked for and the offset behind the question.
func question(q []byte) (name string, end int) {
	if len(q) < headerLen || q[2]&0x80 != 0 {
		return "", 0
	}
	var labels []string
	i := headerLen
	for i < len(q) && q[i] != 0 {
		length := int(q[i])
		if length > 63 || i+1+length >= len(q) {
			return "", 0
		}
		labels = append(labels, string(q[i+1:i+1+length]))
		i += 1 + length
	}
	if i+5 > len(q) {
		return "", 0
	}
	return strings.Join(labels, "."), i + 5
}
