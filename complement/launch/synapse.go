package launch

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed synapse.yaml
var synapseConfig string

// SynapseVersion is fixed, so that results of different days can be compared.
const SynapseVersion = "1.163.2"

// InstallSynapse puts Synapse into a Python environment below folder, once,
// and returns the environment's interpreter.
func InstallSynapse(ctx context.Context, folder string) (python string, err error) {
	folder = filepath.Join(folder, SynapseVersion)
	python = filepath.Join(folder, "bin", "python")
	complete := filepath.Join(folder, "complete")
	if _, err := os.Stat(complete); err == nil {
		return python, nil
	}
	fmt.Println("Installing Synapse", SynapseVersion, "into", folder, "(first use)")
	steps := [][]string{
		{"python3", "-m", "venv", "--clear", folder},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "matrix-synapse[url-preview]==" + SynapseVersion},
	}
	for _, step := range steps {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("installing Synapse failed (it needs python3 with venv and pip): %w\n%s", err, out)
		}
	}
	return python, os.WriteFile(complete, nil, 0o644)
}

func (o order) prepareSynapse() ([]string, error) {
	appservices, err := filepath.Glob(filepath.Join(o.complement(), "appservice", "*.yaml"))
	if err != nil {
		return nil, err
	}
	config, err := render(synapseConfig, o.values(appservices))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(o.config(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := o.ensureSigningKey(); err != nil {
		return nil, err
	}
	return []string{o.SynapsePython, "-m", "synapse.app.homeserver", "--config-path", o.config()}, nil
}

// ensureSigningKey leaves a key alone that came with a snapshot's data.
func (o order) ensureSigningKey() error {
	f, err := os.OpenFile(filepath.Join(o.data(), "signing.key"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var seed [32]byte
	rand.Read(seed[:])
	_, err = fmt.Fprintf(f, "ed25519 a_test %s\n", base64.RawStdEncoding.EncodeToString(seed[:]))
	return errors.Join(err, f.Close())
}
