#!/usr/bin/env bash
# The whole system on one machine with simulated devices.
#   demo.sh run     builds, starts, prints addresses and logins, shows logs; Ctrl-C stops all
#   demo.sh reset   forgets everything it kept
# It starts again where it stopped. DATABASE_URL, if set, is used instead of a private cluster.
set -euo pipefail

action=${1:-run}
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
state=$(realpath -m "${FOURNIL_STATE:-$root/.state}")/demo
bin=${CARGO_TARGET_DIR:-$root/target}/debug
port=${FOURNIL_DEMO_PORT:-8443}
devices=${FOURNIL_DEMO_DEVICES_PORT:-14370}
clock_port=$devices clock_page=$((devices + 1)) printer_port=$((devices + 2)) printer_page=$((devices + 3))
push_port=$((devices + 4)) caller_port=$((devices + 5)) caller_page=$((devices + 6))
fail() { echo "fournil: $*" >&2; exit 1; }

mkdir -p "$state/logs"
exec 9>"$state/lock"
flock -n 9 || fail "la démonstration tourne déjà (dossier $state). Arrêtez-la d'abord avec Ctrl-C."

if [ "$action" = reset ]; then
    deploy/setup/postgres.sh wipe "$state/postgres"
    rm -rf "$state"
    echo "fournil: démonstration effacée ($state)"
    exit 0
fi
[ "$action" = run ] || fail "action inconnue : $action (run, reset)"

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for wanted in "$port" $clock_port $clock_page $printer_port $printer_page $push_port $caller_port $caller_page; do
    if port_is_taken "$wanted"; then
        fail "le port $wanted est occupé : fermez le programme qui l'utilise (ss -ltnp | grep :$wanted), ou choisissez-en d'autres : FOURNIL_DEMO_PORT=9443 FOURNIL_DEMO_DEVICES_PORT=24370 make demo."
    fi
done

echo "fournil: compilation (plusieurs minutes la première fois)"
cargo build --quiet --workspace --bins
[ -x "$bin/fournil-cloud" ] || fail "fournil-cloud n'est pas dans $bin : CARGO_TARGET_DIR a changé ?"

own_cluster=
pids=()
names=()
# Each process dies with this script, whatever happens to it; Ctrl-C reaches only the script.
launch() {
    local name=$1
    shift
    setsid setpriv --pdeathsig TERM -- "$@" >>"$state/logs/$name.log" 2>&1 9>&- &
    pids+=($!)
    names+=("$name")
}
stop_all() {
    trap - EXIT INT TERM
    echo
    echo "fournil: arrêt"
    [ -n "${tail_pid:-}" ] && kill "$tail_pid" 2>/dev/null
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null || continue
        for _ in $(seq 60); do kill -0 "${pids[i]}" 2>/dev/null || break; sleep 0.1; done
        kill -KILL "${pids[i]}" 2>/dev/null && echo "fournil: ${names[i]} a dû être interrompu"
    done
    [ -n "$own_cluster" ] && deploy/setup/postgres.sh stop "$state/postgres"
    exit "${status:-0}"
}
status=0
trap 'status=$?; stop_all' EXIT
trap 'status=0; stop_all' INT TERM

if [ -n "${DATABASE_URL:-}" ]; then
    database=$DATABASE_URL
else
    own_cluster=1
    cluster_url=$(deploy/setup/postgres.sh start "$state/postgres")
    psql -q "$cluster_url" -tAc "select 1 from pg_database where datname = 'fournil'" | grep -q 1 \
        || psql -q "$cluster_url" -c 'create database fournil'
    database=${cluster_url%/*}/fournil
fi

for log in cloud gateway clock caller printer; do : >"$state/logs/$log.log"; done
cat >"$state/cloud.toml" <<TOML
[web]
listen = ["127.0.0.1:$port"]
listen_metrics = "127.0.0.1:0"
public_name = "localhost"
public_url = "https://localhost:$port"

[tls]
auto_dir = "$state/tls"

[database]
url = "$database"
TOML
chmod 600 "$state/cloud.toml"
cloud() { "$bin/fournil-cloud" --config "$state/cloud.toml" "$@"; }

cloud migrate up >>"$state/logs/cloud.log" 2>&1 || { tail -n 3 "$state/logs/cloud.log" >&2; fail "la migration a échoué"; }
[ -s "$state/logins.txt" ] || { cloud demo-data --clock-serial SIM0000000001 >"$state/logins.new" && mv "$state/logins.new" "$state/logins.txt"; }
launch cloud "$bin/fournil-cloud" --config "$state/cloud.toml" serve
ca=$state/tls/ca.pem
for _ in $(seq 150); do
    [ -s "$ca" ] && curl -fsS --cacert "$ca" "https://localhost:$port/readyz" >/dev/null 2>&1 && ready=1 && break
    kill -0 "${pids[-1]}" 2>/dev/null || { tail -n 5 "$state/logs/cloud.log" >&2; fail "fournil-cloud s'est arrêté"; }
    sleep 0.1
done
[ -n "${ready:-}" ] || { tail -n 5 "$state/logs/cloud.log" >&2; fail "fournil-cloud ne répond pas sur le port $port"; }

launch clock "$bin/fournil-sim" clock --listen "127.0.0.1:$clock_port" --http "127.0.0.1:$clock_page" \
    --comm-key 1234 --users 6 --punches 120 --punch-every 90 --state "$state/clock.json"
# A second clock, which calls the gateway by itself.
launch caller "$bin/fournil-sim" clock --listen "127.0.0.1:$caller_port" --http "127.0.0.1:$caller_page" \
    --serial SIM0000000002 --users 6 --punches 40 --punch-every 240 --state "$state/caller.json" \
    --push "http://127.0.0.1:$push_port"
launch printer "$bin/fournil-sim" printer --tcp "127.0.0.1:$printer_port" --http "127.0.0.1:$printer_page" \
    --out "$state/receipts"

cat >"$state/gateway.toml" <<TOML
state_dir = "$state/gateway"

[[clock]]
name = "entree"
address = "127.0.0.1:$clock_port"
comm_key = 1234

[push]
listen = "127.0.0.1:$push_port"
[[push.clock]]
name = "atelier"
serial = "SIM0000000002"

[[printer]]
name = "caisse"
to = "tcp://127.0.0.1:$printer_port"
TOML
chmod 600 "$state/gateway.toml"
if [ ! -e "$state/gateway/identity/identity.toml" ]; then
    code=$(cloud gateway code --name "Magasin" --json | sed -n 's/.*"code": *"\([^"]*\)".*/\1/p')
    "$bin/fournil-gateway" --config "$state/gateway.toml" enrol \
        --url "https://localhost:$port" --code "$code" --ca "$ca" >>"$state/logs/gateway.log" 2>&1 \
        || { tail -n 3 "$state/logs/gateway.log" >&2; fail "l'enrôlement de la passerelle a échoué"; }
fi
launch gateway "$bin/fournil-gateway" --config "$state/gateway.toml" run

cat <<TEXT

  Fournil tourne.

    ERP           https://localhost:$port
    Certificat    $ca   (autorité privée : à accepter ou à importer dans le navigateur)
    Pointeuse     http://127.0.0.1:$clock_page   (pointez ici)
    Une autre     http://127.0.0.1:$caller_page   (elle appelle la passerelle d'elle-même)
    Imprimante    http://127.0.0.1:$printer_page   (les tickets sortent ici)

$(sed 's/^/    /' "$state/logins.txt")

  Ctrl-C arrête tout ; « make demo » reprend là où vous en étiez ; « make demo-reset » efface tout.

TEXT
tail -n 0 -F "$state"/logs/*.log 9>&- 2>/dev/null &
tail_pid=$!
# Ends when any process does: the rest is stopped and the reason shown.
while :; do
    for i in "${!pids[@]}"; do
        if ! kill -0 "${pids[i]}" 2>/dev/null; then
            tail -n 5 "$state/logs/${names[i]}.log" >&2
            fail "${names[i]} s'est arrêté"
        fi
    done
    sleep 0.5
done
