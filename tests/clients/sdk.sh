#!/bin/sh
# Installs matrix-js-sdk once into ~/.cache/hearth/clients, at the version that is named here, and prints its folder.
set -eu

js_version=43.0.0

command -v npm >/dev/null || { echo "matrix-js-sdk: npm is needed" >&2; exit 2; }
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hearth/clients/js-$js_version
installed=$(node -p "require('$folder/node_modules/matrix-js-sdk/package.json').version" 2>/dev/null || true)
if [ "$installed" != "$js_version" ]; then
    echo "Installing matrix-js-sdk $js_version into $folder (first use)" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts "matrix-js-sdk@$js_version") >&2
fi
echo "$folder/node_modules"
