"""The databases under test, each on its own disk; they are read directly and not through the service."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from .disk import Disk
from .ports import free_port

EVENT_COUNTS = "SELECT name, count(*) FROM audit_events GROUP BY name"
EVENTS_BY_TOKEN = (
    "SELECT lower({hex}), name, count(*) FROM audit_events"
    " WHERE name IN ('access_token.created', 'access_token.revoked', 'access_token.expired')"
    " GROUP BY 1, 2"
)
TOKENS_WITHOUT_EVENT = (
    "SELECT count(*) FROM tokens WHERE NOT EXISTS (SELECT 1 FROM audit_events"
    " WHERE name = 'access_token.created' AND asset_id = tokens.id)"
)


def uuid_text(digits):
    """Returns the usual form of a UUID in 32 hexadecimal digits."""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Sqlite:
    """A SQLite file."""

    kind, replicas = "SQLite", 1

    def __init__(self, folder, minutes):
        # The load writes about 6 MiB per minute.
        self.disk = Disk(folder / "sqlite", int(128 + 12 * minutes))
        self.path = self.disk.path / "ddpatrol.db"
        self.url = f"sqlite:{self.path}"
        self.logs = []

    def query(self, statement):
        """Returns the rows of a statement."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(statement.format(hex="hex(asset_id)")).fetchall()

    def bring_up(self):
        """Does nothing: the database is a library in the service."""

    def remove(self):
        """Removes the database and its disk."""
        self.disk.remove()


class Postgres:
    """A separate PostgreSQL cluster, used by two replicas."""

    kind, replicas = "PostgreSQL", 2

    def __init__(self, folder, minutes):
        self.disk = Disk(folder / "postgres", int(256 + 24 * minutes))
        self.folder, self.data = folder, self.disk.path / "data"
        self.logs = [folder / "postgres.log"]
        self.bin = self._binaries()
        self.owner = "postgres"
        self.port = free_port()
        self.url = f"postgres://ddpatrol@127.0.0.1:{self.port}/postgres"
        self.logs[0].touch()
        for path in (self.disk.path, self.logs[0]):
            shutil.chown(path, self.owner)
        self._run(
            "initdb", "--pgdata", self.data, "--username", "ddpatrol", "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C",
        )
        self.bring_up()

    @staticmethod
    def _binaries():
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[4]))
        if not found:
            raise SystemExit("error: no PostgreSQL server found; install the package postgresql")
        return found[-1].parent

    def _run(self, program, *arguments, check=True):
        """Runs one of the server's programs as the cluster's user."""
        done = subprocess.run(
            ["runuser", "-u", self.owner, "--", self.bin / program, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/",
        )
        if check and done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
        return done.returncode == 0

    def _is_ready(self):
        # `pg_isready` succeeds before connections are possible while the server restarts.
        try:
            return self.query("SELECT 1") == [("1",)]
        except (subprocess.SubprocessError, OSError):
            return False

    def query(self, statement):
        """Returns the rows of a statement as strings."""
        done = subprocess.run(
            [self.bin / "psql", "--no-psqlrc", "-qtAX", "-F", "|", "-v", "ON_ERROR_STOP=1",
             "-c", statement.format(hex="encode(asset_id, 'hex')"), self.url],
            check=True, capture_output=True, text=True, timeout=30,
            env={**os.environ, "PGCONNECT_TIMEOUT": "5"},
        )
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]

    def bring_up(self):
        """Starts the server unless it is running, and returns when it accepts connections."""
        end = time.monotonic() + 60
        while not self._is_ready():
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: see {self.logs[0]}")
            # Smaller than usual, so that a small disk suffices.
            settings = (
                f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
                " -c max_connections=100 -c max_wal_size=64MB -c min_wal_size=32MB"
            )
            if not self._run("pg_ctl", "-D", self.data, "status", check=False):
                self._run(
                    "pg_ctl", "-D", self.data, "-l", self.logs[0], "-w", "-t", "30", "-o", settings,
                    "start", check=False,
                )
            time.sleep(0.05)

    def stop(self):
        """Stops the server without a checkpoint, as a crash does."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop", check=False)

    def _processes(self):
        """Returns the postmaster and its children."""
        try:
            first = int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return []
        children = Path(f"/proc/{first}/task/{first}/children")
        try:
            return [first, *map(int, children.read_text().split())]
        except OSError:
            return []

    def signal(self, number):
        """Sends a signal to every process of the server."""
        for process in self._processes():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass

    def remove(self):
        """Removes the cluster and its disk."""
        self.signal(signal.SIGCONT)
        self.disk.empty()
        self.stop()
        self.disk.remove()
