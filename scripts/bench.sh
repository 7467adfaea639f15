#!/usr/bin/env bash
# Compares the scan of a repository's history with `git cat-file`, alternating over several rounds:
#
#   scripts/bench.sh REPO [ROUNDS]
#
# Builds the program, plants tokens in copies that share REPO's objects (REPO is never written), and
# prints medians of CPU seconds, wall seconds and their ratios, and the peak of anonymous memory.
# Needs git, cargo and Python 3.11 or later.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [ $# -lt 1 ] || [ "${1#-}" != "$1" ]; then
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
repo=$(cd "$1" && pwd)
shift
cargo build --release --locked --manifest-path "$scripts/../Cargo.toml" --bin ddpatrol
export PYTHONPATH=$scripts PYTHONDONTWRITEBYTECODE=1
exec python3 "$scripts/bench.py" "${CARGO_TARGET_DIR:-$scripts/../target}/release/ddpatrol" "$repo" "$@"
