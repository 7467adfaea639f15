#!/usr/bin/env bash
# Runs the real `ddpatrold` under load and faults on SQLite and PostgreSQL, and checks that no
# acknowledged change is lost:
#
#   scripts/chaos.sh [--minutes N] [--database sqlite|postgres|both] [--seed N]
#                    [--only FAULT]... [--ddpatrold FILE] [--summary FILE]
#   scripts/chaos.sh --self-test      tests the checks themselves
#
# Faults: kill -9, a full disk, a stopped and a paused database, stepped clocks, floods of dead
# tokens, silent connections and bodies of 8 MiB, in random order by seed, also two at a time. The
# minutes (default 2) are divided among the databases, which run one after the other. Prints a report
# in Markdown, and exits with 1 after any violation. Requires root or sudo (tmpfs), PostgreSQL and
# libfaketime (Debian: postgresql, faketime). By default, builds and runs the debug program.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/crates/service/tests

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

program=() build=1
for argument in "$@"; do
  case $argument in
    --ddpatrold | --ddpatrold=* | --self-test | --help | -h) build= ;;
  esac
done
if [ -n "$build" ]; then
  cargo build --locked --manifest-path "$root/Cargo.toml" -p ddpatrol-service --bin ddpatrold
  program=(--ddpatrold "$(realpath "${CARGO_TARGET_DIR:-$root/target}")/debug/ddpatrold")
fi

python=(env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$tests:$tests/python" python3 -m chaos "${program[@]}" "$@")
if [ -z "$build" ] && [[ " $* " == *" --self-test "* || " $* " == *" --help "* || " $* " == *" -h "* ]]; then
  exec "${python[@]}"
fi
# A separate mount namespace, so that no tmpfs remains after the run.
as_root unshare --mount --propagation private -- "${python[@]}"
