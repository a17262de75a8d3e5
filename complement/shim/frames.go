package shim

import (
	"encoding/binary"
	"io"
)

// stdoutFrames writes Docker's multiplexed stream: before each piece one byte
// for the stream (1 is standard output), three of zero, four for the length.
type stdoutFrames struct{ to io.Writer }

func (s stdoutFrames) Write(p []byte) (int, error) {
	header := [8]byte{0: 1}
	binary.BigEndian.PutUint32(header[4:], uint32(len(p)))
	if _, err := s.to.Write(header[:]); err != nil {
		return 0, err
	}
	return s.to.Write(p)
}
