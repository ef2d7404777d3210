#!/usr/bin/env bash
# Thousands of calls and turns, one in ten spoilt by the upstream: says what both services hold on the way, and fails if they grow.
#
#   scripts/endurance.sh [CALLS]        20000 unless given; release build
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

calls=${1:-20000}
[[ $calls =~ ^[1-9][0-9]{0,8}$ ]] || { printf 'usage: scripts/endurance.sh [CALLS]\n' >&2; exit 2; }
preset=${HOLDFAST_PRESET:-release}

mkdir -p "$root/build"
install_packages "${build_packages[@]}"
say "Building ($preset)"
build "$preset" e2e_endurance_test
say "$calls calls"
HOLDFAST_BIN_DIR=$root/build/$preset/bin HOLDFAST_ENDURANCE_CALLS=$calls "$root/build/$preset/tests/e2e_endurance_test" --gtest_filter=Endurance.*
