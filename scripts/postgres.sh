#!/usr/bin/env bash
# Runs a command with a temporary PostgreSQL server:
#
#   scripts/postgres.sh run COMMAND...
#
# The cluster uses the installed binaries (Debian package postgresql), is stored in a temporary
# directory, listens on a free port of 127.0.0.1, and is removed when COMMAND ends. COMMAND finds its
# address in DDPATROL_TEST_POSTGRES and creates its own databases there; its status is returned.
# The settings for durability are PostgreSQL's defaults (fsync is on).
#
# With POSTGRES_ADDRESS, the server also listens on this address of the machine and accepts connections
# from it, and with POSTGRES_CERTIFICATE and POSTGRES_KEY (files, PEM) it supports TLS.
set -euo pipefail

if [ $# -lt 2 ] || [ "$1" != run ]; then
  sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
shift

# Prints the directory of the newest installed server's programs.
binaries() {
  local initdb
  initdb=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
  if [ -z "$initdb" ]; then
    initdb=$(command -v initdb) || {
      echo "error: no PostgreSQL server found (Debian: apt-get install postgresql)" >&2
      return 1
    }
  fi
  dirname "$initdb"
}

# Runs a command as the cluster's user, because PostgreSQL refuses to run as root.
as_owner() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && exec runuser -u "$owner" -- "$@")
  else
    "$@"
  fi
}

free_port() {
  python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# Stops the server and removes the cluster, in any state.
remove() {
  as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}

bin=$(binaries)
if [ "$(id -u)" = 0 ]; then
  owner=postgres
  id "$owner" >/dev/null 2>&1 || owner=nobody
else
  owner=$(id -un)
fi
dir=$(mktemp -d)
trap remove EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
if [ "$(id -u)" = 0 ]; then
  chown "$owner" "$dir"
fi

as_owner "$bin/initdb" --pgdata "$dir/data" --username ddpatrol --auth trust --encoding UTF8 \
  --locale C >"$dir.log" 2>&1 || {
  cat "$dir.log" >&2
  rm -f "$dir.log"
  exit 1
}
rm -f "$dir.log"

options="-c listen_addresses=127.0.0.1${POSTGRES_ADDRESS:+,$POSTGRES_ADDRESS}"
options="$options -c unix_socket_directories='' -c max_connections=200"
if [ -n "${POSTGRES_ADDRESS:-}" ]; then
  echo "host all all $POSTGRES_ADDRESS/32 trust" >>"$dir/data/pg_hba.conf"
fi
if [ -n "${POSTGRES_CERTIFICATE:-}" ]; then
  # PostgreSQL refuses a key that others can read.
  install -m 600 "$POSTGRES_CERTIFICATE" "$dir/data/server.crt"
  install -m 600 "$POSTGRES_KEY" "$dir/data/server.key"
  if [ "$(id -u)" = 0 ]; then
    chown "$owner" "$dir/data/server.crt" "$dir/data/server.key"
  fi
  # In the file and not among the options, so that ALTER SYSTEM can change it.
  echo "ssl = on" >>"$dir/data/postgresql.conf"
fi

# Another program may take the free port before the server starts, so several ports are tried.
port=
for _ in 1 2 3 4 5; do
  port=$(free_port)
  if as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 \
    -o "-p $port $options" start >/dev/null; then
    break
  fi
  port=
done
if [ -z "$port" ]; then
  cat "$dir/data/server.log" >&2
  exit 1
fi

export DDPATROL_TEST_POSTGRES="postgres://ddpatrol@127.0.0.1:$port/postgres"
"$@"
