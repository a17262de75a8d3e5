package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// apiVersion is what version negotiation settles on.
const apiVersion = "1.47"

var versionPrefix = regexp.MustCompile(`^/v1\.\d+/`)

type handler func(r *http.Request) (status int, body any, err error)

// Handler is the HTTP side of the engine.
func (e *Engine) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(http.ResponseWriter, *http.Request) {})
	for pattern, h := range map[string]handler{
		"GET /networks":                 e.listNetworks,
		"POST /networks/create":         e.postNetwork,
		"DELETE /networks/{id}":         e.removeNetwork,
		"GET /images/json":              e.listImages,
		"DELETE /images/{id...}":        e.removeImage,
		"POST /commit":                  e.postCommit,
		"GET /containers/json":          e.listContainers,
		"POST /containers/create":       e.postContainer,
		"GET /containers/{id}/json":     e.on((*container).inspect),
		"PUT /containers/{id}/archive":  e.on(putArchive),
		"POST /containers/{id}/start":   e.on(e.startContainer),
		"POST /containers/{id}/stop":    e.on(stopContainer),
		"POST /containers/{id}/kill":    e.on(killContainer),
		"POST /containers/{id}/pause":   e.on(signalContainer(syscall.SIGSTOP)),
		"POST /containers/{id}/unpause": e.on(signalContainer(syscall.SIGCONT)),
		"DELETE /containers/{id}":       e.on(e.deleteContainer),
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			status, body, err := h(r)
			if err != nil {
				status, body = statusOf(err), map[string]string{"message": err.Error()}
			}
			write(w, status, body)
		})
	}
	mux.HandleFunc("GET /containers/{id}/logs", e.logs)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, 404, map[string]string{"message": "unsupported: " + r.Method + " " + r.URL.Path})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", apiVersion)
		w.Header().Set("Ostype", "linux")
		r.URL.Path = versionPrefix.ReplaceAllString(r.URL.Path, "/")
		r.URL.RawPath = ""
		mux.ServeHTTP(w, r)
	})
}

func write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func decode(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return &apiError{400, "bad request body: " + err.Error()}
	}
	return nil
}

// on finds the container of a request's path.
func (e *Engine) on(h func(*container, *http.Request) (int, any, error)) handler {
	return func(r *http.Request) (int, any, error) {
		c, err := e.container(r.PathValue("id"))
		if err != nil {
			return 0, nil, err
		}
		return h(c, r)
	}
}

// list shows those of all that carry the labels which a request filters by.
func list[T any](e *Engine, r *http.Request, all func() map[string]T, labels func(T) map[string]string, show func(T) any) (int, any, error) {
	filter, err := filterOf(r)
	if err != nil {
		return 0, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	shown := []any{}
	for _, item := range all() {
		if filter.matches(labels(item)) {
			shown = append(shown, show(item))
		}
	}
	return 200, shown, nil
}

func (e *Engine) listNetworks(r *http.Request) (int, any, error) {
	return list(e, r, func() map[string]*network { return e.networks },
		func(n *network) map[string]string { return n.labels },
		func(n *network) any { return map[string]any{"Id": n.id, "Name": n.name, "Labels": n.labels} })
}

func (e *Engine) listImages(r *http.Request) (int, any, error) {
	return list(e, r, func() map[string]*image { return e.images },
		func(i *image) map[string]string { return i.labels },
		func(i *image) any {
			return map[string]any{"Id": i.id, "RepoTags": []string{i.tag}, "Labels": i.labels}
		})
}

func (e *Engine) listContainers(r *http.Request) (int, any, error) {
	return list(e, r, func() map[string]*container { return e.containers },
		func(c *container) map[string]string { return c.labels },
		func(c *container) any {
			return map[string]any{"Id": c.id, "Names": []string{"/" + c.name}, "Labels": c.labels}
		})
}

func (e *Engine) postNetwork(r *http.Request) (int, any, error) {
	var body struct {
		Name   string
		Labels map[string]string
	}
	if err := decode(r, &body); err != nil {
		return 0, nil, err
	}
	n, err := e.createNetwork(body.Name, body.Labels)
	if err != nil {
		return 0, nil, err
	}
	return 201, map[string]string{"Id": n.id, "Warning": ""}, nil
}

func (e *Engine) removeNetwork(r *http.Request) (int, any, error) {
	return 204, nil, e.deleteNetwork(r.PathValue("id"))
}

func (e *Engine) removeImage(r *http.Request) (int, any, error) {
	id := r.PathValue("id")
	return 200, []map[string]string{{"Deleted": id}}, e.deleteImage(id)
}

func (e *Engine) postCommit(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	img, err := e.commit(q.Get("container"), q.Get("repo")+":"+q.Get("tag"), q["changes"])
	if err != nil {
		return 0, nil, err
	}
	return 201, map[string]string{"Id": img.id}, nil
}

func (e *Engine) postContainer(r *http.Request) (int, any, error) {
	var body creation
	if err := decode(r, &body); err != nil {
		return 0, nil, err
	}
	c, err := e.createContainer(r.URL.Query().Get("name"), body)
	if err != nil {
		return 0, nil, err
	}
	return 201, map[string]any{"Id": c.id, "Warnings": []string{}}, nil
}

func (e *Engine) deleteContainer(c *container, _ *http.Request) (int, any, error) {
	return 204, nil, e.removeContainer(c)
}

func (e *Engine) startContainer(c *container, _ *http.Request) (int, any, error) {
	return 204, nil, c.start(e.launcher)
}

func stopContainer(c *container, r *http.Request) (int, any, error) {
	grace, err := strconv.Atoi(r.URL.Query().Get("t"))
	if err != nil {
		grace = 10
	}
	c.stop(syscall.SIGTERM, time.Duration(grace)*time.Second)
	return 204, nil, nil
}

func killContainer(c *container, _ *http.Request) (int, any, error) {
	if !c.running() {
		return 0, nil, &apiError{409, "container " + c.id + " is not running"}
	}
	c.stop(syscall.SIGKILL, time.Second)
	return 204, nil, nil
}

func signalContainer(sig syscall.Signal) func(*container, *http.Request) (int, any, error) {
	return func(c *container, _ *http.Request) (int, any, error) {
		c.signal(sig)
		return 204, nil, nil
	}
}

func putArchive(c *container, r *http.Request) (int, any, error) {
	return 200, nil, c.extract(r.URL.Query().Get("path"), r.Body)
}

func (c *container) inspect(*http.Request) (int, any, error) {
	state := map[string]any{"Running": false, "Status": "created", "ExitCode": 0}
	if c.running() {
		state["Running"], state["Status"] = true, "running"
	} else if p := c.process(); p != nil {
		state["Status"], state["ExitCode"] = "exited", p.ExitCode()
	}
	ports := map[string]any{}
	for port := range c.ports {
		ports[fmt.Sprintf("%d/tcp", port)] = []map[string]string{
			{"HostIp": "127.0.0.1", "HostPort": strconv.Itoa(c.ports.published(port))},
		}
	}
	return 200, map[string]any{
		"Id": c.id, "Name": "/" + c.name, "State": state,
		"Config":          map[string]any{"Labels": c.labels, "Env": c.env},
		"NetworkSettings": map[string]any{"Ports": ports},
	}, nil
}

func (e *Engine) logs(w http.ResponseWriter, r *http.Request) {
	c, err := e.container(r.PathValue("id"))
	if err != nil {
		write(w, statusOf(err), map[string]string{"message": err.Error()})
		return
	}
	f, err := os.Open(c.logFile())
	if errors.Is(err, os.ErrNotExist) {
		return // never started: no output
	}
	if err != nil {
		write(w, 500, map[string]string{"message": err.Error()})
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/vnd.docker.multiplexed-stream")
	io.Copy(stdoutFrames{w}, f)
}
