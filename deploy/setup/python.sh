#!/usr/bin/env bash
# A Python environment with the independent judges (pyzk, python-escpos). They run as separate
# processes in tests only; nothing of theirs is linked or shipped. Prints the interpreter's path.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${FOURNIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fournil}
wanted=$here/../../tests/judges/requirements.txt
venv=$cache/judges-$(cksum <"$wanted" | cut -d' ' -f1)

if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    mkdir -p "$cache"
    python3 -m venv "$venv" >&2
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2; then
        echo "fournil: les juges Python n'ont pas pu être installés (réseau ?). Relancez make test." >&2
        exit 1
    fi
    touch "$venv/ready"
fi
echo "$venv/bin/python"
