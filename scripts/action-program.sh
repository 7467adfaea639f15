#!/usr/bin/env bash
# The first step of the GitHub Action (action.yml): downloads the program of a release.
#
# INPUT_VERSION is the release; by default it is the version of the action's own sources. Outputs: `binary`, the
# path of the program; or, if there is no release of the own version yet, `key`, under which the action caches the
# program that scripts/action.sh builds. Works with bash 3.2, the version of macOS.
set -euo pipefail
action=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${GITHUB_OUTPUT:?this is the step of a GitHub Action}" "${RUNNER_TEMP:?}"
# shellcheck source=scripts/action/commands.sh
. "$action/scripts/action/commands.sh"
# shellcheck source=scripts/action/binary.sh
. "$action/scripts/action/binary.sh"

fetch_token=${DDPATROL_FETCH_TOKEN:-}
unset DDPATROL_FETCH_TOKEN
version=${INPUT_VERSION:-}
if [ -n "${DDPATROL_BINARY:-}" ]; then
  output binary "$DDPATROL_BINARY"
elif [ -n "$version" ]; then
  download_binary "v${version#v}" || fail "there is no release v${version#v}"
  output binary "$ddpatrol"
elif download_binary "v$(own_version)"; then
  output binary "$ddpatrol"
else
  annotate notice "There is no release v$(own_version) yet, so ddpatrol is built from source."
  output key "ddpatrol-$(uname -s)-$(uname -m)-$(source_key)"
fi
