#!/usr/bin/env bash
# Tests the GitHub Action: its script on events of every kind, against real repositories, and linters
# over the action, the workflows and the scripts:
#
#   scripts/action-test.sh [PYTEST ARGUMENTS...]
#
# The tools stand under the target directory. DDPATROL names the program (default: the debug build,
# which is built). Needs git, jq, shellcheck, Python and Node.js.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/tests/action
target=${CARGO_TARGET_DIR:-$root/target}

if [ -z "${DDPATROL:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin ddpatrol
  DDPATROL=$target/debug/ddpatrol
fi
DDPATROL=$(realpath "$DDPATROL")
export DDPATROL

python=$("$root/scripts/venv.sh" "$tests/requirements.txt")
key=$({ node --version; cat "$tests/package-lock.json"; } | sha256sum | cut -c 1-16)
DDPATROL_TEST_NODE=$target/node/$key
export DDPATROL_TEST_NODE
if [ ! -e "$DDPATROL_TEST_NODE/ready" ]; then
  rm -rf "$DDPATROL_TEST_NODE"
  mkdir -p "$DDPATROL_TEST_NODE"
  cp "$tests"/package*.json "$DDPATROL_TEST_NODE"
  npm ci --prefix "$DDPATROL_TEST_NODE" --silent --no-audit --no-fund --ignore-scripts
  # What the package's own script does.
  chmod u+x "$DDPATROL_TEST_NODE"/node_modules/@microsoft/sarif-multitool-*/Sarif.Multitool
  touch "$DDPATROL_TEST_NODE/ready"
fi
export PYTHONDONTWRITEBYTECODE=1
cd "$tests"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
