"""What the command line refuses, and how it says so. How the service behaves while it runs is tested in
`tests/it`."""

import subprocess

import pytest

from server import environment


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
