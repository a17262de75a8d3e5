package shim

import (
	"errors"
	"fmt"
	"net"
	"net/http"
)

// Serve answers on a unix socket until stop is called, which ends all of the
// engine's processes too.
func Serve(e *Engine, socket string) (stop func() error, err error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("docker socket: %w", err)
	}
	server := &http.Server{Handler: e.Handler()}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	return func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return errors.Join(err, e.Close())
	}, nil
}
