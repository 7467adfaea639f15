"""What an operator relies on: where the service listens, what it does while its database is slow or gone,
and what a crash can lose."""

import os
import signal
import sqlite3
import ssl
import subprocess
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import psycopg
import pytest

from conftest import HIGH_LIMITS
from server import VALIDATE, Server, environment
from token_format import mint, with_wrong_checksum


def run(binary, *arguments):
    return subprocess.run(
        [binary, *arguments], capture_output=True, text=True, env=environment(), timeout=60
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--listen", "0.0.0.0:0"],
        ["--listen", "[::]:0"],
        ["--tls-cert", "missing.pem"],
        ["--tls-cert", "missing.pem", "--tls-key", "missing.pem"],
        ["--database", "mysql://me:hidden@host/x"],
        ["--database", "sqlite::memory:"],
        ["--database", "postgres://me:hidden@127.0.0.1:1/x"],
        ["--scopes", "missing.txt"],
        ["--github-keys-url", "http://example.com/keys"],
        ["--rate-limit", "nothing=1/1"],
        ["--on-leak", "ignore"],
    ],
)
def test_what_cannot_be_served_is_refused_with_a_reason(binary, tmp_path, options):
    given = options if "--database" in options else ["--database", f"sqlite:{tmp_path}/x.db", *options]
    done = run(binary, "serve", *given)
    assert done.returncode == 2, done
    assert done.stderr.strip() and "hidden" not in done.stderr and "panicked" not in done.stderr


def test_an_administration_of_no_database_is_an_error_and_makes_none(binary, tmp_path):
    done = run(binary, "admin", "--database", f"sqlite:{tmp_path}/typo.db", "user", "list")
    assert done.returncode == 2 and "typo.db" in done.stderr
    assert not list(tmp_path.iterdir())


def test_tls_serves_those_who_trust_its_certificate(binary, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    process = subprocess.Popen(
        [binary, "serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:{tmp_path}/x.db",
         "--tls-cert", cert, "--tls-key", key],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )
    try:
        token = process.stdout.readline().strip()
        url = next(line.split()[-1] for line in process.stderr if "listening on https://" in line)
        url = f"https://localhost:{urlsplit(url).port}{VALIDATE}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        trusting = ssl.create_default_context(cafile=cert)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
        )
        assert opener.open(request, timeout=30).status == 200
        doubting = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(OSError):
            doubting.open(request, timeout=30)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0


def test_behind_a_proxy_the_last_forwarded_address_is_the_callers(serve):
    proxied, direct = serve("--behind-proxy", *HIGH_LIMITS), serve(*HIGH_LIMITS)
    for server, expected in ((proxied, "192.0.2.7"), (direct, "127.0.0.1")):
        server.get(VALIDATE, headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.7"})
        event = server.wait_for_events("@evt.name:access_token.used", 1)[0]
        assert event["attributes"]["attributes"]["network"]["client"]["ip"] == expected


def test_while_the_database_is_locked_requests_wait_and_no_use_is_lost(serve):
    server = serve(*HIGH_LIMITS)
    stop, answered, failures = threading.Event(), [0] * 4, []

    def use(number):
        while not stop.is_set():
            answer = server.get(VALIDATE)
            if answer.status_code == 200:
                answered[number] += 1
            else:
                failures.append(answer.text)

    using = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in using:
        thread.start()
    time.sleep(0.5)
    lock = sqlite3.connect(server.database.removeprefix("sqlite:"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    time.sleep(1.5)
    waiting = sum(answered)
    time.sleep(1)
    assert sum(answered) - waiting <= 4, "requests wait while uses cannot be written"
    lock.execute("COMMIT")
    time.sleep(1)
    stop.set()
    for thread in using:
        thread.join()
    assert not failures
    assert sum(answered) > waiting + 4, "and go on afterwards"
    server.stop()
    found = lock.execute("SELECT COUNT(*) FROM audit_events WHERE name = 'access_token.used'")
    assert found.fetchone()[0] == sum(answered)


def test_a_crash_loses_the_uses_of_one_second_at_most(serve):
    server = serve(*HIGH_LIMITS)
    answered = []
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert server.get(VALIDATE).status_code == 200
        answered.append(time.monotonic())
    server.stop(signal.SIGKILL)
    path = server.database.removeprefix("sqlite:")
    count = "SELECT COUNT(*) FROM audit_events WHERE name = 'access_token.used'"
    kept = sqlite3.connect(path).execute(count).fetchone()[0]
    assert kept <= len(answered)
    lost = answered[kept:]
    assert not lost or lost[0] >= answered[-1] - 1, f"{len(lost)} of {len(answered)} are lost"


def test_a_wrong_checksum_is_refused_without_the_database_and_all_else_waits_for_it(
    binary, new_database
):
    database = new_database("postgres")
    server = Server(binary, database, *HIGH_LIMITS).start()
    wrong = with_wrong_checksum(server.admin_token)
    name = urlsplit(database).path[1:]
    cluster = urlsplit(database)._replace(path="/postgres").geturl()
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        assert server.get(VALIDATE, wrong).status_code == 401
        assert server.get(VALIDATE, mint(1)).status_code == 503
        assert server.get("/readyz", False).status_code == 503
        assert server.get("/healthz", False).status_code == 200
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    end = time.monotonic() + 30
    while not server.get(VALIDATE).status_code == 200:
        assert time.monotonic() < end, "the service comes back with its database"
        time.sleep(0.1)
    assert server.get("/readyz", False).status_code == 200
    assert server.stop() == 0
