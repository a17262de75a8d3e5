package launch

import (
	"errors"
	"os"

	"hearth/complement/shim"
)

// ContainerCommand is the argument that makes this program call Container.
const ContainerCommand = "container"

// Container is the entry point of the Docker image: what Enter does, but Docker
// has made the namespace and has put Complement's files into it. It returns
// only if it fails.
func Container() error {
	name := os.Getenv("SERVER_NAME")
	if name == "" {
		return errors.New("SERVER_NAME is not set: this image is made to be started by Complement")
	}
	version := os.Getenv("ROOM_VERSION") // passed on by COMPLEMENT_SHARE_ENV_PREFIX
	if version == "" {
		version = "11"
	}
	o := order{
		Launcher{HearthBinary: "/usr/local/bin/hearth", RoomVersion: version},
		shim.Homeserver{Image: Hearth, Name: name, Address: "0.0.0.0", Dir: "/data"},
		"/",
	}
	if err := os.MkdirAll(o.data(), 0o755); err != nil {
		return err
	}
	return o.become(os.Environ())
}
