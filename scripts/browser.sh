#!/usr/bin/env bash
# Checks HTML reports of real scans in a headless Chromium:
#
#   scripts/browser.sh [PROGRAM] [--pictures FOLDER]
#
# PROGRAM is a built ddpatrol. By default the script makes a debug build. Needs Python 3.11, git and
# Debian's package chromium.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${1:-}
if [ -z "$program" ] || [ "${program#--}" != "$program" ]; then
  cargo build --locked --manifest-path "$scripts/../Cargo.toml" --bin ddpatrol
  program=${CARGO_TARGET_DIR:-$scripts/../target}/debug/ddpatrol
else
  shift
fi
export PYTHONPATH=$scripts PYTHONDONTWRITEBYTECODE=1
exec python3 -m browser --ddpatrol "$program" "$@"
