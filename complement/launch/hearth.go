package launch

import (
	_ "embed"
	"os"
)

//go:embed hearth.toml
var hearthConfig string

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
