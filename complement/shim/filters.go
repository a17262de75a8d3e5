package shim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// labelFilter holds "key" and "key=value" conditions; all of them must hold.
type labelFilter []string

func filterOf(r *http.Request) (labelFilter, error) {
	raw := r.URL.Query().Get("filters")
	if raw == "" {
		return nil, nil
	}
	var filters map[string]map[string]bool
	if err := json.Unmarshal([]byte(raw), &filters); err != nil {
		return nil, &apiError{400, "invalid filters: " + err.Error()}
	}
	var f labelFilter
	for name, values := range filters {
		if name != "label" {
			return nil, &apiError{400, "unsupported filter " + name}
		}
		for condition, on := range values {
			if on {
				f = append(f, condition)
			}
		}
	}
	return f, nil
}

func (f labelFilter) matches(labels map[string]string) bool {
	for _, condition := range f {
		key, want, exact := strings.Cut(condition, "=")
		got, ok := labels[key]
		if !ok || exact && got != want {
			return false
		}
	}
	return true
}
