#!/usr/bin/env bash
# The step of the GitHub Action (action.yml): determines the commits of the event, scans them with
# ddpatrol once, and writes the annotations, the job summary and the outputs.
#
# Inputs are passed as INPUT_*, the event as GITHUB_EVENT_NAME and GITHUB_EVENT_PATH. DDPATROL_BINARY is
# the path of the program; without it, the program is built. Runs in the workspace, whose content is never executed. Works with
# bash 3.2, the version of macOS.
set -euo pipefail
action=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${GITHUB_OUTPUT:?this is the step of a GitHub Action}" "${GITHUB_STEP_SUMMARY:?}"
: "${GITHUB_EVENT_NAME:?}" "${GITHUB_EVENT_PATH:?}" "${RUNNER_TEMP:?}"

# shellcheck source=scripts/action/commands.sh
. "$action/scripts/action/commands.sh"

# Prints a field of a JSON file: FILE .A.B; prints nothing if it is missing.
field() {
  if command -v jq >/dev/null; then
    jq -r "$2 // \"\"" "$1" | tr -d '\r'
  else
    # -I: the workspace is the current folder, and its json.py must not replace Python's.
    python3 -I -c 'import json, sys
value = json.load(open(sys.argv[1], encoding="utf-8"))
for key in sys.argv[2].split(".")[1:]:
    value = (value or {}).get(key)
print("" if value is None else value)' "$1" "$2"
  fi
}

is_true() { # NAME VALUE
  case $2 in
    true) return 0 ;;
    false | '') return 1 ;;
    *) fail "invalid $1 \"$2\": expected true or false" ;;
  esac
}

# Used by git only; not passed to other programs.
fetch_token=${DDPATROL_FETCH_TOKEN:-}
unset DDPATROL_FETCH_TOKEN
path=${INPUT_PATH:-.}
mode=${INPUT_MODE:-auto}
notes=

# shellcheck source=scripts/action/binary.sh
. "$action/scripts/action/binary.sh"
# shellcheck source=scripts/action/clone.sh
. "$action/scripts/action/clone.sh"
# shellcheck source=scripts/action/range.sh
. "$action/scripts/action/range.sh"
# shellcheck source=scripts/action/summary.sh
. "$action/scripts/action/summary.sh"

command -v jq >/dev/null || command -v python3 >/dev/null ||
  fail "neither jq nor python3 found: install one of them to read the event"

# The arguments that determine the result; the summary repeats them.
judging=()
[ -z "${INPUT_FAIL_ON:-}" ] || judging+=("--fail-on=$INPUT_FAIL_ON")
[ -z "${INPUT_CONFIG:-}" ] || judging+=("--config=$INPUT_CONFIG")
[ -z "${INPUT_BASELINE:-}" ] || judging+=("--baseline=$INPUT_BASELINE")
while read -r -a words; do
  judging+=(${words[@]+"${words[@]}"})
done <<<"${INPUT_ARGS:-}"

responding=()
if is_true verify "${INPUT_VERIFY:-}"; then responding+=(--verify); fi
if is_true revoke "${INPUT_REVOKE:-}"; then responding+=(--revoke --yes); fi
[ -z "${INPUT_API_URL:-}" ] || responding+=("--issuer=$INPUT_API_URL")
# A secret that is withheld from a fork is an empty variable.
for name in DDPATROL_DATADOG_TOKEN DDPATROL_ISSUER_TOKEN; do
  [ -n "${!name:-}" ] || unset "$name"
done

find_scope
find_binary

folder=$(mktemp -d "$RUNNER_TEMP/ddpatrol.XXXXXX")
reports=(
  --report=github "--report=text=$folder/report.txt" "--report=markdown=$folder/summary.md"
  "--report=sarif=$folder/ddpatrol.sarif" "--report=json=$folder/ddpatrol.json"
)
while read -r line; do
  case $line in
    '') ;;
    *=*) reports+=("--report=$line") ;;
    *) fail "invalid report \"$line\": expected FORMAT=PATH, one per line" ;;
  esac
done <<<"${INPUT_REPORT:-}"

code=0
"$ddpatrol" "${scope[@]}" ${judging[@]+"${judging[@]}"} ${responding[@]+"${responding[@]}"} "${reports[@]}" \
  ${operands[@]+"${operands[@]}"} >"$folder/annotations" 2>"$folder/messages" </dev/null || code=$?
cat "$folder/messages"
annotate_errors
[ ! -e "$folder/report.txt" ] || cat "$folder/report.txt"
with_commands cat "$folder/annotations"
[ "$code" != 0 ] || [ -s "$folder/ddpatrol.json" ] || fail "ddpatrol wrote no report"
summarize

findings=
[ ! -s "$folder/ddpatrol.json" ] || findings=$(field "$folder/ddpatrol.json" .summary.proven)
output findings "$findings"
for report in sarif-file:ddpatrol.sarif report-json:ddpatrol.json; do
  file=$folder/${report#*:}
  [ -s "$file" ] || file=
  output "${report%%:*}" "$file"
done
output exit-code "$code"
exit "$code"
