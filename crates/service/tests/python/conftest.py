"""Fixtures: the binary, a database of each kind, and servers on them. A missing requirement is a failure."""

import os

import pytest

from databases import KINDS, new_database, required  # noqa: F401 (a fixture)
from github import GitHub
from server import Server

CLASSES = "tokens_read tokens_write tokens_revoke validate audit leaks introspect authentication".split()
# High enough that no test reaches them, while the headers are still sent.
HIGH_LIMITS = [part for name in CLASSES for part in ("--rate-limit", f"{name}=1000000/60")]


@pytest.fixture(scope="session")
def binary():
    """The service's binary."""
    path = required("DDPATROLD")
    assert os.access(path, os.X_OK), f"{path}: no such program"
    return path


@pytest.fixture(scope="module", params=KINDS)
def server(request, binary, new_database):
    """A server with rate limits that no test reaches, on each kind of database."""
    options = [*HIGH_LIMITS, "--clock-agreement", "1"]
    running = Server(binary, new_database(request.param), *options).start()
    yield running
    running.stop()


@pytest.fixture
def serve(binary, new_database):
    """Returns a function that starts servers with given options, by default on SQLite."""
    started = []

    def start(*options, kind="sqlite"):
        started.append(Server(binary, new_database(kind), *options).start())
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def github():
    """A stand-in for GitHub with a key pair of its own."""
    with GitHub() as running:
        yield running


@pytest.fixture(autouse=True)
def no_credentials_from_outside(monkeypatch):
    """Hides credentials in the environment from the client."""
    for name in [name for name in os.environ if name.startswith("DD_")]:
        monkeypatch.delenv(name)
