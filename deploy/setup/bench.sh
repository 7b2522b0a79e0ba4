#!/usr/bin/env bash
# The figures of the README: release binaries, a durable cluster of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --quiet --release --workspace --bins
# What is shipped is built smaller than what is measured.
cargo build --quiet --profile dist -p fournil-gateway --bin fournil-gateway
target=$(realpath "${CARGO_TARGET_DIR:-target}")
FOURNIL_PYTHON=$(deploy/setup/python.sh)
export FOURNIL_PYTHON
export FOURNIL_BENCH_DIST=$target/dist/fournil-gateway
cargo bench --quiet -p fournil-tests --bench figures
exec cargo bench --quiet -p fournil-gateway --bench decode -- --noplot
