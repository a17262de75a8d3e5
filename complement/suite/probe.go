package suite

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hearth/complement/shim"
)

// Probe starts one server of a kind and waits until it answers. Without it, a
// server that cannot start costs a minute in each of 210 tests.
func Probe(ctx context.Context, launcher shim.Launcher, kind, folder string) error {
	dir := filepath.Join(folder, "probe-"+kind)
	defer os.RemoveAll(dir)
	if err := writeAuthority(filepath.Join(dir, "root", "complement", "ca")); err != nil {
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

// writeAuthority makes a certificate authority in the files and the format
// that Complement copies into its containers.
func writeAuthority(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "probe"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	write := func(name, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	return errors.Join(
		write("ca.crt", "CERTIFICATE", cert),
		write("ca.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
	)
}

func tail(text []byte, most int) []byte {
	if len(text) <= most {
		return text
	}
	return text[len(text)-most:]
}
