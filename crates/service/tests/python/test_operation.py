"""Errors of the command line, and the retention of events. `tests/it` tests the running service."""

import sqlite3
import subprocess
import time

import pytest

from server import Server, environment


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
def test_an_invalid_configuration_is_rejected_with_a_reason(binary, tmp_path, options):
    given = options if "--database" in options else ["--database", f"sqlite:{tmp_path}/x.db", *options]
    done = run(binary, "serve", *given)
    assert done.returncode == 2, done
    assert done.stderr.strip() and "hidden" not in done.stderr and "panicked" not in done.stderr


def test_admin_on_a_missing_database_is_an_error_and_creates_none(binary, tmp_path):
    done = run(binary, "admin", "--database", f"sqlite:{tmp_path}/typo.db", "user", "list")
    assert done.returncode == 2 and "typo.db" in done.stderr
    assert not list(tmp_path.iterdir())


def test_events_beyond_their_retention_are_deleted_and_newer_ones_kept(serve, binary):
    server = serve()
    server.create("kept")
    path = server.database.removeprefix("sqlite:")
    server.stop()
    day = 24 * 3600 * 1_000_000
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE audit_events SET at = at - {3 * day} WHERE name LIKE 'user.%'")
    again = Server(binary, server.database, "--audit-retention", "2", "--clock-agreement", "1")
    again.admin_token = server.admin_token
    again.start()
    try:
        end = time.monotonic() + 30
        while again.events("@evt.name:user.created"):
            assert time.monotonic() < end, "the old event is deleted"
            time.sleep(0.1)
        assert len(again.events("@evt.name:access_token.created")) == 2
    finally:
        again.stop()
