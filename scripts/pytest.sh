#!/usr/bin/env bash
# Runs the Python tests in a folder against the built program:
#
#   scripts/pytest.sh tests/matrix [PYTEST ARGUMENTS...]       every encoding, container and source
#   scripts/pytest.sh tests/advice [PYTEST ARGUMENTS...]       the commands in reports, with git-filter-repo
#   scripts/pytest.sh tests/documentation [PYTEST ARGUMENTS...]   the commands in the documentation; needs DDPATROLD
#   scripts/pytest.sh tests/pre_commit [PYTEST ARGUMENTS...]   the hooks, with the real pre-commit
#   scripts/pytest.sh tests/packages [PYTEST ARGUMENTS...]     the packages, on machines without Rust; needs DDPATROLD
#   scripts/pytest.sh tests/sweep [PYTEST ARGUMENTS...]        sweeps, with S3 and Spark; needs DDPATROL_SWEEP and Java
#   scripts/pytest.sh tests/hook_managers [PYTEST ARGUMENTS...]   the hooks together with husky, lefthook, simple-git-hooks
#
# DDPATROL is the path of the program (default: the debug program, after building it). The packages in
# the folder's requirements.txt and package-lock.json are installed in the target directory.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/$1
shift

if [ -z "${DDPATROL:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin ddpatrol
  DDPATROL=${CARGO_TARGET_DIR:-$root/target}/debug/ddpatrol
fi
DDPATROL=$(realpath "$DDPATROL")
export DDPATROL
python=$("$root/scripts/venv.sh" "$tests/requirements.txt")
if [ -e "$tests/package-lock.json" ]; then
  DDPATROL_TEST_NODE=$("$root/scripts/node.sh" "$tests")
  export DDPATROL_TEST_NODE
fi
export PYTHONDONTWRITEBYTECODE=1
PATH=$(dirname "$python"):$PATH
cd "$tests"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
