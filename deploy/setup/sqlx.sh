#!/usr/bin/env bash
# The statements of the program, checked against a freshly migrated database.
#   sqlx.sh write   makes .sqlx again    sqlx.sh check   fails when .sqlx is stale
set -euo pipefail

action=${1:?write or check}
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
export PGOPTIONS="-c client_min_messages=warning"
cluster=${FOURNIL_STATE:-$root/.state}/sqlx
cleanup() { deploy/setup/postgres.sh stop "$cluster" || true; rm -rf "${fresh:-}"; }
trap cleanup EXIT
url=$(FOURNIL_PG_OPTIONS="-c fsync=off" deploy/setup/postgres.sh start "$cluster")
base=${url%/*}
psql -q "$url" -c 'drop database if exists fournil_sqlx' -c 'create database fournil_sqlx'
for file in migrations/[0-9]*.sql; do
    psql -q -v ON_ERROR_STOP=1 -1 "$base/fournil_sqlx" -f "$file"
done

fresh=$(mktemp -d)
export SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$fresh DATABASE_URL=$base/fournil_sqlx
# The macros write while they expand: make every user of them expand again.
touch cloud/src/lib.rs tests/src/lib.rs
cargo check --quiet --workspace --all-targets --all-features
case $action in
    write) rm -rf .sqlx && mkdir .sqlx && cp "$fresh"/query-*.json .sqlx/ ;;
    check)
        if ! diff -rq "$fresh" .sqlx >/dev/null; then
            echo "fournil: .sqlx n'est pas à jour : lancez make sqlx et validez le résultat." >&2
            diff -rq "$fresh" .sqlx >&2 || true
            exit 1
        fi ;;
    *) echo "fournil: action inconnue : $action" >&2; exit 2 ;;
esac
