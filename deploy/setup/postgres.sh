#!/usr/bin/env bash
# A private PostgreSQL cluster for the demonstration or the tests: its own folder, a free port,
# loopback only, a password of its own. Never touches a cluster of the system.
#   postgres.sh start DIR   makes it if need be, starts it, prints its URL
#   postgres.sh url DIR     prints its URL
#   postgres.sh stop DIR    stops it
#   postgres.sh wipe DIR    stops it and removes the folder
# PostgreSQL refuses to run as root: as root it runs as the user `postgres`.
set -euo pipefail

action=${1:?start, url, stop or wipe}
dir=$(realpath -m "${2:?folder of the cluster}")
fail() { echo "fournil: $*" >&2; exit 1; }

bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1) || true
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo /usr/bin/initdb)")
[ -x "$bin/initdb" ] || fail "PostgreSQL est introuvable : lancez deploy/setup/install.sh, puis recommencez."

as_owner=()
if [ "$(id -u)" -eq 0 ]; then
    as_owner=(runuser -u postgres --)
    # The folder must be reachable for `postgres`: a clone inside /root is not.
    probe=$dir
    while [ ! -e "$probe" ]; do probe=$(dirname "$probe"); done
    if ! (cd / && "${as_owner[@]}" test -x "$probe"); then
        dir=/var/tmp/fournil-$(printf '%s' "$dir" | cksum | cut -d' ' -f1)
    fi
fi
data=$dir/data

own() { [ "$(id -u)" -eq 0 ] && chown -R postgres: "$dir" || true; }
run() { (cd / && "${as_owner[@]}" "$@"); }
running() { [ -s "$data/postmaster.pid" ] && run "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }
port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
url() { echo "postgres://fournil:$(cat "$dir/password")@127.0.0.1:$(cat "$dir/port")/${1:-postgres}"; }

make_cluster() {
    mkdir -p "$dir"
    chmod 711 "$dir"
    head -c 18 /dev/urandom | base64 | tr '+/' 'ab' >"$dir/password"
    chmod 600 "$dir/password"
    own
    run "$bin/initdb" -D "$data" -U fournil --auth=scram-sha-256 --pwfile="$dir/password" \
        --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 \
        || { cat "$dir/initdb.log" >&2; fail "initdb a échoué dans $dir (espace disque ? droits ?)."; }
}

start() {
    [ -s "$data/PG_VERSION" ] || make_cluster
    if running; then return; fi
    local port=""
    [ -s "$dir/port" ] && port=$(cat "$dir/port")
    for _ in $(seq 50); do
        if [ -n "$port" ] && ! port_is_taken "$port"; then break; fi
        port=$((20000 + RANDOM % 12000))
    done
    echo "$port" >"$dir/port"
    # FOURNIL_PG_OPTIONS is for the tests (durability off where a test does not need it).
    # shellcheck disable=SC2086
    run "$bin/pg_ctl" -D "$data" -l "$dir/server.log" -w -t 60 start \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 ${FOURNIL_PG_OPTIONS:-}" \
        >/dev/null 2>&1 \
        || { tail -n 20 "$dir/server.log" >&2; fail "PostgreSQL n'a pas démarré (journal : $dir/server.log)."; }
}

stop() { if running; then run "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null; fi; }

case $action in
    start) start; url ;;
    url) url ;;
    stop) stop ;;
    wipe) stop; rm -rf "$dir" ;;
    *) fail "action inconnue : $action (start, url, stop, wipe)" ;;
esac
