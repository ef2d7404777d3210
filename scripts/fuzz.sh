#!/usr/bin/env bash
# Fuzzes what reads bytes from outside: libFuzzer under ASan and UBSan, one target after the other, each from its corpus in tests/fuzz/corpus
# and what earlier runs added to it in build/fuzz/corpus.
#
#   scripts/fuzz.sh [SECONDS_PER_TARGET] [TARGET...]     60 seconds and all targets unless given
#
# An input that breaks a property stays in build/fuzz/findings: mend the code, add a test, and keep the input in tests/fuzz/corpus/TARGET,
# where every build replays it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
if [[ ${1:-} == -* || $seconds == 0 ]]; then
  printf 'usage: scripts/fuzz.sh [SECONDS_PER_TARGET] [TARGET...]\n' >&2
  exit 2
fi

cd "$root"
mkdir -p build
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls tests/fuzz/corpus)
for target in "${targets[@]}"; do
  [ -d "tests/fuzz/corpus/$target" ] || die "there is no target $target; targets: $(ls tests/fuzz/corpus | paste -sd ' ')"
done

install_packages "${build_packages[@]}" clang-14 libclang-rt-14-dev
say "fuzz: build"
build fuzz "${targets[@]/#/fuzz_}"

# Files that a target writes live in memory where that is possible.
[ -w /dev/shm ] && export TMPDIR=/dev/shm
export UBSAN_OPTIONS=print_stacktrace=1
findings=build/fuzz/findings
failed=()
for target in "${targets[@]}"; do
  seeds=tests/fuzz/corpus/$target
  grown=build/fuzz/corpus/$target
  log=build/fuzz/$target.log
  mkdir -p "$grown" "$findings"
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=1536 -print_final_stats=1 -artifact_prefix="$findings/$target-")
  dictionary=tests/fuzz/dictionaries/$target.dict
  [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
  if build/fuzz/fuzz/"fuzz_$target" "${options[@]}" "$grown" "$seeds" >"$log" 2>&1 </dev/null; then
    awk -v target="$target" '
      /^stat::number_of_executed_units:/ {runs = $2}
      / cov: / {for (i = 1; i < NF; ++i) if ($i == "cov:") edges = $(i + 1)}
      END {printf "%-18s %12d inputs, %6d edges\n", target, runs, edges}' "$log"
  else
    failed+=("$target")
    printf '%-18s FAILED\n' "$target"
    grep -m 1 -A 25 -E 'property does not hold|ERROR: |runtime error' "$log" || tail -n 25 "$log"
  fi
done
[ ${#failed[@]} -eq 0 ] || die "${failed[*]}: the inputs are in $findings, the logs in build/fuzz"
