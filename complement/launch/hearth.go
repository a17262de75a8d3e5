package launch

import (
	_ "embed"
	"os"
	"strings"
	"text/template"
)

//go:embed hearth.toml
var hearthConfig string

//go:embed synapse.yaml
var synapseConfig string

// Both TOML and YAML read a quoted Go string of plain characters alike.
type configValues struct {
	Name, Address, RoomVersion        string
	Data, Authority, Certificate, Key string
	AppserviceFiles                   []string
}

func (o order) values(appservices []string) configValues {
	return configValues{
		Name: o.Name, Address: o.Address, RoomVersion: o.RoomVersion,
		Data: o.data(), Authority: o.authority(),
		Certificate: o.certificate(), Key: o.privateKey(),
		AppserviceFiles: appservices,
	}
}

func render(text string, values configValues) (string, error) {
	t, err := template.New("config").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, values)
	return b.String(), err
}

func (o order) prepareHearth() ([]string, error) {
	config, err := render(hearthConfig, o.values(nil))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(o.config(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	return []string{o.HearthBinary, "serve", "--config", o.config()}, nil
}
