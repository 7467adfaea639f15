#!/usr/bin/env bash
# Tests the web pages of the real `ddpatrold` in Chromium:
#
#   scripts/web.sh [PYTEST ARGUMENTS...]
#
# DDPATROLD and DDPATROL are the paths of the programs (default: the debug programs, after building
# them). DDPATROL_TEST_POSTGRES is the URL of a PostgreSQL server (default: a temporary server).
# DDPATROL_WEB_PICTURES=docs/web writes the screenshots of the documentation, and
# DDPATROL_WEB_GALLERY=FOLDER those of every page, at both widths and in both color schemes. Needs Debian's packages chromium,
# nodejs and npm.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/crates/service/tests/web
target=${CARGO_TARGET_DIR:-$root/target}

if [ -z "${DDPATROLD:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" -p ddpatrol-service --bin ddpatrold
  DDPATROLD=$target/debug/ddpatrold
fi
if [ -z "${DDPATROL:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin ddpatrol
  DDPATROL=$target/debug/ddpatrol
fi
export DDPATROLD DDPATROL
if [ -z "${DDPATROL_TEST_POSTGRES:-}" ]; then
  exec "$root/scripts/postgres.sh" run "${BASH_SOURCE[0]}" "$@"
fi

python=$("$root/scripts/venv.sh" "$tests/requirements.txt")
DDPATROL_TEST_NODE=$("$root/scripts/node.sh" "$tests")
export DDPATROL_TEST_NODE PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/crates/service/tests/shared
cd "$tests"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
