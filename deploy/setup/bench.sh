#!/usr/bin/env bash
# The figures of the README: release binaries, a durable cluster of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --quiet --release --workspace --bins
exec cargo bench --quiet -p fournil-tests --bench figures
