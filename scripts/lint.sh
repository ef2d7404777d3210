#!/usr/bin/env bash
# Style: clang-format over everything, clang-tidy over what was changed since BASE, and the configuration reference against the code.
#
#   scripts/lint.sh [BASE]     BASE: a commit, HEAD~1 unless given; uncommitted changes count too
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  printf 'usage: scripts/lint.sh [BASE]\n' >&2
  exit 2
fi
cd "$root"
base=$(git rev-parse --verify --quiet "${1:-HEAD~1}^{commit}") || die "${1:-HEAD~1} is not a commit"
commands=build/dev/compile_commands.json
[ -f $commands ] || die "$commands is missing: configure first, with \`cmake --preset dev\`, and build: generated headers are read too"
install_packages clang-format clang-tidy-14 jq
failed=no

say "clang-format"
git ls-files -z '*.cc' '*.h' | xargs -0 clang-format --dry-run -Werror || failed=yes

# The files to compile for a changed file: itself; for a header its .cc, or else one that includes it.
to_compile() {
  case "$1" in
    *.cc) printf '%s\n' "$1" ;;
    *.h)
      if [ -f "${1%.h}.cc" ]; then
        printf '%s\n' "${1%.h}.cc"
      else
        git grep -lF "#include \"$1\"" -- '*.cc' | head -n 1 || true
      fi
      ;;
  esac
}

mapfile -t changed < <({
  git diff --name-only --diff-filter=d "$base" -- '*.cc' '*.h'
  git ls-files --others --exclude-standard -- '*.cc' '*.h'
} | LC_ALL=C sort -u)
mapfile -t files < <(
  for file in "${changed[@]}"; do to_compile "$file"; done | LC_ALL=C sort -u |
    LC_ALL=C comm -12 - <(jq -r --arg root "$root/" '.[].file | ltrimstr($root)' $commands | LC_ALL=C sort -u)
)
say "clang-tidy: ${#files[@]} files since $(git rev-parse --short "$base")"
if [ ${#files[@]} -gt 0 ]; then
  # Its count of suppressed warnings goes to standard error; what it found, to standard output.
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 -p build/dev --quiet 2>/dev/null || failed=yes
fi

if [ -x build/dev/bin/quota_service ] && [ -x build/dev/bin/agent_service ]; then
  say "docs/configuration.md"
  scripts/config_reference.sh --check || failed=yes
fi

[ $failed = no ] || die "see above; clang-format -i FILE repairs the format, NOLINT(check) with a reason is the last resort"
say "Clean"
