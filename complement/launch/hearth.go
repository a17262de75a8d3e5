package launch

import (
	_ "embed"
	"os"
	"path/filepath"
)

//go:embed hearth.toml
var hearthConfig string

func (o order) prepareHearth() ([]string, error) {
	appservices, err := filepath.Glob(filepath.Join(o.complement(), "appservice", "*.yaml"))
	if err != nil {
		return nil, err
	}
	config, err := render(hearthConfig, o.values(appservices))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(o.config(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	return []string{o.HearthBinary, "serve", "--config", o.config()}, nil
}
