package suite

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hearth/complement/launch"
	"hearth/complement/shim"
)

// Probe starts one server of a kind and waits until it answers. Without it, a
// server that cannot start costs a minute in each of 210 tests.
func Probe(ctx context.Context, launcher shim.Launcher, kind, folder string) error {
	dir := filepath.Join(folder, "probe-"+kind)
	defer os.RemoveAll(dir)
	if _, err := launch.WriteAuthority(filepath.Join(dir, "root", "complement", "ca")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
		return err
	}
	address := shim.FirstServerAddress()
	server, err := launcher.Start(shim.Homeserver{
		Image: kind, Name: "hs1", Address: address, Dir: dir,
		Hosts: "127.0.0.1 localhost\n", DNS: shim.FirstResolverAddress(),
	})
	if err != nil {
		return err
	}
	defer func() {
		server.Signal(syscall.SIGKILL)
		<-server.Done()
	}()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := untilUp(ctx, server, "http://"+address+":8008/_matrix/client/versions"); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return fmt.Errorf("%s does not start: %w\n%s", kind, err, tail(log, 4000))
	}
	return nil
}

func untilUp(ctx context.Context, server shim.Process, url string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-server.Done():
			return fmt.Errorf("it ended with exit code %d", server.ExitCode())
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s: %w", url, ctx.Err())
		case <-tick.C:
		}
		if answers(ctx, url) {
			return nil
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func tail(text []byte, most int) []byte {
	if len(text) <= most {
		return text
	}
	return text[len(text)-most:]
}
