package launch

import (
	"strings"
	"text/template"
)

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
