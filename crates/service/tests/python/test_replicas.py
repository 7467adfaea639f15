"""Several replicas on one PostgreSQL: a revocation holds at once where it was answered and within a
second everywhere else, whether or not the connection that listens for changes works; a token expires
once."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest

from conftest import HIGH_LIMITS
from server import TOKENS, VALIDATE, Server

# What the service promises, in seconds.
PROMISED = 1.0
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@pytest.fixture
def database(new_database):
    return new_database("postgres")


@pytest.fixture
def replicas(binary, database):
    """Three servers on one database."""
    first = Server(binary, database, *HIGH_LIMITS).start()
    running = [first]
    for _ in range(2):
        other = Server(binary, database, *HIGH_LIMITS)
        other.admin_token = first.admin_token
        running.append(other.start())
    yield running
    for server in running:
        server.stop()


def listeners(database, count=3):
    """The processes of PostgreSQL that serve the connections on which replicas listen."""
    end = time.monotonic() + 30
    while True:
        with psycopg.connect(database, autocommit=True) as connection:
            pids = [pid for (pid,) in connection.execute(LISTENERS)]
        if len(pids) >= count or time.monotonic() > end:
            assert len(pids) == count, pids
            return pids
        time.sleep(0.05)


@contextmanager
def working(database):
    listeners(database)
    yield


@contextmanager
def killed(database):
    """The listening connections are ended, again and again."""
    listeners(database)
    over = threading.Event()

    def kill():
        with psycopg.connect(database, autocommit=True) as connection:
            while not over.wait(0.02):
                connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) listening")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


@contextmanager
def frozen(database):
    """The listening connections stand still, as behind a network that lost them."""
    pids = listeners(database)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class Polling(threading.Thread):
    """Asks a server all the time whether it accepts a token; keeps when the last accepted question
    began."""

    def __init__(self, server, token):
        super().__init__()
        self.server, self.token = server, token
        self.first, self.last, self.over = threading.Event(), None, threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.over.is_set():
                began = time.monotonic()
                if self.server.is_accepted(self.token):
                    self.last = began
                    self.first.set()
        except BaseException as error:  # told by the test's own thread
            self.failure = error
            self.first.set()


@pytest.mark.parametrize("listening", [working, killed, frozen])
@pytest.mark.parametrize("way", ["delete", "leak", "disable"])
def test_a_revocation_holds_at_once_here_and_within_a_second_elsewhere(
    replicas, database, listening, way
):
    here, *elsewhere = replicas
    email = f"{way}-{listening.__name__}@example.com"
    token = here.person(email, ["user_app_keys"], ["user_app_keys"])
    with listening(database):
        polling = [Polling(server, token) for server in elsewhere]
        for thread in polling:
            thread.start()
        for thread in polling:
            assert thread.first.wait(30) and thread.failure is None, thread.failure
        assert here.is_accepted(token)
        if way == "delete":
            found = here.get(TOKENS, token).json()["data"]
            answer = here.request("DELETE", f"{TOKENS}/{found[0]['id']}")
            assert answer.status_code == 204
        elif way == "leak":
            assert here.report_leaks({"token": token})[0]["status"] == "revoked"
        else:
            here.admin("user", "disable", email)
        answered = time.monotonic()
        if way != "disable":
            assert not here.is_accepted(token), "at once, where it was answered"
        time.sleep(PROMISED + 0.5)
        for thread in polling:
            thread.over.set()
        for thread in polling:
            thread.join()
        for thread in polling:
            assert thread.failure is None, thread.failure
            late = thread.last - answered
            assert late <= PROMISED, f"accepted {late:.3f} s after the revocation was answered"


def test_a_revocation_holds_after_a_restart_by_kill(replicas):
    here, other, _ = replicas
    token = here.create("to be revoked")
    key = token["attributes"]["key"]
    assert other.is_accepted(key)
    assert here.request("DELETE", f"{TOKENS}/{token['id']}").status_code == 204
    here.stop(signal.SIGKILL)
    other.stop(signal.SIGKILL)
    for server in (here, other):
        assert not server.start().is_accepted(key)


def test_a_token_expires_at_its_second_and_with_one_event(replicas):
    here = replicas[0]
    tokens = [here.issue("admin@localhost", ["dashboards_read"], "3s") for _ in range(20)]
    ends = time.time() + 3
    assert all(server.is_accepted(tokens[0]) for server in replicas)
    time.sleep(max(0, ends - time.time()) + 0.05)
    for server in replicas:
        assert not any(server.is_accepted(token) for token in tokens)
    events = here.wait_for_events("@evt.name:access_token.expired", len(tokens))
    # The replicas sweep every second; each has had its chance for a second event.
    time.sleep(2.5)
    events = here.events("@evt.name:access_token.expired")
    assets = [event["attributes"]["attributes"]["asset"]["id"] for event in events]
    assert len(assets) == len(tokens) == len(set(assets))


def test_servers_that_start_together_make_one_administrator(binary, database):
    servers = [Server(binary, database, *HIGH_LIMITS) for _ in range(4)]
    for server in servers:
        server.admin_token = "unused"
    starting = [threading.Thread(target=server.start) for server in servers]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    try:
        tokens = [line for server in servers for line in server.output]
        assert len(tokens) == 1, "one prints the token"
        assert all(server.get(VALIDATE, tokens[0]).status_code == 200 for server in servers)
        assert servers[0].admin("user", "list").count("admin@localhost") == 1
    finally:
        for server in servers:
            server.stop()
