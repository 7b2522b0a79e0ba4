#!/usr/bin/env bash
# Runs the demonstration as a person would and looks at it: it comes up, says where it is and
# who may sign in, prints what is punched and sold nowhere else, stops whole on Ctrl-C, goes on
# where it stopped, and can be forgotten.
set -euo pipefail
cd "$(dirname "$0")/../.."

export FOURNIL_STATE=${FOURNIL_STATE:-$PWD/.state}/demo-check
export FOURNIL_DEMO_PORT=${FOURNIL_DEMO_PORT:-18443} FOURNIL_DEMO_DEVICES_PORT=${FOURNIL_DEMO_DEVICES_PORT:-18370}
unset DATABASE_URL FOURNIL_TEST_DATABASE_URL
state=$FOURNIL_STATE/demo
out=$FOURNIL_STATE/out.txt
demo=
fail() { echo "fournil: démonstration : $*" >&2; [ -s "$out" ] && tail -n 20 "$out" >&2; exit 1; }
cleanup() {
    [ -n "$demo" ] && kill -INT "$demo" 2>/dev/null && wait "$demo" 2>/dev/null
    deploy/demo/demo.sh reset >/dev/null 2>&1 || true
    rm -rf "$FOURNIL_STATE"
}
trap cleanup EXIT
deploy/demo/demo.sh reset >/dev/null
mkdir -p "$FOURNIL_STATE"

# Starts it and waits until it says that it runs; prints how long that took, in seconds.
start() {
    local began=$SECONDS
    : >"$out"
    # With job control the script gets the signals of a terminal, which shells ignore in the
    # background; and where whoever runs this already ignored them, they count again.
    set -m
    env --default-signal=INT deploy/demo/demo.sh run >"$out" 2>&1 &
    demo=$!
    set +m
    until grep -q 'Fournil tourne' "$out"; do
        kill -0 "$demo" 2>/dev/null || fail "elle s'est arrêtée avant d'être prête"
        [ $((SECONDS - began)) -lt 120 ] || fail "elle n'est pas prête après 120 s"
        sleep 0.1
    done
    took=$((SECONDS - began))
}
# Ctrl-C reaches the script; nothing of it may be left.
stop() {
    kill -INT "$demo"
    wait "$demo" || fail "Ctrl-C a fini par une erreur"
    demo=
    if pgrep -f "$state" >/dev/null; then fail "il reste des processus : $(pgrep -af "$state")"; fi
}
page() { curl -fsS --cacert "$state/tls/ca.pem" "https://localhost:$FOURNIL_DEMO_PORT$1"; }
punches() { curl -fsS -H 'accept: application/json' "http://127.0.0.1:$((FOURNIL_DEMO_DEVICES_PORT + 1))/state"; }

start
echo "premier démarrage (déjà compilée) : $took s"
grep -q "https://localhost:$FOURNIL_DEMO_PORT" "$out" || fail "l'adresse n'est pas dite"
grep -q 'Mot de passe' "$out" || fail "les comptes ne sont pas dits"
grep -q "$state/tls/ca.pem" "$out" || fail "le certificat n'est pas dit"
page /readyz >/dev/null || fail "/readyz ne répond pas"
[[ $(page /login) == *'name="password"'* ]] || fail "la page de connexion ne s'affiche pas"
curl -fsS "http://127.0.0.1:$((FOURNIL_DEMO_DEVICES_PORT + 3))/" >/dev/null || fail "la page de l'imprimante ne répond pas"
[[ $(punches) == *'"counters"'* ]] || fail "la page de la pointeuse ne répond pas"
for _ in $(seq 100); do grep -q 'session begins' "$state/logs/gateway.log" && met=1 && break; sleep 0.1; done
[ -n "${met:-}" ] || fail "la passerelle ne s'est pas connectée"
if deploy/demo/demo.sh run >"$FOURNIL_STATE/second.txt" 2>&1; then fail "une seconde démonstration a démarré"; fi
grep -q 'tourne déjà' "$FOURNIL_STATE/second.txt" || fail "la seconde ne dit pas pourquoi elle refuse"
stop
logins=$(cat "$state/logins.txt")

start
echo "démarrage suivant : $took s"
[ "$took" -lt 10 ] || fail "le démarrage suivant a pris $took s"
[ "$logins" = "$(cat "$state/logins.txt")" ] || fail "elle n'a pas repris où elle en était"
stop
deploy/demo/demo.sh reset >/dev/null
[ ! -e "$state" ] || fail "reset a laissé $state"
echo "démonstration : démarre, s'arrête, reprend et s'efface"
