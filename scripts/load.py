"""Measures the service's CPU time per token check, compared with an empty handler: see load.sh."""

import argparse
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

# Counts the uses in the audit trail.
USES = "SELECT count(*) FROM audit_events WHERE name = 'access_token.used'"
# The server's own counters.
ANSWERED, AUDITED = "ddpatrold_token_uses_total", "ddpatrold_audited_uses_total"
EMPTY, CHECK = "/healthz", "/api/v2/validate_keys"
TICKS = os.sysconf("SC_CLK_TCK")

# The token is passed in the environment, because any user of the machine can read arguments.
LUA = """
local token = os.getenv("DDPATROL_LOAD_TOKEN")
if token then wrk.headers["Authorization"] = "Bearer " .. token end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    "\\nRESULT {\\"requests\\":%d,\\"refused\\":%d,\\"broken\\":%d,\\"micros\\":%d,\\"p50\\":%d,\\"p99\\":%d}\\n",
    summary.requests, e.status, e.connect + e.read + e.write + e.timeout, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Round(NamedTuple):
    """One run of wrk: requests, server CPU microseconds per request, latencies, requests per second."""

    answered: int
    cpu: float
    p50: float
    p99: float
    rate: float


class Server:
    """A running `ddpatrold` on its own database."""

    def __init__(self, program: str, database: str) -> None:
        self.database = database
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")}
        self.process = subprocess.Popen(
            [
                program, "serve", "--listen", "127.0.0.1:0", "--print-admin-token",
                "--database", database, "--no-rate-limit",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        self.url = self._listening()
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.admin = self.process.stdout.readline().strip()
        self.token = self._mint()

    def _listening(self) -> str:
        for line in self.process.stderr:
            found = re.search(r"listening on (http://\S+)", line)
            if found:
                return found.group(1)
        raise SystemExit("error: ddpatrold did not start")

    def _mint(self) -> str:
        ahead = datetime.now(timezone.utc) + timedelta(days=30)
        attributes = {
            "name": "load", "scopes": ["dashboards_read"],
            "expires_at": ahead.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        body = {"data": {"type": "personal_access_tokens", "attributes": attributes}}
        request = urllib.request.Request(
            self.url + "/api/v2/personal_access_tokens", json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]["attributes"]["key"]

    def cpu(self) -> float:
        """Returns the CPU seconds of the process so far, for all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def counter(self, name: str) -> int:
        """Returns one of the server's own counters."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{name}(?:\{{.*\}})? (\d+)", text, re.MULTILINE)
        if not found:
            raise SystemExit(f"error: counter {name} not found in /metrics")
        return int(found.group(1))

    def settle(self) -> None:
        """Waits until every answered use is written, since writing is part of the cost of a check."""
        end = time.monotonic() + 60
        while self.counter(ANSWERED) != self.counter(AUDITED):
            if time.monotonic() > end:
                raise SystemExit("error: some answered uses were not written within a minute")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops the process like an operator."""
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise SystemExit("error: ddpatrold did not stop cleanly")

    def uses(self) -> int:
        """Returns the number of uses in the audit trail, read directly from the database."""
        if self.database.startswith("sqlite:"):
            with sqlite3.connect(self.database.removeprefix("sqlite:")) as connection:
                return connection.execute(USES).fetchone()[0]
        return int(psql(self.database, USES))


def psql(database: str, statement: str) -> str:
    """Runs a statement on PostgreSQL."""
    done = subprocess.run(
        ["psql", "--no-psqlrc", "-qtAX", "-v", "ON_ERROR_STOP=1", "-c", statement, database],
        check=True, capture_output=True, text=True,
    )
    return done.stdout.strip()


def load(server: Server, path: str, options: argparse.Namespace, script: str) -> Round:
    """Runs wrk once; every response must be a 2xx."""
    environment = dict(os.environ)
    if path == CHECK:
        environment["DDPATROL_LOAD_TOKEN"] = server.token
    before = server.cpu()
    done = subprocess.run(
        ["wrk", "--latency", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", script,
         server.url + path],
        check=True, capture_output=True, text=True, env=environment,
    )
    server.settle()
    cpu = server.cpu() - before
    result = json.loads(re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE).group(1))
    if result["refused"] or result["broken"] or not result["requests"]:
        raise SystemExit(f"error: {path}: {result}")
    requests = result["requests"]
    return Round(
        requests, cpu * 1e6 / requests, result["p50"] / 1e3, result["p99"] / 1e3,
        requests / result["micros"] * 1e6,
    )


def measure(database: str, options: argparse.Namespace, script: str) -> tuple[str, bool]:
    """Measures on one database. Returns a row of the table, and whether the audit trail is complete."""
    server = Server(options.ddpatrold, database)
    try:
        for path in (EMPTY, CHECK):
            warm = argparse.Namespace(**{**vars(options), "seconds": 2})
            load(server, path, warm, script)
        begun = server.counter(ANSWERED)
        rounds: dict[str, list[Round]] = {EMPTY: [], CHECK: []}
        for _ in range(options.rounds):
            for path, done in rounds.items():
                done.append(load(server, path, options, script))
        server.settle()
        answered = server.counter(ANSWERED)
    finally:
        server.stop()
    audited = server.uses()
    seen = sum(done.answered for done in rounds[CHECK])
    # wrk closes its connections while requests are in progress; the server has answered these, too.
    in_flight = answered - begun - seen
    whole = audited == answered and 0 <= in_flight <= options.connections * options.rounds

    def median(path: str, field: str) -> float:
        return statistics.median(getattr(done, field) for done in rounds[path])

    difference = statistics.median(
        check.cpu - empty.cpu for empty, check in zip(rounds[EMPTY], rounds[CHECK])
    )
    kind = "SQLite" if database.startswith("sqlite:") else "PostgreSQL"
    row = (
        f"| {kind} | {median(EMPTY, 'cpu'):.1f} | {median(CHECK, 'cpu'):.1f} | {difference:.1f} "
        f"| {median(CHECK, 'p50'):.2f} | {median(CHECK, 'p99'):.2f} | {median(CHECK, 'rate'):,.0f} "
        f"| {seen:,} | {answered:,} | {audited:,} |"
    )
    return row, whole


def main() -> int:
    """Measures both databases and prints the table."""
    parser = argparse.ArgumentParser(prog="load.sh")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--ddpatrold", required=True)
    options = parser.parse_args()
    cluster = os.environ["DDPATROL_TEST_POSTGRES"]
    psql(cluster, "CREATE DATABASE load")
    whole = True
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        script = f"{directory}/load.lua"
        Path(script).write_text(LUA)
        for database in (f"sqlite:{directory}/load.db", cluster.rpartition("/")[0] + "/load"):
            row, sound = measure(database, options, script)
            rows.append(row)
            whole = whole and sound
    print(
        f"{os.cpu_count()} processors, {options.connections} connections, medians of "
        f"{options.rounds} rounds of {options.seconds} s in turn after a warm-up; CPU is the "
        "server's own (user and system), latencies are those of a check.\n\n"
        "| database | µs CPU, empty handler | µs CPU, check | difference | p50 ms | p99 ms "
        "| checks/s | checks that wrk counted | uses answered | uses audited |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    print("\n".join(rows))
    if not whole:
        print("error: the audited uses differ from the answered ones", file=sys.stderr)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
