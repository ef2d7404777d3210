#!/usr/bin/env bash
# Writes the tables of docs/configuration.md from what the services say of the keys that they read.
#
#   scripts/config_reference.sh [--check] [--bin DIR]
#     --check     change nothing; fail where the page is out of date
#     --bin DIR   where quota_service and agent_service are; build/dev/bin unless given
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

bin=$root/build/dev/bin
check=no
while [ $# -gt 0 ]; do
  case "$1" in
    --check) check=yes ;;
    --bin)
      [ $# -gt 1 ] || die "--bin needs a folder"
      bin=$2
      shift
      ;;
    *) printf 'usage: scripts/config_reference.sh [--check] [--bin DIR]\n' >&2; exit 2 ;;
  esac
  shift
done
page=$root/docs/configuration.md
made=$(mktemp)
trap 'rm -f "$made" "$made".*' EXIT

# table SERVICE: its keys as a Markdown table. The reference has two lines a key: `path (type)`, and the text, indented.
table() {
  "$bin/$1" --config-reference | awk '
    BEGIN { print "| key | type | meaning |"; print "|---|---|---|" }
    /^    / { sub(/^ +/, ""); gsub(/\|/, "\\|"); printf "| `%s` | %s | %s |\n", key, type, $0; next }
    { key = $1; type = substr($0, length(key) + 3); sub(/\)$/, "", type); gsub(/\|/, "\\|", type) }'
}

for service in quota_service agent_service; do
  [ -x "$bin/$service" ] || die "$bin/$service is missing; build it first"
  table $service >"$made.$service"
  grep -q "<!-- begin $service -->" "$page" && grep -q "<!-- end $service -->" "$page" || die "$page has lost its markers for $service"
done

# What stands between the markers of a service is replaced by its table.
awk -v made="$made" '
  /^<!-- begin [a-z_]+ -->$/ {
    print; print ""
    while ((getline line < (made "." $3)) > 0) print line
    print ""; skip = 1; next
  }
  /^<!-- end [a-z_]+ -->$/ { skip = 0 }
  !skip' "$page" >"$made"

if cmp -s "$made" "$page"; then exit 0; fi
if [ $check = yes ]; then
  diff -u "$page" "$made" >&2 || true
  die "docs/configuration.md is out of date; run scripts/config_reference.sh"
fi
cat "$made" >"$page"
say "docs/configuration.md is up to date"
