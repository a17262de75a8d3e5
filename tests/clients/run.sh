#!/bin/sh
# Conversations of real client libraries with a real server:  tests/clients/run.sh HEARTH_BINARY [nio|js]
# The libraries are installed once into ~/.cache/hearth/clients, at the versions that are named here.
set -eu

nio_version=0.26.0

[ $# -ge 1 ] || { echo "usage: $0 HEARTH_BINARY [nio|js]" >&2; exit 2; }
hearth=$(realpath "$1")
which=${2:-all}
cd "$(dirname "$0")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hearth/clients
mkdir -p "$cache"
export PYTHONDONTWRITEBYTECODE=1

nio() {
    venv=$cache/nio-$nio_version
    if [ ! -e "$venv/ready" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "matrix-nio==$nio_version"
        touch "$venv/ready"
    fi
    "$venv/bin/python" nio_conversation.py "$hearth"
}

js() {
    if ! command -v npm >/dev/null; then
        echo "matrix-js-sdk: left out, there is no npm"
        return 0
    fi
    SDK=$(./sdk.sh) python3 js_conversation.py "$hearth"
}

log=$(mktemp)
status=$(mktemp)
trap 'rm -f "$log" "$status"' EXIT
for library in nio js; do
    [ "$which" = all ] || [ "$which" = "$library" ] || continue
    "$library" || echo "$library" >>"$status"
done | tee "$log"
awk '/^matrix-.*passed/ { passed += $2; failed += $4 } END { printf "%d passed, %d failed\n", passed, failed }' "$log"
[ ! -s "$status" ]
