#!/usr/bin/env bash
# Prints the table of the upstream's faults: each fault, moment and dialect against what was observed with real processes.
#
#   scripts/fault_table.sh [--write] [FILTER]
#     --write   put the table into docs/reliability.md, too
#     FILTER    only the rows whose name matches this pattern of --gtest_filter, for example '*cut*'
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

write=no
filter='*'
for argument in "$@"; do
  case "$argument" in
    --write) write=yes ;;
    -*) printf 'usage: scripts/fault_table.sh [--write] [FILTER]\n' >&2; exit 2 ;;
    *) filter=$argument ;;
  esac
done
[ $write = no ] || [ "$filter" = '*' ] || die "--write needs the whole table"

cd "$root"
mkdir -p build
install_packages "${build_packages[@]}"
page=docs/reliability.md
made=$(mktemp)
trap 'rm -f "$made" "$made".*' EXIT

say "Build" >&2
build dev e2e_fault_table_test >&2
say "Run" >&2
passed=yes
HOLDFAST_BIN_DIR=$root/build/dev/bin HOLDFAST_FAULT_TABLE=$made \
  build/dev/tests/e2e_fault_table_test --gtest_brief=1 --gtest_filter="$filter" >"$made.log" 2>&1 || passed=no
cat "$made"
tail -n 20 "$made.log" >&2
[ $passed = yes ] || die "rows above are not as they must be"
[ $write = yes ] || exit 0

grep -q '^<!-- begin fault table -->$' $page && grep -q '^<!-- end fault table -->$' $page || die "$page has lost its markers"
awk -v made="$made" '
  /^<!-- begin fault table -->$/ { print; print ""; while ((getline line < made) > 0) print line; print ""; skip = 1; next }
  /^<!-- end fault table -->$/ { skip = 0 }
  !skip' $page >"$made.page"
cat "$made.page" >$page
say "$page is up to date" >&2
