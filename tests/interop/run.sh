#!/bin/sh
# Real servers that federate with each other:  tests/interop/run.sh HEARTH_BINARY [hearth|synapse|e2ee] [OPTIONS]
# Synapse is installed once from PyPI into ~/.cache/hearth/synapse, at the version that is named here; the client library
# of the lane e2ee from npm, as tests/clients does it.
set -eu

# The one that complement/ measures against, too.
synapse_version=1.163.2

[ $# -ge 1 ] || { echo "usage: $0 HEARTH_BINARY [hearth|synapse|e2ee] [--versions 10,11] [--keep]" >&2; exit 2; }
hearth=$(realpath "$1")
shift
lane=all
case ${1:-} in
    hearth | synapse | e2ee) lane=$1 && shift ;;
esac
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1
command -v openssl >/dev/null || { echo "interop: openssl is needed" >&2; exit 2; }

environment() {
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/hearth/synapse/$synapse_version
    if [ ! -e "$venv/complete" ]; then
        echo "Installing Synapse $synapse_version into $venv (first use)" >&2
        python3 -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "matrix-synapse[url-preview]==$synapse_version"
        touch "$venv/complete"
    fi
}

encrypted() {
    if ! command -v npm >/dev/null; then
        echo "e2ee: left out, there is no npm"
        return 0
    fi
    SDK=$(../clients/sdk.sh) || return 1
    export SDK
    "$venv/bin/python" e2ee_lane.py "$hearth" "$@"
}

failed=0
if [ "$lane" = all ] || [ "$lane" = hearth ]; then
    python3 hearth_lane.py "$hearth" "$@" || failed=1
fi
if [ "$lane" = all ] || [ "$lane" = synapse ]; then
    environment
    "$venv/bin/python" synapse_lane.py "$hearth" "$@" || failed=1
fi
if [ "$lane" = all ] || [ "$lane" = e2ee ]; then
    environment
    encrypted "$@" || failed=1
fi
exit $failed
