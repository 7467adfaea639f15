#!/usr/bin/env bash
# Runs the whole life of a token with the real programs, as in the README: the token is issued, leaked
# into a Git history, found, verified, revoked, rejected and audited. Prints the session.
#
#   scripts/journey.sh [FOLDER OF THE BINARIES]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binaries=$(cd "${1:-${CARGO_TARGET_DIR:-$root/target}/debug}" && pwd)
PATH=$binaries:$PATH
folder=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ] && kill "$server"; then wait "$server" || true; fi
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
export HOME=$folder GIT_CONFIG_NOSYSTEM=1
unset DATABASE_URL
git config --global user.name "Ada Example"
git config --global user.email ada@example.com
git config --global init.defaultBranch main

fail() { echo "journey: $*" >&2; exit 1; }
say() { printf '\n$ %s\n' "$*"; }
# Runs a command that must exit with a given code. Prints and stores its output.
expect() {
  local code=$1 got=0
  shift
  say "$*"
  "$@" > output || got=$?
  cat output
  [ "$got" = "$code" ] || fail "'$*' exited with $got, expected $code"
}
holds() { grep -qF -- "$1" output || fail "missing in the output: '$1'"; }

say "ddpatrold serve"
ddpatrold serve --listen 127.0.0.1:0 2> log &
server=$!
for _ in $(seq 300); do
  if grep -q "listening on" log; then break; fi
  kill -0 "$server" 2> /dev/null || { cat log; fail "the service has exited"; }
  sleep 0.1
done
issuer=$(sed -n 's/.*listening on //p' log)
admin=$(cat admin-token)
[ -n "$admin" ] || fail "no administrator's token"

api() { # METHOD PATH TOKEN [BODY]
  curl -sS --noproxy '*' -g -X "$1" "$issuer$2" -H "Authorization: Bearer $3" \
    -H 'Content-Type: application/json' ${4:+-d "$4"}
}
field() { python3 -c 'import json, sys; print(eval("json.load(sys.stdin)" + sys.argv[1]))' "$1"; }

say "POST /api/v2/personal_access_tokens"
in_a_month=$(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)
api POST /api/v2/personal_access_tokens "$admin" '{"data": {"type": "personal_access_tokens", "attributes":
  {"name": "deploy", "scopes": ["dashboards_read"], "expires_at": "'"$in_a_month"'"}}}' > created
token=$(field '["data"]["attributes"]["key"]' < created)
id=$(field '["data"]["id"]' < created)
echo "$id"
say "GET /api/v2/validate_keys"
api GET /api/v2/validate_keys "$token" | tee output
holds '{"status":"ok"}'
echo

git init -q app
cd app
mkdir deploy
printf 'DD_SITE=datadoghq.com\nDD_APP_KEY=%s\n' "$token" > deploy/prod.env
git add -A
git commit -qm "Deploy with Datadog"
git rm -q deploy/prod.env
git commit -qm "Take the token from the environment"

expect 1 ddpatrol scan --verify --issuer "$issuer"
holds "deploy/prod.env:2:12  datadog-pat"
holds "removed by"
holds "verified live"
expect 1 ddpatrol scan --revoke --yes --issuer "$issuer"
holds "revoked: by leak report to"

say "GET /api/v2/validate_keys"
api GET /api/v2/validate_keys "$token" | tee output
holds '{"errors":["Unauthorized"]}'
echo
expect 1 ddpatrol scan --verify --verify-pause 2 --issuer "$issuer"
holds "dead (1) not listed"

say "GET /api/v2/personal_access_tokens?filter[leaked]=true&include=leak_information"
api GET '/api/v2/personal_access_tokens?filter[leaked]=true&include=leak_information' "$admin" > leaked
field '["data"][0]["id"]' < leaked | tee output
holds "$id"
field '["included"][0]["attributes"]' < leaked | tee output
holds "'leak_source': 'ddpatrol'"

say "GET /api/v2/audit/events?filter[query]=@asset.id:$id"
# The rejected uses are one event, whose count is updated every two seconds.
for _ in $(seq 100); do
  api GET "/api/v2/audit/events?filter[query]=@asset.id:$id&page[limit]=100" "$admin" > events
  denied=$(python3 - events << 'PYTHON'
import json, sys
events = [event["attributes"]["attributes"] for event in json.load(open(sys.argv[1]))["data"]]
denied = (event["metadata"]["count"] for event in events if event["evt"]["name"].endswith(".denied"))
print(sum(denied))
PYTHON
  )
  [ "$denied" -lt 3 ] || break
  sleep 0.1
done
[ "$denied" = 3 ] || fail "the audit trail counts $denied rejected uses, expected 3"
python3 - events > output << 'PYTHON'
import json, sys
for event in json.load(open(sys.argv[1]))["data"]:
    inner = event["attributes"]["attributes"]
    print(event["attributes"]["timestamp"][:19], inner["evt"]["name"], "by", inner["auth_method"])
PYTHON
cat output
# Rejected uses in different minutes are different events.
names=$(awk '!($2 == last && $2 ~ /denied$/) {print $2} {last = $2}' output | tr '\n' ' ')
want="access_token.created access_token.used access_token.used access_token.leak_reported"
want="$want access_token.revoked access_token.denied "
[ "$names" = "$want" ] || fail "unexpected events in the audit trail: $names"
if grep -rqF -- "$token" output events leaked; then fail "a response contains the token"; fi
echo
echo "journey: from its issue to its audit"
