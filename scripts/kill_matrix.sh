#!/usr/bin/env bash
# kill -9 of each process in the middle of scripted sessions, and what is left of them (docs/reliability.md, "Kills").
#
#   scripts/kill_matrix.sh [KILLS] [SEED]     default: 300 kills, a new seed, which is printed; release binaries
#   scripts/kill_matrix.sh --quick [SEED]     30 kills, the dev build: what CI runs
#   HOLDFAST_PRESET=dev                       with these binaries
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

preset=${HOLDFAST_PRESET:-release}
if [ "${1:-}" = --quick ]; then
  preset=${HOLDFAST_PRESET:-dev}
  set -- 30 "${@:2}"
fi
kills=${1:-300}
seed=${2:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
case "$kills$seed" in
  *[!0-9]* | "") printf 'usage: scripts/kill_matrix.sh [--quick | KILLS] [SEED]\n' >&2; exit 2 ;;
esac

mkdir -p "$root/build"
install_packages "${build_packages[@]}"
say "Building ($preset)"
build "$preset" e2e_kill_matrix_test
say "$kills kills"
HOLDFAST_BIN_DIR=$root/build/$preset/bin HOLDFAST_KILLS=$kills HOLDFAST_SEED=$seed exec "$root/build/$preset/tests/e2e_kill_matrix_test"
