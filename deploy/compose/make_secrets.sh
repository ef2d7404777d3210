#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml mounts, those that are missing: random tokens, and the upstream's key from OPENAI_API_KEY.
#
#   OPENAI_API_KEY=… deploy/compose/make_secrets.sh [FOLDER]     FOLDER: deploy/compose/secrets unless given
set -euo pipefail

folder=${1:-$(dirname "${BASH_SOURCE[0]}")/secrets}
key=$folder/openai_api_key
if [ ! -s "$key" ] && [ -z "${OPENAI_API_KEY:-}" ]; then
  printf 'error: set OPENAI_API_KEY, or write the key to %s\n' "$key" >&2
  exit 1
fi
# Nobody else gets into the folder. The files are readable by all, because the user in the container, who gets each mounted alone, is not you.
mkdir -p "$folder"
chmod 700 "$folder"
[ -s "$key" ] || printf '%s\n' "$OPENAI_API_KEY" >"$key"
for name in agent_service_token web_team_token data_team_token grafana_admin_password; do
  [ -s "$folder/$name" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$name"
done
chmod 444 "$folder"/*
