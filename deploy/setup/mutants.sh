#!/usr/bin/env bash
# Whether the simulation can fail: breaks one guarantee at a time in a copy of the sources and
# runs schedules until one goes red. A mutant that survives, or a change that no longer finds its
# place in the code, ends this with 1.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
state=${FOURNIL_STATE:-$root/.state}/mutants
copy=$state/copy
trap 'deploy/setup/postgres.sh wipe "$state/postgres" || true; rm -rf "$copy"' EXIT

FOURNIL_TEST_DATABASE_URL=$(FOURNIL_PG_OPTIONS="-c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
    deploy/setup/postgres.sh start "$state/postgres")
export FOURNIL_TEST_DATABASE_URL SQLX_OFFLINE=true RUST_BACKTRACE=0
export FOURNIL_SIM_SCHEDULES=${SCHEDULES:-300} FOURNIL_SIM_FAILURES=1
# A target folder of its own: builds of the copy would pass for builds of the sources.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}-mutants
survivors=0

rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$copy"

# mutant NAME FILE PERL [FILE PERL]...: each PERL expression must change its file.
mutant() {
    local name=$1 files=()
    shift
    while [ $# -gt 0 ]; do
        files+=("$1")
        perl -0pi -e "$2" "$copy/$1"
        if cmp -s "$copy/$1" "$root/$1"; then
            echo "fournil: le mutant « $name » ne trouve plus sa place dans $1 : mettez deploy/setup/mutants.sh à jour." >&2
            exit 1
        fi
        shift 2
    done
    if ! (cd "$copy" && cargo test --quiet -p fournil-tests --test sim --no-run); then
        echo "fournil: le mutant « $name » ne se compile pas." >&2
        exit 1
    fi
    if out=$(cd "$copy" && cargo test --quiet -p fournil-tests --test sim 2>&1); then
        echo "SURVIVED  $name"
        survivors=$((survivors + 1))
    else
        echo "red       $name: $(grep -m1 '^seed ' <<<"$out" || tail -3 <<<"$out")"
    fi
    # With a new date, so that it is built again.
    for file in "${files[@]}"; do cp "$root/$file" "$copy/$file"; done
}

mutant "ack before commit" cloud/src/gateways/session.rs \
    's/(        let \(db, sink\) = \(self\.hub\.db\(\), self\.hub\.sink\(\)\);\n)/        if let Some(last) = frames.last().and_then(|frame| frame.events.last()).and_then(|bytes| fournil_protocol::event::Event::decode(bytes.as_slice()).ok()) {\n            self.wire.send(Kind::Ack(Ack { up_durable: Some(last.seq), down_durable: None })).await?;\n        }\n$1/'

mutant "no dedupe" cloud/src/gateways/intake.rs \
    's/if entry\.seq <= took\.durable \{\s*continue;/if entry.seq <= took.durable {\n            let again = RawEvent { epoch, seq: entry.seq, bytes: entry.bytes };\n            take_one(&mut act, sink, gateway_id, &again, care).await?;\n            continue;/; s/if took\.durable > mark\.durable \{/if took.durable >= mark.durable {/'

mutant "no expiry" gateway/src/app/route.rs \
    's/now_ms > not_after_ms => Deadline::Passed,/now_ms > not_after_ms => Deadline::Open,/' \
    gateway/src/app/router.rs 's/self\.stale\.contains\(&job\.id\) \|\| since\.elapsed\(\) > DRAWER_PATIENCE/false/' \
    gateway/src/printer/queue.rs 's/if self\.interrupted\.is_some\(\) \{/if true {/'

mutant "resume off by one" cloud/src/gateways/session.rs \
    's/down_resume_from: self\.opened\.down_durable \+ 1,/down_resume_from: self.opened.down_durable + 2,/'

mutant "no half-open detection" gateway/src/tunnel/session/live.rs \
    's/self\.heartbeat \* DEAD_AFTER_TENTHS_OF_HEARTBEAT \/ 10/self.heartbeat * 100_000/'

mutant "an interrupted attempt is made again" gateway/src/printer/queue.rs \
    's/interrupted: job\s*\.interrupted_attempt\s*\.map\(.*?\),\n/interrupted: None,\n/s'

[ "$survivors" -eq 0 ] || exit 1
