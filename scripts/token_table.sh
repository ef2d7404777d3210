#!/usr/bin/env bash
# Makes tests/quota_service/estimate/tokens.tsv: real text in five scripts and JSON, counted by the tokenizer o200k. Text comes from this
# repository, from Debian's packages of documentation and from npm packages of data; only the counts are kept. Needs Node.js.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib/common.sh

command -v npm >/dev/null || die "this needs npm (Debian: npm)"
documents=$root/build/tools
for package in debian-faq debian-faq-ru debian-faq-zh-cn debian-reference-en debian-reference-zh-cn manpages-ru manpages-zh; do
  unpack_package "$package"
done
modules=$root/build/tools/tokens
mkdir -p "$modules"
[ -d "$modules/node_modules/gpt-tokenizer" ] || npm install --silent --no-audit --no-fund --prefix "$modules" gpt-tokenizer@4 \
  caniuse-db country-json @octokit/webhooks-examples @octokit/webhooks-schemas mdn-data@2 world-countries@5 vega-datasets@3 cldr-core@48 mime-db@1

build release profile_texts
pieces=$(mktemp -d)
trap 'rm -rf "$pieces"' EXIT
table=tests/quota_service/estimate/tokens.tsv
say "Cutting and counting"
node scripts/lib/token_table.mjs "$modules/node_modules" "$documents" "$root" "$pieces" >"$pieces/list"
{
  printf 'script\ttokens\tbytes\tcharacters'
  printf '\t%s' letters words humps digits numbers spaces gaps lines marks mark_runs latin two_bytes cjk three_bytes four_bytes
  printf '\n'
  build/release/bin/profile_texts <"$pieces/list"
} >"$table"
say "$table: $(($(wc -l <"$table") - 1)) pieces"
