#!/usr/bin/env bash
# Many schedules of the simulation, each from its seed (SCHEDULES, 10000; FIRST, 1), or one again
# with its log (SEED). Built with optimisation, which makes it several times faster.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
state=${FOURNIL_STATE:-$root/.state}/sim
trap 'deploy/setup/postgres.sh wipe "$state/postgres" || true' EXIT

FOURNIL_TEST_DATABASE_URL=$(FOURNIL_PG_OPTIONS="-c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
    deploy/setup/postgres.sh start "$state/postgres")
export FOURNIL_TEST_DATABASE_URL
export FOURNIL_SIM_SCHEDULES=${SCHEDULES:-10000} FOURNIL_SIM_FIRST=${FIRST:-1}
if [ -n "${SEED:-}" ]; then export FOURNIL_SIM_SEED=$SEED; fi
cargo test --quiet --profile sim -p fournil-tests --test sim
