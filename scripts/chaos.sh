#!/usr/bin/env bash
# Runs the real `ddpatrold` under load on SQLite and PostgreSQL while faults happen, and checks that
# nothing acknowledged is lost:
#
#   scripts/chaos.sh [--minutes N] [--database sqlite|postgres|both] [--seed N]
#                    [--only FAULT]... [--ddpatrold FILE] [--summary FILE]
#   scripts/chaos.sh --self-test      tests the checks themselves
#
# Faults: kill -9, a full disk, a stopped and a paused database, stepped clocks, floods of dead
# tokens, silent connections, bodies of 8 MiB; in random order by seed, also two at once. The minutes
# (default 2) are shared by the databases, which run one after the other. Prints a report in Markdown
# and exits 1 with each violation. Needs root or sudo (tmpfs), PostgreSQL and libfaketime (Debian:
# postgresql, faketime). The default program is the debug build, which is built.
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
# In a mount namespace of its own no tmpfs is left behind, however the run ends.
as_root unshare --mount --propagation private -- "${python[@]}"
