#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests: everything with the dev build, real clients against the front door, the pure libraries
# under TSan, and a few seconds of each fuzz target.
#
#   scripts/test.sh                  all of it
#   scripts/test.sh --quick          the dev build only
#   scripts/test.sh --asan           besides, unit and integration tests under ASan + UBSan
#   scripts/test.sh --compat         the real clients only
#   scripts/test.sh --compat-latest  their newest versions; they may differ without that this fails
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

mode=${1:-all}
case $mode in
  all | --quick | --asan | --compat | --compat-latest) ;;
  *) printf 'usage: scripts/test.sh [--quick | --asan | --compat | --compat-latest]\n' >&2; exit 2 ;;
esac
# Ctrl-C ends what runs, ninja and ctest included; tests end their own processes.
trap 'trap - INT TERM; kill -- $(jobs -p) 2>/dev/null; exit 130' INT TERM

cd "$root"
mkdir -p build
case $mode in
  --compat | --compat-latest)
    install_packages "${build_packages[@]}"
    build dev quota_service upstream_simulator
    [ $mode = --compat ] || exec scripts/compat.sh --latest
    exec scripts/compat.sh
    ;;
esac
install_packages "${build_packages[@]}" clang-format curl docker-compose git jq openssl sqlite3
unpack_package prometheus
started=$SECONDS
minutes() { printf '%d:%02d' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

say "Format"
git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror

say "dev: build"
build dev all
say "dev: all tests [$(minutes)]"
ctest --preset dev -j2

if [ $mode != --quick ]; then
  say "real clients [$(minutes)]"
  scripts/compat.sh
  say "tsan: build the pure libraries [$(minutes)]"
  build tsan all
  say "tsan: tests of the pure libraries [$(minutes)]"
  ctest --preset tsan -j2
  say "fuzz: a few seconds each [$(minutes)]"
  scripts/fuzz.sh 3
fi
if [ $mode = --asan ]; then
  say "asan: build [$(minutes)]"
  build asan all
  say "asan: unit and integration tests [$(minutes)]"
  ctest --preset asan -j2 -LE e2e
fi
say "All tests passed [$(minutes)]"
