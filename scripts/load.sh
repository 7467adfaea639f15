#!/usr/bin/env bash
# Measures the cost of a token check in the service, on SQLite and on PostgreSQL:
#
#   scripts/load.sh [--seconds N] [--rounds N] [--connections N] [--ddpatrold FILE]
#
# Runs wrk on /healthz (an empty handler in the same setup) and /api/v2/validate_keys in turn. Prints
# the server's own CPU time per request and the latency as a table for benches/record/, and checks that
# the audit trail contains every answered use. Requires wrk, PostgreSQL, cargo and Python.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case " $* " in
  *" -h "* | *" --help "*)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
    ;;
esac
command -v wrk >/dev/null || {
  echo "error: wrk not found (Debian: apt-get install wrk)" >&2
  exit 2
}
if [[ " $*" != *" --ddpatrold"* ]]; then
  cargo build --profile dist --locked --manifest-path "$scripts/../Cargo.toml" \
    -p ddpatrol-service --bin ddpatrold
  set -- "$@" --ddpatrold "${CARGO_TARGET_DIR:-$scripts/../target}/dist/ddpatrold"
fi
export PYTHONDONTWRITEBYTECODE=1
exec "$scripts/postgres.sh" run python3 "$scripts/load.py" "$@"
