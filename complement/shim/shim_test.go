package shim

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// fakeLauncher "starts" processes that live until they get a signal.
type fakeLauncher struct {
	mu      sync.Mutex
	started []Homeserver
}

func (f *fakeLauncher) Knows(image string) bool { return image == "hearth" }

func (f *fakeLauncher) Start(hs Homeserver) (Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = append(f.started, hs)
	return &fakeProcess{done: make(chan struct{})}, nil
}

func (f *fakeLauncher) last() Homeserver {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started[len(f.started)-1]
}

type fakeProcess struct {
	once sync.Once
	done chan struct{}
}

func (p *fakeProcess) Signal(syscall.Signal) { p.once.Do(func() { close(p.done) }) }
func (p *fakeProcess) Done() <-chan struct{} { return p.done }
func (p *fakeProcess) ExitCode() int         { return 7 }

// client speaks to an engine as Complement does.
type client struct {
	t        *testing.T
	server   *httptest.Server
	launcher *fakeLauncher
	engine   *Engine
}

func newClient(t *testing.T) *client {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("name servers listen on port 53: root is needed")
	}
	launcher := &fakeLauncher{}
	engine := NewEngine(filepath.Join(t.TempDir(), "engine"), launcher, subnetsAbove(200))
	server := httptest.NewServer(engine.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return &client{t, server, launcher, engine}
}

// subnetsAbove leaves the lower ones to a run that may be under way.
func subnetsAbove(first int) *Subnets {
	s := &Subnets{}
	for k := range first {
		s.used[k] = true
	}
	return s
}

func (c *client) raw(method, path string, body io.Reader) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.server.URL+"/v1.47"+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, content
}

func (c *client) do(want int, method, path, body string, into any) {
	c.t.Helper()
	status, content := c.raw(method, path, strings.NewReader(body))
	if status != want {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, status, want, content)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(content, into); err != nil {
		c.t.Fatalf("%s %s: %v: %s", method, path, err, content)
	}
}

func (c *client) network(name string) string {
	c.t.Helper()
	var created struct{ Id string }
	c.do(201, "POST", "/networks/create", fmt.Sprintf(`{"Name":%q,"Labels":{"complement_pkg":"p"}}`, name), &created)
	return created.Id
}

func (c *client) container(image, network, alias, labels string) string {
	c.t.Helper()
	var created struct{ Id string }
	c.do(201, "POST", "/containers/create?name=c", fmt.Sprintf(
		`{"Image":%q,"Env":["SERVER_NAME=%s"],"Labels":%s,"NetworkingConfig":{"EndpointsConfig":{%q:{"Aliases":[%q]}}}}`,
		image, alias, labels, network, alias), &created)
	return created.Id
}

type inspected struct {
	State struct {
		Running  bool
		Status   string
		ExitCode int
	}
	Config          struct{ Labels map[string]string }
	NetworkSettings struct {
		Ports map[string][]struct{ HostIp, HostPort string }
	}
}

func (c *client) inspect(id string) inspected {
	c.t.Helper()
	var got inspected
	c.do(200, "GET", "/containers/"+id+"/json", "", &got)
	return got
}

func TestPingTellsTheVersionForNegotiation(t *testing.T) {
	c := newClient(t)
	response, err := http.Head(c.server.URL + "/_ping")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || response.Header.Get("Api-Version") != apiVersion {
		t.Fatalf("status %d, version %q", response.StatusCode, response.Header.Get("Api-Version"))
	}
}

func TestLabelFiltersMustAllHold(t *testing.T) {
	labels := map[string]string{"context": "", "pkg": "csapi", "odd": "a=b"}
	for filter, want := range map[string]bool{
		``:                             true,
		`{}`:                           true,
		`{"label":{"context":true}}`:   true,
		`{"label":{"pkg=csapi":true}}`: true,
		`{"label":{"pkg=fed":true}}`:   false,
		`{"label":{"context":true,"pkg=fed":true}}`: false,
		`{"label":{"missing":true}}`:                false,
		`{"label":{"missing":false}}`:               true,
		`{"label":{"odd=a=b":true}}`:                true,
	} {
		f, err := filterOf(&http.Request{URL: &url.URL{RawQuery: url.Values{"filters": {filter}}.Encode()}})
		if err != nil {
			t.Fatal(filter, err)
		}
		if got := f.matches(labels); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestAnUnsupportedFilterIsRefused(t *testing.T) {
	c := newClient(t)
	for _, filter := range []string{`{"name":{"x":true}}`, `{`} {
		c.do(400, "GET", "/containers/json?filters="+url.QueryEscape(filter), "", nil)
	}
}

func TestListsShowOnlyWhatTheFilterMatches(t *testing.T) {
	c := newClient(t)
	network := c.network("n")
	c.container("hearth", "n", "hs1", `{"complement_pkg":"csapi"}`)
	wanted := c.container("hearth", "n", "hs2", `{"complement_pkg":"fed"}`)
	var listed []struct{ Id string }
	c.do(200, "GET", "/containers/json?filters="+url.QueryEscape(`{"label":{"complement_pkg=fed":true}}`), "", &listed)
	if len(listed) != 1 || listed[0].Id != wanted {
		t.Errorf("containers: %v", listed)
	}
	c.do(200, "GET", "/networks", "", &listed)
	if len(listed) != 1 || listed[0].Id != network {
		t.Errorf("networks: %v", listed)
	}
	c.do(200, "GET", "/images/json", "", &listed)
	if listed == nil || len(listed) != 0 {
		t.Errorf("images: %v, want an empty list", listed)
	}
}

func TestLabelsAndDataTravelThroughACommittedImage(t *testing.T) {
	c := newClient(t)
	c.network("n")
	first := c.container("hearth", "n", "hs1", `{"kept":"1","replaced":"old"}`)
	c.do(204, "POST", "/containers/"+first+"/start", "", nil)
	if err := os.WriteFile(filepath.Join(c.launcher.last().Dir, "data", "state"), []byte("rooms"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.do(204, "POST", "/containers/"+first+"/stop?t=1", "", nil)
	query := url.Values{
		"container": {first}, "repo": {"localhost/complement"}, "tag": {"p.b.hs1"},
		"changes": {`LABEL "access_token_@a:hs1"="secret"`, `LABEL "application_service_as"="id: as\nurl: \"x\""`},
	}
	var image struct{ Id string }
	c.do(201, "POST", "/commit?"+query.Encode(), "{}", &image)
	c.do(204, "DELETE", "/containers/"+first+"?force=1", "", nil)

	second := c.container(image.Id, "n", "hs1", `{"replaced":"new"}`)
	want := map[string]string{
		"kept": "1", "replaced": "new", "access_token_@a:hs1": "secret",
		"application_service_as": `id: as\nurl: \"x\"`,
	}
	if got := c.inspect(second).Config.Labels; !reflect.DeepEqual(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
	c.do(204, "POST", "/containers/"+second+"/start", "", nil)
	hs := c.launcher.last()
	if state, _ := os.ReadFile(filepath.Join(hs.Dir, "data", "state")); string(state) != "rooms" {
		t.Errorf("data %q", state)
	}
	if hs.Image != "hearth" {
		t.Errorf("the committed image starts %q", hs.Image)
	}

	var listed []struct{ RepoTags []string }
	c.do(200, "GET", "/images/json", "", &listed)
	if len(listed) != 1 || listed[0].RepoTags[0] != "localhost/complement:p.b.hs1" {
		t.Errorf("images: %v", listed)
	}
	var deleted []any
	c.do(200, "DELETE", "/images/"+image.Id+"?force=1&noprune=1", "", &deleted)
	c.do(404, "DELETE", "/images/"+image.Id, "", nil)
}

func TestAnUnknownChangeIsRefused(t *testing.T) {
	if _, err := labelsFromChanges([]string{`ENV A=b`}); err == nil {
		t.Error("accepted")
	}
}

func TestANetworkWithARunningContainerStays(t *testing.T) {
	c := newClient(t)
	network := c.network("n")
	id := c.container("hearth", "n", "hs1", `{}`)
	c.do(204, "POST", "/containers/"+id+"/start", "", nil)
	c.do(403, "DELETE", "/networks/"+network, "", nil)
	c.do(204, "POST", "/containers/"+id+"/stop?t=1", "", nil)
	c.do(204, "DELETE", "/networks/"+network, "", nil)
	c.do(404, "DELETE", "/networks/"+network, "", nil)
}

func TestASubnetIsFreeAgainAfterItsNetwork(t *testing.T) {
	c := newClient(t)
	for range 2*lastSubnet - 2*200 {
		c.do(204, "DELETE", "/networks/"+c.network("n"), "", nil)
	}
}

func TestStateAndPortsFollowTheProcess(t *testing.T) {
	c := newClient(t)
	c.network("n")
	id := c.container("hearth", "n", "hs2", `{}`)
	if got := c.inspect(id).State; got.Running || got.Status != "created" {
		t.Errorf("before start: %+v", got)
	}
	c.do(204, "POST", "/containers/"+id+"/start", "", nil)
	started := c.inspect(id)
	if !started.State.Running || started.State.Status != "running" {
		t.Errorf("after start: %+v", started.State)
	}
	for _, port := range []string{"8008/tcp", "8448/tcp"} {
		bound := started.NetworkSettings.Ports[port]
		if len(bound) != 1 || bound[0].HostIp != "127.0.0.1" || bound[0].HostPort == "" {
			t.Errorf("port %s: %v", port, bound)
		}
	}
	c.do(204, "POST", "/containers/"+id+"/kill?signal=KILL", "", nil)
	stopped := c.inspect(id)
	if stopped.State.Running || stopped.State.Status != "exited" || stopped.State.ExitCode != 7 {
		t.Errorf("after kill: %+v", stopped.State)
	}
	c.do(409, "POST", "/containers/"+id+"/kill?signal=KILL", "", nil)
	c.do(204, "POST", "/containers/"+id+"/start", "", nil)
	if again := c.inspect(id); !reflect.DeepEqual(again.NetworkSettings, started.NetworkSettings) {
		t.Error("published ports changed with a restart")
	}
}

func TestServersOfANetworkFindEachOther(t *testing.T) {
	c := newClient(t)
	c.network("n")
	id := c.container("hearth", "n", "hs2", `{}`)
	c.do(204, "POST", "/containers/"+id+"/start", "", nil)
	hs := c.launcher.last()
	if hs.Address != "127.200.0.2" || hs.Name != "hs2" {
		t.Errorf("%s at %s", hs.Name, hs.Address)
	}
	for _, line := range []string{"127.200.0.1 hs1\n", "127.200.0.2 hs2\n", "host.docker.internal\n"} {
		if !strings.Contains(hs.Hosts, line) {
			t.Errorf("hosts file lacks %q", line)
		}
	}
	if !reflect.DeepEqual(hs.Env, []string{"SERVER_NAME=hs2"}) {
		t.Errorf("environment %q", hs.Env)
	}
}

func TestFilesAreCopiedInWithinTheRootOnly(t *testing.T) {
	c := newClient(t)
	c.network("n")
	id := c.container("hearth", "n", "hs1", `{}`)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range []string{"/complement/ca/ca.crt", "/../../../escaped"} {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o777, Size: 2, Typeflag: tar.TypeReg})
		w.Write([]byte("ca"))
	}
	w.Close()
	if status, body := c.raw("PUT", "/containers/"+id+"/archive?path=%2F&noOverwriteDirNonDir=true", &archive); status != 200 {
		t.Fatal(status, string(body))
	}
	root := filepath.Join(c.engine.path("containers", id), "root")
	for _, name := range []string{"complement/ca/ca.crt", "escaped"} {
		if content, _ := os.ReadFile(filepath.Join(root, name)); string(content) != "ca" {
			t.Errorf("%s holds %q", name, content)
		}
	}
	if status, _ := c.raw("PUT", "/containers/"+id+"/archive?path=/", strings.NewReader("no tar")); status != 400 {
		t.Errorf("a bad archive gives %d", status)
	}
}

func TestLogsAreFramed(t *testing.T) {
	c := newClient(t)
	c.network("n")
	id := c.container("hearth", "n", "hs1", `{}`)
	path := "/containers/" + id + "/logs?stdout=1&stderr=1"
	if status, body := c.raw("GET", path, nil); status != 200 || len(body) != 0 {
		t.Errorf("before the start: %d, %q", status, body)
	}
	written := strings.Repeat("a line\n", 10_000)
	if err := os.WriteFile(filepath.Join(c.engine.path("containers", id), "log"), []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stream := c.raw("GET", path, nil)
	var got strings.Builder
	for len(stream) > 0 {
		if stream[0] != 1 || stream[1]|stream[2]|stream[3] != 0 {
			t.Fatalf("frame starts with % x", stream[:8])
		}
		length := binary.BigEndian.Uint32(stream[4:8])
		got.Write(stream[8 : 8+length])
		stream = stream[8+length:]
	}
	if got.String() != written {
		t.Errorf("%d bytes came back of %d", got.Len(), len(written))
	}
}

func TestWhatIsUnknownIs404WithAMessage(t *testing.T) {
	c := newClient(t)
	c.network("n")
	for _, call := range [][3]string{
		{"GET", "/containers/nope/json", ""},
		{"GET", "/containers/nope/logs", ""},
		{"POST", "/containers/nope/start", ""},
		{"DELETE", "/containers/nope", ""},
		{"POST", "/commit?container=nope", "{}"},
		{"POST", "/containers/create", `{"Image":"other","NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["hs1"]}}}}`},
		{"POST", "/containers/create", `{"Image":"hearth","NetworkingConfig":{"EndpointsConfig":{"m":{"Aliases":["hs1"]}}}}`},
		{"POST", "/images/create", ""},
	} {
		var answer struct{ Message string }
		c.do(404, call[0], call[1], call[2], &answer)
		if answer.Message == "" {
			t.Errorf("%s %s: no message", call[0], call[1])
		}
	}
}

func TestWhatTheShimCannotDoIsRefused(t *testing.T) {
	c := newClient(t)
	c.network("n")
	for _, body := range []string{
		`{`,
		`{"Image":"hearth"}`,
		`{"Image":"hearth","NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["example.org"]}}}}`,
		`{"Image":"hearth","HostConfig":{"Mounts":[{"Source":"/"}]},"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["hs1"]}}}}`,
	} {
		c.do(400, "POST", "/containers/create", body, nil)
	}
}
