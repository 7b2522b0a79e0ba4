#!/usr/bin/env bash
# The pictures of the README, made by the browser journey of the tests.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
state=${FOURNIL_STATE:-$root/.state}/screenshots
trap 'deploy/setup/postgres.sh wipe "$state/postgres"' EXIT
FOURNIL_TEST_DATABASE_URL=$(FOURNIL_PG_OPTIONS="-c fsync=off" deploy/setup/postgres.sh start "$state/postgres")
export FOURNIL_TEST_DATABASE_URL FOURNIL_SCREENSHOTS=$root/docs/images
mkdir -p "$FOURNIL_SCREENSHOTS"
cargo build --quiet --workspace --bins
cargo test --quiet -p fournil-tests --test e2e browser::
