#!/usr/bin/env bash
# Draws the pictures of docs/admission.md: waits, shares, use over time. Some seconds.
#
#   scripts/admission_pictures.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

[ $# = 0 ] || { printf 'usage: scripts/admission_pictures.sh\n' >&2; exit 2; }
preset=${HOLDFAST_PRESET:-release}

mkdir -p "$root/build"
install_packages "${build_packages[@]}" python3
say "Building ($preset)"
build "$preset" policies
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
policies=$root/build/$preset/bin/policies

say "Playing"
"$policies" --scenario sole --hours 4 --seeds 1 --csv "$scratch/sole.csv" >/dev/null
"$policies" --scenario weights --hours 4 --seeds 1 --policy holdfast --csv "$scratch/weights.csv" >/dev/null
"$policies" --scenario limit-change --scenario limit-change-silent --hours 3 --seeds 1 --policy holdfast \
  --csv "$scratch/change.csv" >/dev/null
python3 "$root/scripts/lib/admission_pictures.py" "$scratch/sole.csv" "$scratch/weights.csv" "$scratch/change.csv" "$root/docs"
say "docs/admission-{waits,shares,use}.svg are up to date"
