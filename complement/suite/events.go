package suite

import (
	"encoding/json"
	"strings"
)

// event is a line of `go tool test2json`.
type event struct {
	Action, Test, Output string
	Elapsed              float64
}

// collector turns the events of one package into outcomes.
type collector struct {
	pkg     string
	results Results
	running map[string]bool
}

func newCollector(pkg string) *collector {
	return &collector{pkg, Results{}, map[string]bool{}}
}

// add takes a line and returns its event; a line that is none is plain output.
func (c *collector) add(line []byte) event {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return event{Action: "output", Output: string(line) + "\n"}
	}
	switch e.Action {
	case "run":
		c.running[e.Test] = true
	case Pass, Fail, Skip:
		if e.Test != "" {
			delete(c.running, e.Test)
			c.results[Test{c.pkg, e.Test}] = e.Action
		}
	}
	return e
}

// endProcess counts tests that were cut off as failed, and says how many.
func (c *collector) endProcess() int {
	cut := len(c.running)
	for name := range c.running {
		c.results[Test{c.pkg, name}] = Fail
	}
	c.running = map[string]bool{}
	return cut
}

// seen lists the top-level tests that have an outcome.
func (c *collector) seen() []string {
	var names []string
	for t := range c.results {
		if !strings.Contains(t.Name, "/") {
			names = append(names, t.Name)
		}
	}
	return names
}
