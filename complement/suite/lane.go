// Package suite runs Complement's compiled test packages and judges what comes out.
package suite

import (
	"fmt"
	"strings"

	"hearth/complement/launch"
)

// Lane is one way to run the suite; each has recorded results of its own.
type Lane struct {
	HS1, HS2    string // kinds of homeserver
	RoomVersion string // default room version
}

// DefaultRoomVersion is what the main lane uses. Complement of July 2026
// puts room creators into power_levels.users, which version 12 forbids.
const DefaultRoomVersion = "11"

// Check refuses values that no lane has.
func (l Lane) Check() error {
	for _, kind := range []string{l.HS1, l.HS2} {
		if kind != launch.Hearth && kind != launch.Synapse {
			return fmt.Errorf("a homeserver is %s or %s, not %q", launch.Hearth, launch.Synapse, kind)
		}
	}
	if l.RoomVersion != "11" && l.RoomVersion != "12" {
		return fmt.Errorf("the room version is 11 or 12, not %q", l.RoomVersion)
	}
	return nil
}

// Kinds are those of the lane's servers.
func (l Lane) Kinds() []string {
	if l.HS1 == l.HS2 {
		return []string{l.HS1}
	}
	return []string{l.HS1, l.HS2}
}

// Uses tells whether some server of the lane is of this kind.
func (l Lane) Uses(kind string) bool { return l.HS1 == kind || l.HS2 == kind }

// Name tells what differs from the main lane.
func (l Lane) Name() string {
	var parts []string
	if l.RoomVersion != DefaultRoomVersion {
		parts = append(parts, "v"+l.RoomVersion)
	}
	if l.HS1 != launch.Hearth {
		parts = append(parts, "hs1-"+l.HS1)
	}
	if l.HS2 != launch.Hearth {
		parts = append(parts, "hs2-"+l.HS2)
	}
	return strings.Join(parts, "-")
}

// ResultsFile is the name under which the lane's results are recorded.
func (l Lane) ResultsFile() string {
	if name := l.Name(); name != "" {
		return "results-" + name + ".jsonl"
	}
	return "results.jsonl"
}

// environment tells Complement which "image" each server is made from. Any
// third server is Hearth where the lane has Hearth. The names end in hs1 and
// hs2 as they are: Complement looks them up in lower case.
func (l Lane) environment() []string {
	others := launch.Synapse
	if l.Uses(launch.Hearth) {
		others = launch.Hearth
	}
	return []string{
		"COMPLEMENT_BASE_IMAGE=" + others,
		"COMPLEMENT_BASE_IMAGE_hs1=" + l.HS1,
		"COMPLEMENT_BASE_IMAGE_hs2=" + l.HS2,
	}
}
