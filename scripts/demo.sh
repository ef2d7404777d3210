#!/usr/bin/env bash
# Replays the incident that Holdfast starts from, and survives it: simulator, both services and the CLI, on free ports of this machine.
#
#   scripts/demo.sh          against the simulator, no key needed
#   scripts/demo.sh --live   against the real upstream with OPENAI_API_KEY (model: HOLDFAST_MODEL, default o4-mini)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

live=no
case "${1:-}" in
  "") ;;
  --live) live=yes ;;
  *) printf 'usage: scripts/demo.sh [--live]\n' >&2; exit 2 ;;
esac
if [ $live = yes ] && [ -z "${OPENAI_API_KEY:-}" ]; then die "--live needs OPENAI_API_KEY"; fi

scratch=""
pids=()
cleanup() {
  trap - EXIT INT TERM
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -z "$scratch" ] || rm -rf "$scratch"
}
trap cleanup EXIT
trap 'cleanup; exit 130' INT
trap 'cleanup; exit 143' TERM

mkdir -p "$root/build"
install_packages "${build_packages[@]}" curl jq
say "Building (release)"
build release quota_service agent_service holdfast_cli upstream_simulator
bin=$root/build/release/bin

scratch=$(mktemp -d)
export XDG_STATE_HOME=$scratch/state
unset HOLDFAST_TOKEN
model=${HOLDFAST_MODEL:-o4-mini}

# wait_for FILE PATTERN: the first match of the sed expression PATTERN in FILE, which a process is writing.
wait_for() {
  local tries
  for tries in $(seq 200); do
    local found
    found=$(sed -n "$2" "$1" 2>/dev/null | head -n 1)
    if [ -n "$found" ]; then printf '%s' "$found"; return 0; fi
    sleep 0.05
  done
  cat "$1" >&2
  die "nothing came of $1 within 10 s"
}

start_services() {
  "$bin/quota_service" --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0 2>"$scratch/quota.log" &
  pids+=($!)
  HOLDFAST_QUOTA=$(wait_for "$scratch/quota.log" 's/.*listening: grpc \([^,]*\),.*/\1/p')
  "$bin/agent_service" --grpc 127.0.0.1:0 --metrics 127.0.0.1:0 --quota "$HOLDFAST_QUOTA" --store "sqlite:$scratch/sessions.db" 2>"$scratch/agent.log" &
  pids+=($!)
  HOLDFAST_AGENT=$(wait_for "$scratch/agent.log" 's/.*listening: grpc \([^,]*\),.*/\1/p')
  export HOLDFAST_QUOTA HOLDFAST_AGENT
}

if [ $live = yes ]; then
  say "Services on the real upstream"
  start_services
  "$bin/holdfast" exec --model "$model" --approve read-only --cwd "$root" "In one sentence: what is this repository for? Read README.md."
  "$bin/holdfast" quota status
  exit 0
fi

say "Simulator, quota_service and agent_service"
"$bin/upstream_simulator" >"$scratch/simulator.out" 2>"$scratch/simulator.log" &
pids+=($!)
url=$(wait_for "$scratch/simulator.out" 's/.*"url":"\([^"]*\)".*/\1/p')
control=$(wait_for "$scratch/simulator.out" 's/.*"control":"\([^"]*\)".*/\1/p')
HOLDFAST_UPSTREAM_URL=$url OPENAI_API_KEY=sk-demo start_services
simulator() { curl -sS --fail -X "$1" "$control$2" ${3:+--data "$3"}; }

workspace=$scratch/workspace
mkdir "$workspace"
prompt="Refactor parser.cc into smaller files."
range=52000
# The model asks for the large file in four ranges: a tool's result may have 64 KiB.
script() {
  jq -n --argjson used "$1" --argjson limit "$2" --argjson range $range '
    {limits: {tokens: {limit: $limit, per: 60, kind: "continuous", used: 0}},
     answers: [
       {when: {last_user_contains: "Refactor", step: 0}, text: "I read the parser first.", set_used: {tokens: $used},
        tool_calls: [range(4) | {name: "read_file", arguments: {path: "parser.cc", offset: (. * $range), limit: $range}}]},
       {when: {last_user_contains: "Refactor", step: 1},
        text: "Done: parser.cc is now lexer.cc, grammar.cc and parser.cc; the tests pass.", chunks: 8, event_delay_ms: 40}]}'
}
write_parser() { yes 'static Token next_token(Lexer& lexer) { return lexer.peek().kind == Kind::kEnd ? Token{} : lexer.take(); }' | head -c "$1" >"$workspace/parser.cc" || true; }

# A rehearsal under a limit that does not bind tells how many characters surround the file, so that it can be sized for the incident.
wanted=51963
rehearsed=160000
write_parser $rehearsed
simulator PUT /script "$(script 0 100000000)" >/dev/null
"$bin/holdfast" exec --model "$model" --approve read-only --cwd "$workspace" "$prompt" >/dev/null 2>"$scratch/rehearsal.log" || { cat "$scratch"/*.log >&2; die "the rehearsal failed"; }
around=$(simulator GET /requests | jq ".requests[-1].chars - $rehearsed")
write_parser $(((wanted - 2) * 4 - around))
simulator PUT /script "$(script 160193 200000)" >/dev/null
simulator DELETE /requests >/dev/null
printf 'parser.cc: %s bytes, so that the second request needs %s tokens\n' "$(stat -c %s "$workspace/parser.cc")" $wanted

say "The incident: 200,000 tokens a minute, 160,193 used, the next request needs 51,963"
printf '$ holdfast exec --model %s "%s"\n' "$model" "$prompt"
"$bin/holdfast" exec --model "$model" --approve read-only --cwd "$workspace" "$prompt" >"$scratch/answer" 2>"$scratch/progress" &
turn=$!
pids+=($turn)
tail -n +1 -f --pid=$turn "$scratch/progress" &
pids+=($!)
session=$(wait_for "$scratch/progress" 's/^session \([0-9a-z]*\).*/\1/p')
wait_for "$scratch/progress" '/rate limited/p' >/dev/null
"$bin/holdfast" sessions show "$session" --json >"$scratch/before"
wait $turn || { cat "$scratch"/*.log >&2; die "the turn failed"; }
sleep 0.2
cat "$scratch/answer"
"$bin/holdfast" sessions show "$session" --json >"$scratch/after"

say "What the upstream saw"
simulator GET /requests | jq -r '.requests[] | "call \(.index): needs \(.charge), used before \(.used_before | floor) of \(.limit), HTTP \(.status)" +
  (if .charge == '$wanted' then ", sent \(((.boot_ns - .earliest_boot_ns) / 1000 | floor) / 1000) ms after it fitted" else "" end)'
refused=$(simulator GET /requests | jq '[.requests[] | select(.admitted | not)] | length')
calls=$(simulator GET /requests | jq '.requests | length')
printf 'refused: %s\n' "$refused"
jq -c 'select(.type == "event")' "$scratch/before" >"$scratch/before.events"
jq -c 'select(.type == "event")' "$scratch/after" | head -n "$(wc -l <"$scratch/before.events")" >"$scratch/after.events"
cmp -s "$scratch/before.events" "$scratch/after.events" || die "the transcript changed while the turn waited"
printf 'transcript: the %s events from before the wait are unchanged, %s in all\n' "$(wc -l <"$scratch/before.events")" "$(jq -c 'select(.type == "event")' "$scratch/after" | wc -l)"
[ "$refused" = 0 ] && [ "$calls" = 2 ] || die "the upstream was asked $calls times and refused $refused"

say "Your own key"
cat <<TXT
export OPENAI_API_KEY=…                     # or scripts/demo.sh --live
build/release/bin/quota_service &           # owns the key; gRPC on 127.0.0.1:50051, metrics on :9464/metrics
build/release/bin/agent_service &           # keeps the sessions; gRPC on 127.0.0.1:50052
build/release/bin/holdfast exec --model $model "…"     # or: holdfast chat, holdfast quota status
TXT
