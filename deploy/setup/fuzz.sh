#!/usr/bin/env bash
# Fuzzes every decoder of outside bytes, SECONDS each (60 unless told). cargo-fuzz is built once
# into the cache; without a sanitizer it works on the stable toolchain.
set -euo pipefail
cd "$(dirname "$0")/../../protocol"
seconds=${SECONDS_EACH:-60}
cache=${FOURNIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fournil}
export PATH=$cache/tools/bin:$PATH
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked --root "$cache/tools" cargo-fuzz
unset CARGO_TARGET_DIR
for target in $(cargo fuzz list); do
    cargo fuzz run -s none "$target" -- -max_total_time="$seconds" -max_len=70000
done
