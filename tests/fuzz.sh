#!/usr/bin/env bash
# Builds every fuzz target and runs each for some seconds on its saved corpus, two at a time; prints one line a target.
# Exit code 1 when an input crashes, hangs, or takes more memory than its share (tests/fuzz/src/main.rs).
#
#   tests/fuzz.sh SECONDS [TARGET…]       a crash is kept in target/fuzz/found/
#   tests/fuzz.sh keep TARGET…            minimises corpus and what was found by runs since into tests/fuzz/corpus/
#   tests/fuzz.sh record                  as root: seeds from this kernel, with state made by tools/tc/ipset/iptables
#
# Needs g++ (for libFuzzer itself) and nothing else: no nightly, no clang, no cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target} work=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
corpus=tests/fuzz/corpus
export CXX=${CXX:-g++}

RUSTC_WRAPPER=$PWD/tests/fuzz/rustc.sh CARGO_TARGET_DIR=$target cargo build --quiet --locked --manifest-path tests/fuzz/Cargo.toml
program=$target/debug/fuzz
mapfile -t known < <(CHAOSCOPE_FUZZ=list "$program")

run() { # TARGET ARGUMENT…
  CHAOSCOPE_FUZZ=$1 "$program" -max_len=65536 -rss_limit_mb=512 -timeout=10 -artifact_prefix="$work/found/$1-" "${@:2}"
}

one() { # TARGET SECONDS
  local log=$work/$1.log cases
  mkdir -p "$work/grown/$1" "$corpus/$1"
  if run "$1" -max_total_time="$2" -print_final_stats=1 "$work/grown/$1" "$corpus/$1" >"$log" 2>&1; then
    cases=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%-12s %9s inputs, %s, %s\n' "$1" "$cases" "$(grep -o 'cov: [0-9]*' "$log" | tail -1)" "$(grep -o 'ft: [0-9]*' "$log" | tail -1)"
  else
    printf '%-12s FAILED: %s\n' "$1" "$(grep -m1 -E 'panicked|ERROR: libFuzzer|memory allocation' "$log" || tail -1 "$log")"
    return 1
  fi
}

mkdir -p "$work/found"
case ${1:-60} in
record) # the state of tests/bench/populate.sh, both back ends at once
  rm -rf "$work/seeds"
  export program seeds=$work/seeds
  CHAOSCOPE_FUZZ=record unshare --net bash -euc '. tests/fuzz/state.sh; "$program" "$seeds"'
  for target in "${known[@]}"; do
    [ ! -d "$work/seeds/$target" ] || { mkdir -p "$work/grown/$target"; cp "$work/seeds/$target"/* "$work/grown/$target/"; }
  done ;;
keep)
  for target in "${@:2}"; do
    rm -rf "$work/kept" && mkdir -p "$work/kept" "$work/grown/$target" "$corpus/$target"
    run "$target" -merge=1 -max_len=2048 "$work/kept" "$corpus/$target" "$work/grown/$target" >/dev/null 2>&1
    rm -rf "${corpus:?}/$target" && mkdir "$corpus/$target"
    # The smallest first; 40 files and 20 kB a target are enough to start from.
    (cd "$work/kept" && ls -Sr | head -40) | while read -r file; do
      used=$(du -sb "$corpus/$target" | cut -f1)
      [ $((used + $(stat -c %s "$work/kept/$file"))) -gt 24000 ] || cp "$work/kept/$file" "$corpus/$target/"
    done
  done ;;
*)
  export -f one run
  export work corpus program
  targets=("${@:2}"); [ ${#targets[@]} -gt 0 ] || targets=("${known[@]}")
  printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c "one {} ${1:-60}" || { echo "tests/fuzz.sh: see target/fuzz/found/ and target/fuzz/*.log" >&2; exit 1; } ;;
esac
