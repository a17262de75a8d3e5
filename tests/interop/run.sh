#!/bin/sh
# Real servers that federate with each other, and a bridge:
#   tests/interop/run.sh HEARTH_BINARY [hearth|synapse|bridge] [OPTIONS OF THE LANE]
# Synapse and mautrix are installed once from PyPI into ~/.cache/hearth, at the versions that are named here.
set -eu

# The one that complement/ measures against, too.
synapse_version=1.163.2
mautrix_version=0.21.1

[ $# -ge 1 ] || { echo "usage: $0 HEARTH_BINARY [hearth|synapse|bridge] [--versions 10,11] [--keep]" >&2; exit 2; }
hearth=$(realpath "$1")
shift
lane=all
case ${1:-} in
    hearth | synapse | bridge) lane=$1 && shift ;;
esac
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1
command -v openssl >/dev/null || { echo "interop: openssl is needed" >&2; exit 2; }

# environment NAME VERSION REQUIREMENT: sets venv.
environment() {
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/hearth/$1/$2
    if [ ! -e "$venv/complete" ]; then
        echo "Installing $1 $2 into $venv (first use)" >&2
        python3 -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$3==$2"
        touch "$venv/complete"
    fi
}

wanted() {
    [ "$lane" = all ] || [ "$lane" = "$1" ]
}

failed=0
if wanted hearth; then
    python3 hearth_lane.py "$hearth" "$@" || failed=1
fi
if wanted bridge; then
    environment mautrix "$mautrix_version" mautrix
    "$venv/bin/python" bridge_lane.py "$hearth" "$@" || failed=1
fi
if wanted synapse; then
    environment synapse "$synapse_version" 'matrix-synapse[url-preview]'
    "$venv/bin/python" synapse_lane.py "$hearth" "$@" || failed=1
fi
exit $failed
