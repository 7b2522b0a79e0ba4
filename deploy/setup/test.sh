#!/usr/bin/env bash
# Everything `make test` runs, cheap first. Packages are there already (install.sh test).
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
state=${FOURNIL_STATE:-$root/.state}/test
step() { printf '\n== %s\n' "$*"; }
began=$SECONDS
trap 'deploy/setup/postgres.sh wipe "$state/postgres" || true' EXIT

step "format"
cargo fmt --all -- --check

step "lints"
cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings

step "documents of the code"
RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --quiet --workspace --no-deps --document-private-items

step "private PostgreSQL"
# Every test has a database of its own; durability is off here only: the tests of crashes
# start clusters of their own with it on.
FOURNIL_TEST_DATABASE_URL=$(FOURNIL_PG_OPTIONS="-c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
    deploy/setup/postgres.sh start "$state/postgres")
export FOURNIL_TEST_DATABASE_URL

step "statements against a fresh database"
deploy/setup/sqlx.sh check

step "the cloud builds without hardware"
if cargo tree -p fournil-cloud -e normal --prefix none | grep -E '^(rusb|libusb1-sys|serialport) '; then
    echo "fournil: fournil-cloud dépend d'une bibliothèque de matériel (ci-dessus)." >&2
    exit 1
fi
if cargo tree -p fournil-gateway -e normal --prefix none | grep -E '^(sqlx|warp) '; then
    echo "fournil: fournil-gateway dépend d'une bibliothèque du serveur (ci-dessus)." >&2
    exit 1
fi

step "licences and bans"
deploy/setup/licences.sh

step "judges"
FOURNIL_PYTHON=$(deploy/setup/python.sh)
export FOURNIL_PYTHON

step "build"
cargo build --quiet --workspace --bins

step "unit, property and database tests, golden bytes"
cargo test --workspace --all-features --lib --bins
cargo test -p fournil-protocol --test wire
cargo test -p fournil-gateway --test gallery

step "simulation: fault schedules in virtual time"
cargo test -p fournil-tests --test sim

step "end-to-end tests"
cargo test -p fournil-tests --test e2e

step "USB printers in a kernel of their own"
deploy/setup/usb.sh

step "chaos"
CHAOS_SECONDS=${CHAOS_SECONDS:-75} cargo test -p fournil-tests --test chaos -- --nocapture

step "any bytes into every decoder"
deploy/setup/fuzz.sh

step "demonstration"
deploy/demo/check.sh

printf '\nfournil: tout est passé en %d s\n' $((SECONDS - began))
