#!/bin/sh
# Element Web and Cinny in a real browser:  tests/interop/browser/run.sh HEARTH_BINARY
# ELEMENT_WEB and CINNY name folders with built clients (the one with index.html). No registry serves them, so without
# either there is nothing to do. playwright-core is installed once, at the version that is named here.
set -eu

playwright_version=1.65.1

hearth=$(realpath "${1:?usage: $0 HEARTH_BINARY}")
cd "$(dirname "$0")"
skip() {
    echo "browser: left out, $1"
    exit 0
}
[ -n "${ELEMENT_WEB:-}${CINNY:-}" ] || skip "neither ELEMENT_WEB nor CINNY names a built client"
for built in ${ELEMENT_WEB:-} ${CINNY:-}; do
    [ -e "$built/index.html" ] || { echo "browser: there is no index.html in $built" >&2; exit 2; }
done
command -v npm >/dev/null || skip "there is no npm"
CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "there is no Chromium"

PLAYWRIGHT=${XDG_CACHE_HOME:-$HOME/.cache}/hearth/clients/playwright-$playwright_version
if [ ! -e "$PLAYWRIGHT/ready" ]; then
    rm -rf "$PLAYWRIGHT"
    mkdir -p "$PLAYWRIGHT"
    (cd "$PLAYWRIGHT" && npm install --silent --no-audit --no-fund --ignore-scripts "playwright-core@$playwright_version")
    touch "$PLAYWRIGHT/ready"
fi
FOLDER=$(mktemp -d)
export CHROMIUM PLAYWRIGHT FOLDER
if node talk.mjs "$hearth"; then
    rm -rf "$FOLDER"
else
    echo "browser: screenshots are in $FOLDER" >&2
    exit 1
fi
