#!/usr/bin/env bash
# Checks `ddpatrol scan --history-only` on a repository against an independent oracle; see --help.
# Needs git and Python 3.11 or later, and cargo unless --ddpatrol names the program.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Prints the name of a Python that is new enough.
python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "error: no Python 3.11 or later" >&2
  return 2
}

python=$(python)
export PYTHONPATH=$scripts PYTHONDONTWRITEBYTECODE=1

build=yes
for arg; do
  case $arg in
    --self-test) exec "$python" -m oracle.selftest ;;
    --ddpatrol | --ddpatrol=* | --oracle-only | -h | --help) build=no ;;
  esac
done
if [ "$build" = yes ]; then
  cargo build --release --locked --manifest-path "$scripts/../Cargo.toml" --bin ddpatrol
  target=${CARGO_TARGET_DIR:-$scripts/../target}
  set -- "$@" --ddpatrol "$target/release/ddpatrol"
fi
exec "$python" -m oracle "$@"
