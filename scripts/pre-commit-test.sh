#!/usr/bin/env bash
# Tests the hooks of .pre-commit-hooks.yaml with the real pre-commit:
#
#   scripts/pre-commit-test.sh [PYTEST ARGUMENTS...]
#
# DDPATROL names the program (default: the debug build, which is built). One test has pre-commit build
# the program itself.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

if [ -z "${DDPATROL:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin ddpatrol
  DDPATROL=$target/debug/ddpatrol
fi
DDPATROL=$(realpath "$DDPATROL")
export DDPATROL
python=$("$root/scripts/venv.sh" "$root/tests/pre_commit/requirements.txt")
export PYTHONDONTWRITEBYTECODE=1
PATH=$(dirname "$python"):$PATH
cd "$root/tests/pre_commit"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
