#!/usr/bin/env bash
# Runs the service's Python tests against the real `ddpatrold`:
#
#   scripts/python.sh [PYTEST ARGUMENTS...]
#
# DDPATROLD is the path of the program (default: the debug program, after building it).
# DDPATROL_TEST_POSTGRES is the URL of a PostgreSQL server (default: a temporary server).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/crates/service/tests/python
target=${CARGO_TARGET_DIR:-$root/target}

if [ -z "${DDPATROLD:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" -p ddpatrol-service --bin ddpatrold
  DDPATROLD=$target/debug/ddpatrold
  export DDPATROLD
fi
if [ -z "${DDPATROL_TEST_POSTGRES:-}" ]; then
  exec "$root/scripts/postgres.sh" run "${BASH_SOURCE[0]}" "$@"
fi

python=$("$root/scripts/venv.sh" "$tests/requirements.txt")
DDPATROL_TEST_NODE=$("$root/scripts/node.sh" "$tests")
export DDPATROL_TEST_NODE
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/crates/service/tests/shared
cd "$tests"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
