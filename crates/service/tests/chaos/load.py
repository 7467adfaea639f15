"""The load: creations, updates, revocations and checks; each acknowledged change is in the ledger."""

import random
import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from .client import OAUTH_REVOKE, REPORTS, TOKENS, VALIDATE, Client, Unanswered
from .ledger import Check, State, Token, evaluate_check

# Maximum duration of a request of the load, in seconds.
REQUEST_SECONDS = 10
# Number of live tokens beyond which no more are created: all of them are checked after each fault.
MAX_LIVE = 100
# Pauses between two requests of a worker, in seconds. Default limits are 300 changes per minute and user; the changes
# are distributed over all managers.
CHANGE_PAUSE, LIVE_PAUSE, DEAD_PAUSE = 0.08, 0.005, 0.015


class Gate:
    """Admits requests until it is closed and no request is in progress."""

    def __init__(self):
        self._changed = threading.Condition()
        self._closed, self._under_way = False, 0

    def __enter__(self):
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._under_way += 1

    def __exit__(self, *error):
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def close(self):
        """Closes the gate and waits until no request is in progress."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._under_way == 0)

    def open(self):
        """Opens the gate."""
        with self._changed:
            self._closed = False
            self._changed.notify_all()


def creation(name):
    """Returns the body of a request that creates a token."""
    expires_at = (datetime.now(timezone.utc) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    attributes = {"name": name, "scopes": ["dashboards_read"], "expires_at": expires_at}
    return {"data": {"type": "personal_access_tokens", "attributes": attributes}}


class Worker:
    """Sends requests in one thread; methods return the status of the response, or `None` without one."""

    def __init__(self, system, seed):
        self.system, self.ledger, self.rng = system, system.ledger, random.Random(seed)
        self.clients = [Client(r.port, REQUEST_SECONDS, seed) for r in system.replicas]

    def _replica(self):
        return self.rng.randrange(len(self.clients))

    def _send(self, replica, method, path, token=None, body=None):
        self.system.count("sent")
        try:
            answer = self.clients[replica].request(method, path, token, body)
        except Unanswered:
            self.system.count("unanswered")
            self.system.count("possibly refused")
            return None
        self.system.count(answer.status)
        if answer.status in (401, 429):
            self.system.count("possibly refused")
        return answer

    def is_unready(self):
        """Returns `True` if a replica reports that it is not ready."""
        try:
            answer = self.clients[self._replica()].request("GET", "/readyz")
        except Unanswered:
            return True
        return answer.status == 503

    def create(self, replica=None):
        """Creates a token."""
        replica = self._replica() if replica is None else replica
        manager = self.rng.choice(self.system.managers)
        name = f"chaos {self.rng.randrange(10**9)}"
        answer = self._send(replica, "POST", TOKENS, manager.secret, creation(name))
        if answer is None or answer.status != 201:
            return answer and answer.status
        data = answer.json()["data"]
        self.ledger.created(Token(data["id"], data["attributes"]["key"], manager.owner, name))
        return 201

    def update(self, token, replica=None, name=None):
        """Renames a reserved token."""
        replica = self._replica() if replica is None else replica
        name = name or f"renamed {self.rng.randrange(10**9)}"
        manager = self.system.managers[token.owner]
        body = {"data": {"id": token.id, "type": "personal_access_tokens", "attributes": {"name": name}}}
        self.ledger.renaming(token, name)
        answer = self._send(replica, "PATCH", f"{TOKENS}/{token.id}", manager.secret, body)
        if answer is not None and answer.status == 200:
            self.ledger.renamed(token, name)
        elif answer is not None and answer.status == 404 and token.state is State.LIVE:
            self._lost(token, f"replica {replica} reported it as missing on an update")
        return answer and answer.status

    def _lost(self, token, how):
        if self.system.clocks_right and not token.lost:
            token.lost = True
            self.system.violations.add("change lost", f"token {token.id} is live and {how}")

    def revoke(self, token, replica=None):
        """Revokes a reserved token through the API, a leak report or OAuth."""
        replica = self._replica() if replica is None else replica
        way = self.rng.choice(("api", "api", "leak", "oauth"))
        self.ledger.revoking(token)
        if way == "api":
            manager = self.system.managers[token.owner]
            answer = self._send(replica, "DELETE", f"{TOKENS}/{token.id}", manager.secret)
            done = answer is not None and answer.status == 204
        elif way == "leak":
            answer = self._send(replica, "POST", REPORTS, None, {"reports": [{"token": token.secret}]})
            done = answer is not None and answer.status == 200 and answer.json()["results"][0][
                "status"
            ] in ("revoked", "already_revoked")
        else:
            answer = self._send(replica, "POST", OAUTH_REVOKE, None, urlencode({"token": token.secret}))
            done = answer is not None and answer.status == 200
        if done:
            self.ledger.revoked(token, replica, time.monotonic())
            self.check(token, replica)
        return answer and answer.status

    def change(self):
        """Makes one random change."""
        live = self.ledger.live_count()
        if self.rng.random() < (0.5 if live < MAX_LIVE else 0.1):
            self.create()
            return
        token = self.ledger.reserve(self.rng)
        if token is None:
            return
        try:
            again = token.state is State.ASKED
            if again or self.rng.random() < (0.3 if live < MAX_LIVE / 2 else 0.6):
                self.revoke(token)
            else:
                self.update(token)
        finally:
            self.ledger.release(token)

    def check(self, token, replica):
        """Checks a token and evaluates the response."""
        right = self.system.clocks_right
        before, begun = token.state, time.monotonic()
        answer = self._send(replica, "GET", VALIDATE, token.secret)
        if answer is None:
            return None
        right = right and self.system.clocks_right
        check = Check(answer.status, replica, begun, before, token.state, right)
        violation = evaluate_check(token, check)
        if violation:
            kind = "revoked token accepted" if answer.status == 200 else "live token refused"
            token.lost = token.lost or kind == "live token refused"
            self.system.violations.add(kind, violation)
        return answer.status

    def check_live(self):
        """Checks a random live token."""
        token = self.ledger.choose_live(self.rng)
        if token:
            self.check(token, self._replica())

    def check_dead(self):
        """Checks a random revoked token."""
        token = self.ledger.choose_dead(self.rng)
        if token:
            self.check(token, self._replica())


class Load:
    """The threads that generate the load."""

    def __init__(self, system, seed):
        self._system, self._stop = system, threading.Event()
        work = [
            *[(Worker.change, CHANGE_PAUSE)] * 2, *[(Worker.check_live, LIVE_PAUSE)] * 3,
            (Worker.check_dead, DEAD_PAUSE),
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(do, pause, f"{seed}-{number}"), daemon=True)
            for number, (do, pause) in enumerate(work)
        ]

    def start(self):
        """Starts the load."""
        for thread in self._threads:
            thread.start()

    def _run(self, do, pause, seed):
        worker = Worker(self._system, seed)
        while not self._stop.is_set():
            with self._system.gate:
                try:
                    do(worker)
                except Exception as error:
                    self._system.harness_failed(error)
                    return
            self._stop.wait(pause)

    def stop(self):
        """Stops the load and waits until no request is in progress."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * REQUEST_SECONDS)


def answers(requests):
    """Returns the counted statuses as a short text, without the rare ones."""
    statuses = Counter({k: v for k, v in requests.items() if isinstance(k, int)})
    return ", ".join(f"{count} × {status}" for status, count in statuses.most_common(6))
