#!/usr/bin/env bash
# Advisories, licences, bans and sources of every crate, by cargo-deny (deny.toml). It is built
# once into the cache; the advisories come from the network, unless `--offline` is given.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${FOURNIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fournil}
export PATH=$cache/tools/bin:$PATH
command -v cargo-deny >/dev/null || cargo install --quiet --locked --root "$cache/tools" cargo-deny
exec cargo deny "$@" check
