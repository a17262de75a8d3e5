package shim

import (
	"os"
	"regexp"
)

// image is a committed container: a copy of its data folder and its labels.
type image struct {
	id, tag string
	base    string // base image of the container it was made from
	labels  map[string]string
	data    string
}

// Values keep their backslashes: Complement itself turns \n in an appservice
// registration back into a line break.
var labelChange = regexp.MustCompile(`(?s)^LABEL "([^"]*)"="(.*)"$`)

func labelsFromChanges(changes []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, change := range changes {
		m := labelChange.FindStringSubmatch(change)
		if m == nil {
			return nil, &apiError{400, "unsupported change: " + change}
		}
		labels[m[1]] = m[2]
	}
	return labels, nil
}

func (e *Engine) commit(containerID, tag string, changes []string) (*image, error) {
	c, err := e.container(containerID)
	if err != nil {
		return nil, err
	}
	labels, err := labelsFromChanges(changes)
	if err != nil {
		return nil, err
	}
	id := newID()
	img := &image{
		id: "sha256:" + id, tag: tag, base: c.base,
		labels: merged(c.labels, labels), data: e.path("images", id),
	}
	if err := copyFolder(c.dataDir(), img.data); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images[img.id] = img
	return img, nil
}

func (e *Engine) deleteImage(id string) error {
	e.mu.Lock()
	img := e.images[id]
	delete(e.images, id)
	e.mu.Unlock()
	if img == nil {
		return &apiError{404, "no such image: " + id}
	}
	return os.RemoveAll(img.data)
}
