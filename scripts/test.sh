#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests: dev (everything), ASan + UBSan (everything but end to end), TSan (the pure libraries).
#
#   scripts/test.sh            all of it
#   scripts/test.sh --quick    the dev build only
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

quick=no
case "${1:-}" in
  "") ;;
  --quick) quick=yes ;;
  *) printf 'usage: scripts/test.sh [--quick]\n' >&2; exit 2 ;;
esac
trap 'trap - INT TERM; kill 0' INT TERM

cd "$root"
mkdir -p build
install_packages "${build_packages[@]}" curl jq openssl sqlite3 clang-format
started=$SECONDS
minutes() { printf '%d:%02d' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

say "Format"
git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror

say "dev: build [$(minutes)]"
build dev all
say "dev: tests [$(minutes)]"
ctest --preset dev -j2

if [ $quick = no ]; then
  say "tsan: build and test the pure libraries [$(minutes)]"
  build tsan all
  ctest --preset tsan -j2

  say "asan: build [$(minutes)]"
  build asan all
  say "asan: tests [$(minutes)]"
  ctest --preset asan -j2 -LE e2e
fi
say "All tests passed [$(minutes)]"
