#!/usr/bin/env bash
# Any bytes into every decoder of outside bytes, two targets at a time, FUZZ_SECONDS each (60
# unless told). Needs no tool beside cargo: the counters are the compiler's own, the engine is
# libFuzzer as the crate libfuzzer-sys builds it, on stable and without a sanitizer.
#   fuzz.sh            build and run all       fuzz.sh TARGET…   run these
set -euo pipefail
cd "$(dirname "$0")/../../tests/fuzz"
seconds=${FUZZ_SECONDS:-60}
cache=${FOURNIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fournil}
host=$(rustc -vV | sed -n 's/^host: //p')
# Its own folder: these flags fit nothing else. Naming the host keeps them away from macros and
# build scripts.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}/fuzz
export SQLX_OFFLINE=true
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS=$flags cargo build --quiet --locked --keep-going --release --target "$host" --bins
bin=$CARGO_TARGET_DIR/$host/release
corpus=$CARGO_TARGET_DIR/corpus
artifacts=$PWD/artifacts
export FUZZ_SEEDS=$corpus/seeds

declare -A longest=([wire]=70000 [clock]=8192 [printer]=70000 [journal]=4096 [doors]=4096 [push]=8192)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(wire journal clock printer doors push)

run() {
    local target=$1 log=$CARGO_TARGET_DIR/$1.log
    mkdir -p "$corpus/$target" "$corpus/seeds/$target" "$artifacts/$target"
    # A target that hangs on one input has a fault as well.
    if "$bin/$target" -max_total_time="$seconds" -max_len="${longest[$target]}" -timeout=10 \
        -rss_limit_mb=1024 -use_value_profile=1 -print_final_stats=1 \
        -artifact_prefix="$artifacts/$target/" \
        "$corpus/$target" "$corpus/seeds/$target" >"$log" 2>&1; then
        local runs cover
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        cover=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -n 1)
        echo "fuzz: $target: $runs inputs in $seconds s, $cover, nothing fell"
        rmdir "$artifacts/$target" "$artifacts" 2>/dev/null || true
        return 0
    fi
    tail -n 40 "$log" >&2
    echo "fournil: la cible $target est tombée ; l'entrée est gardée dans $artifacts/$target." >&2
    echo "fournil: pour la rejouer : $bin/$target $artifacts/$target/…" >&2
    return 1
}

failed=0
for ((at = 0; at < ${#targets[@]}; at += 2)); do
    pids=()
    for target in "${targets[@]:at:2}"; do
        run "$target" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
done
exit $failed
