#!/usr/bin/env bash
# Plays hours of simulated agent sessions before a simulated provider, and holds what became of them against what
# docs/admission.md asks of admission: one row for each figure, required and measured. Exits 1 where one is missed.
#
#   scripts/policies.sh [SEEDS]     3 unless given; some minutes
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

seeds=${1:-3}
[[ $seeds =~ ^[1-9][0-9]{0,2}$ ]] || { printf 'usage: scripts/policies.sh [SEEDS]\n' >&2; exit 2; }
preset=${HOLDFAST_PRESET:-release}

mkdir -p "$root/build"
install_packages "${build_packages[@]}"
say "Building ($preset)" >&2
build "$preset" policies >&2
say "Playing with seeds 1 to $seeds" >&2
"$root/build/$preset/bin/policies" --judge --seeds "$seeds"
