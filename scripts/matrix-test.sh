#!/usr/bin/env bash
# Finds tokens in every encoding, in every container, from every source:
#
#   scripts/matrix-test.sh [PYTEST ARGUMENTS...]
#
# DDPATROL names the program (default: the debug build, which is built). Needs git and the programs
# that pack: zip, tar, gzip, bzip2, xz, zstd, lz4, 7z.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

if [ -z "${DDPATROL:-}" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin ddpatrol
  DDPATROL=$target/debug/ddpatrol
fi
DDPATROL=$(realpath "$DDPATROL")
export DDPATROL
python=$("$root/scripts/venv.sh" "$root/tests/matrix/requirements.txt")
export PYTHONDONTWRITEBYTECODE=1
cd "$root/tests/matrix"
exec "$python" -m pytest -p no:cacheprovider --strict-markers -ra "$@"
