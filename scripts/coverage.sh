#!/usr/bin/env bash
# Line coverage of our own code by all tests: builds with gcov's counters, runs unit, integration and e2e tests, prints the share of lines
# per folder, and fails where the pure libraries have less than 95 % or all of it less than 85 %.
#
#   scripts/coverage.sh [--no-run] [FOLDER]    FOLDER: besides, names its files and the lines that no test ran
#
# --no-run reports on the counters that the last run left. A process that is killed loses its own: crash tests count for what lives on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

# As `HOLDFAST_PURE_ONLY` builds them: no thread, socket or gRPC.
pure=(
  common/base common/prompt
  quota_service/{admission,budget,call,ledger,provider,retry,typed} quota_service/upstream/sse_parser.{cc,h}
  agent_service/{context,session,turn}
)
least_pure=95
least_all=85

run=yes
if [ "${1:-}" = --no-run ]; then
  run=no
  shift
fi
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  printf 'usage: scripts/coverage.sh [--no-run] [FOLDER]\n' >&2
  exit 2
fi
folder=${1:-}

cd "$root"
mkdir -p build
install_packages "${build_packages[@]}" curl git gcovr jq openssl sqlite3
if [ $run = yes ]; then
  say "coverage: build"
  build coverage all
  find build/coverage -name '*.gcda' -delete
  say "coverage: all tests"
  ctest --preset coverage -j2
fi

say "coverage: lines"
report=build/coverage/lines.json
gcovr --root . -j "$(nproc)" build/coverage \
  --filter 'common/' --filter 'quota_service/' --filter 'agent_service/' --filter 'clients/' --json "$report" 2>build/coverage/gcovr.log ||
  { tail -n 20 build/coverage/gcovr.log >&2; die "gcovr failed; the whole output is in build/coverage/gcovr.log"; }

# Headers are read through links, a folder for each target that exports them. A line ran if it ran in any of the programs.
jq '[.files[] | .file |= sub("^build/coverage/include/[^/]+/"; "")] | group_by(.file)
  | map({file: .[0].file,
         lines: ([.[].lines[] | select(."gcovr/noncode" | not)] | group_by(.line_number) | map({line: .[0].line_number, ran: any(.[]; .count > 0)}))})
' "$report" >build/coverage/files.json

# A folder's share: of the lines that hold code, those that ran.
jq -r --arg pure "$(printf '%s\n' "${pure[@]}")" --argjson least_pure $least_pure --argjson least_all $least_all '
  def share: if .lines == 0 then 100 else 10000 * .ran / .lines | floor / 100 end;
  def row(name): "\(name)\t\(.ran)\t\(.lines)\t\(share) %";
  def total: {ran: (map(.ran) | add // 0), lines: (map(.lines) | add // 0)};
  ($pure | split("\n")) as $pure_paths
  | map(.file as $file
        | {file: $file, folder: ($file | split("/")[:-1] | join("/")), lines: (.lines | length), ran: ([.lines[] | select(.ran)] | length),
           pure: any($pure_paths[]; . as $path | $file == $path or ($file | startswith($path + "/")))}) as $files
  | ($files | map(select(.pure)) | total) as $pure_total
  | ($files | total) as $all_total
  | "folder\tran\tlines\tshare",
    ($files | group_by(.folder)[] | .[0].folder as $name | total | row($name)),
    ($pure_total | row("pure libraries (at least \($least_pure) %)")),
    ($all_total | row("all (at least \($least_all) %)")),
    (if ($pure_total | share) < $least_pure or ($all_total | share) < $least_all then "BELOW" else empty end)
' build/coverage/files.json >build/coverage/lines.tsv
grep -v '^BELOW' build/coverage/lines.tsv | column -t -s $'\t'

if [ -n "$folder" ]; then
  say "Lines that no test ran in $folder"
  jq -r --arg folder "$folder" '.[] | select(.file | startswith($folder))
    | [.lines[] | select(.ran | not) | .line | tostring] as $missed | select($missed != []) | "\(.file): \($missed | join(" "))"' \
    build/coverage/files.json
fi
if grep -q '^BELOW' build/coverage/lines.tsv; then die "coverage is below what CONTRIBUTING.md asks for"; fi
