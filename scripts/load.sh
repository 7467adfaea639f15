#!/usr/bin/env bash
# Measures what a check of a token costs the service, on SQLite and on PostgreSQL:
#
#   scripts/load.sh [--seconds N] [--rounds N] [--connections N] [--ddpatrold FILE]
#
# wrk asks /healthz (an empty handler in the same setup) and /api/v2/validate_keys in turn; the
# server's own CPU time per request and the latency come out as a table for benches/record/, and the
# uses in the audit trail must be those that were answered. Needs wrk, PostgreSQL, cargo and Python.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case " $* " in
  *" -h "* | *" --help "*)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
    ;;
esac
command -v wrk >/dev/null || {
  echo "error: no wrk here (Debian: apt-get install wrk)" >&2
  exit 2
}
if [[ " $*" != *" --ddpatrold"* ]]; then
  cargo build --release --locked --manifest-path "$scripts/../Cargo.toml" \
    -p ddpatrol-service --bin ddpatrold
  set -- "$@" --ddpatrold "${CARGO_TARGET_DIR:-$scripts/../target}/release/ddpatrold"
fi
export PYTHONDONTWRITEBYTECODE=1
exec "$scripts/postgres.sh" run python3 "$scripts/load.py" "$@"
