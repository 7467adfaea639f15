#!/usr/bin/env bash
# Tests the GitHub Action: its script on events of every kind, against real repositories, and linters
# over the action, the workflows and the scripts:
#
#   scripts/action-test.sh [PYTEST ARGUMENTS...]
#
# The tools are installed under the target directory. The variable DDPATROL is the path of the program
# (default: a new debug build). Needs git, jq, shellcheck, Python and Node.js.
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
DDPATROL_TEST_NODE=$("$root/scripts/node.sh" "$tests")
export DDPATROL_TEST_NODE
# The install script of the package does this; scripts/node.sh runs no install scripts.
chmod u+x "$DDPATROL_TEST_NODE"/node_modules/@microsoft/sarif-multitool-*/Sarif.Multitool
export PYTHONDONTWRITEBYTECODE=1
cd "$tests"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
