#!/usr/bin/env bash
# Compares the scan of a repository's history with `git cat-file`, alternating over several rounds:
#
#   scripts/bench.sh REPO [ROUNDS]
#   scripts/bench.sh --all [--rounds N] [--tree FOLDER] REPO...
#
# Builds the program, plants tokens in copies that share REPO's objects (REPO is never written), and
# prints medians of CPU seconds, wall seconds and their ratios, and the peak of anonymous memory.
# With `--all`, measures everything that a record contains, on one machine: histories, changes, hooks, files
# and the start against ripgrep, the detector in memory, and the service. Prints one table at the end.
# Needs git, cargo and Python 3.11 or later.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

script=bench.py
if [ "${1-}" = --all ]; then
  script=bench_all.py
  shift
elif [ $# -lt 1 ] || [ "${1#-}" != "$1" ]; then
  sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
cargo build --profile dist --locked --manifest-path "$scripts/../Cargo.toml" --bin ddpatrol
export PYTHONPATH=$scripts PYTHONDONTWRITEBYTECODE=1
exec python3 "$scripts/$script" "${CARGO_TARGET_DIR:-$scripts/../target}/dist/ddpatrol" "$@"
