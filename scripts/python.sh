#!/usr/bin/env bash
# Runs the service's outside tests, written in Python, against the real `ddpatrold`:
#
#   scripts/python.sh [PYTEST ARGUMENTS...]
#
# The tools stand in an environment of their own under the target directory, made anew when
# crates/service/tests/python/requirements.txt changes. DDPATROLD names the program (default: the
# debug build, which is built), DDPATROL_TEST_POSTGRES a PostgreSQL (default: a throw-away one).
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

key=$({ python3 --version; cat "$tests/requirements.txt"; } | sha256sum | cut -c 1-16)
environment=$target/python/$key
if [ ! -e "$environment/ready" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$tests/requirements.txt"
  touch "$environment/ready"
fi
export PYTHONDONTWRITEBYTECODE=1
cd "$tests"
exec "$environment/bin/python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
