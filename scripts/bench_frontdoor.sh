#!/usr/bin/env bash
# The front door against nginx and Portkey's gateway, and its streams, as docs/performance.md has them.
#
#   scripts/bench_frontdoor.sh [--no-portkey] [OPTION…]
#     OPTION…   for bench/frontdoor/compare.py, for example --rounds 5 --only compare
#
# Needs the Debian packages nginx-light, wrk and python3, and for Portkey's gateway node and npm. Takes about ten minutes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

portkey=$root/build/bench/portkey
if [ "${1:-}" = --no-portkey ]; then
  portkey=
  shift
fi
for program in nginx wrk python3 ${portkey:+node npm}; do
  command -v "$program" >/dev/null || die "$program is missing; install the Debian packages nginx-light, wrk, python3, nodejs and npm"
done
cd "$root"
cmake --preset release >/dev/null
cmake --build --preset release --target quota_service bench_frontdoor bench_curl
if [ -n "$portkey" ]; then
  mkdir -p "$portkey"
  cp bench/frontdoor/portkey/package.json bench/frontdoor/portkey/package-lock.json "$portkey"
  (cd "$portkey" && npm ci --ignore-scripts --no-audit --no-fund)
fi
ulimit -n "$(ulimit -Hn)"
exec python3 bench/frontdoor/compare.py --quota-service build/release/bin/quota_service \
  --stream-bench build/release/bin/stream_bench --curl-bench build/release/bin/curl_bench \
  ${portkey:+--portkey "$portkey"} "$@"
