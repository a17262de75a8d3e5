package launch

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/complement/shim"
)

// TestMain lets the test program play the inner step, as main does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == EnterCommand {
		println(Enter(os.Args[2]).Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func newOrder(t *testing.T) order {
	t.Helper()
	dir := t.TempDir()
	o := order{
		Launcher{HearthBinary: "/bin/hearth", SynapsePython: "/bin/python", RoomVersion: "12", RunFolder: "/run-folder"},
		shim.Homeserver{Image: Hearth, Name: "hs1", Address: "127.11.0.1", Dir: dir},
		filepath.Join(dir, "root"),
	}
	if err := os.Mkdir(o.data(), 0o755); err != nil {
		t.Fatal(err)
	}
	newAuthority(t, o)
	return o
}

func newAuthority(t *testing.T, o order) *x509.Certificate {
	t.Helper()
	cert, err := WriteAuthority(filepath.Dir(o.authority()))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestEachStartIssuesACertificateOfThePresentAuthority(t *testing.T) {
	o := newOrder(t)
	for range 2 {
		roots := x509.NewCertPool()
		roots.AddCert(newAuthority(t, o))
		if err := o.issueCertificate(); err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(o.certificate(), o.privateKey())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "hs1"}); err != nil {
			t.Error(err)
		}
		if pair.Leaf.VerifyHostname("hs2") == nil {
			t.Error("it holds for hs2 too")
		}
	}
}

func TestHearthGetsTheConfigurationOfAnOperator(t *testing.T) {
	o := newOrder(t)
	argv, err := o.prepare()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/bin/hearth", "serve", "--config", o.config()}; !slices.Equal(argv, want) {
		t.Errorf("command %q, want %q", argv, want)
	}
	config, err := os.ReadFile(o.config())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`server_name = "hs1"`,
		`data_dir = "` + o.data() + `"`,
		`bind = "127.11.0.1:8008"`,
		`bind = "127.11.0.1:8448"`,
		`tls_certificate = "` + o.certificate() + `"`,
		`extra_root_certificates = ["` + o.authority() + `"]`,
		`default_room_version = "12"`,
	} {
		if !strings.Contains(string(config), line+"\n") {
			t.Errorf("no line %s in\n%s", line, config)
		}
	}
}

func TestSynapseKeepsItsSigningKeyAndReadsAppservices(t *testing.T) {
	o := newOrder(t)
	o.Image = Synapse
	appservice := filepath.Join(o.complement(), "appservice", "as.yaml")
	if err := os.MkdirAll(filepath.Dir(appservice), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(appservice, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var keys [2]string
	for i := range keys {
		if _, err := o.prepare(); err != nil {
			t.Fatal(err)
		}
		key, err := os.ReadFile(filepath.Join(o.data(), "signing.key"))
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = string(key)
	}
	if keys[0] != keys[1] || !strings.HasPrefix(keys[0], "ed25519 a_test ") {
		t.Errorf("keys %q", keys)
	}
	config, err := os.ReadFile(o.config())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), "app_service_config_files:\n  - \""+appservice+"\"\n") {
		t.Errorf("no appservice in\n%s", config)
	}
}

func TestAnEnvironmentHoldsNothingOfTheCallers(t *testing.T) {
	t.Setenv("HEARTH_SERVER_NAME", "wrong")
	o := newOrder(t)
	o.Env = []string{"SERVER_NAME=hs1"}
	env := o.environment()
	if slices.Contains(env, "HEARTH_SERVER_NAME=wrong") {
		t.Error("a variable of the caller came through")
	}
	for _, want := range []string{"SERVER_NAME=hs1", Mark("/run-folder")} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestAServerSeesItsOwnHostsFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	o := newOrder(t)
	program := filepath.Join(t.TempDir(), "hearth")
	script := "#!/bin/sh\ncat /etc/hosts /etc/resolv.conf; exec sleep 60\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o.HearthBinary, o.Hosts, o.DNS = program, "127.11.0.2 hs2\n", "127.11.0.53"
	p, err := o.Launcher.Start(o.Homeserver)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Signal(syscall.SIGKILL)
	want := "127.11.0.2 hs2\nnameserver 127.11.0.53\n"
	var log []byte
	for range 500 {
		if log, _ = os.ReadFile(filepath.Join(o.Dir, "log")); len(log) >= len(want) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if string(log) != want {
		t.Errorf("it sees %q", log)
	}
	p.Signal(syscall.SIGTERM)
	<-p.Done()
	if hosts, _ := os.ReadFile("/etc/hosts"); string(hosts) == o.Hosts {
		t.Error("the machine's own hosts file has changed")
	}
}

func TestASignalReachesTheWholeGroup(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & wait")
	g, err := StartGroup(cmd)
	if err != nil {
		t.Fatal(err)
	}
	g.Signal(syscall.SIGKILL)
	<-g.Done()
	if g.ExitCode() != -1 {
		t.Errorf("exit code %d", g.ExitCode())
	}
	g.Signal(syscall.SIGKILL) // nothing to reach, nothing to fear
}
