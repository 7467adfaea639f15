"""Verification between the slots: the ledger against listings, audit trail, memory and storage.

No change is in progress during a verification.
"""

import time

from .client import TOKENS, VALIDATE, Client, Unanswered
from .database import EVENT_COUNTS, EVENTS_BY_TOKEN, TOKENS_WITHOUT_EVENT, uuid_text
from .ledger import Check, State, evaluate_check, evaluate_events, evaluate_listing
from .replica import TOKEN
from .system import MEBIBYTE, HarnessError

PAGE = 100
# Number of revoked tokens that are checked on each replica after each slot; at the end, all of them are.
DEAD_SAMPLE = 60
ANSWER_SECONDS = 20
# Maximum growth of a replica's log, in bytes per second: the load's own failures, at most some hundred lines.
LOG_RATE = 128 * 1024
# Audit events of rejected uses in a slot beyond the expected ones: those of managers in `_get`.
SLACK_ROWS = 30
# Expected events that are carried over to the next slot: an aggregate is written up to a minute late.
CARRIED_ROWS = 2_500
# Maximum time that a use waits in the audit queue.
QUEUE_SECONDS = 2.0
# Events of changes and of live tokens, which the load causes. All other events come from rejected uses.
OWN_EVENTS = {
    "access_token.created", "access_token.updated", "access_token.revoked", "access_token.used",
    "access_token.expired", "access_token.leak_reported", "user.created", "user.updated",
}


class Verification:
    """Checks the state between the slots."""

    def __init__(self, system):
        self._system, self._violations = system, system.violations
        self.refused_rows, self.allowed_rows = 0, 0
        self._refusable, self._log_sizes = 0, {}
        self._clients = [Client(r.port, 5, f"verify {r.number}") for r in system.replicas]

    def verify(self, seconds, rows_per_minute, last=False):
        """Checks everything after a slot of `seconds`, with the audit rows that its faults may add."""
        system = self._system
        system.gate.close()
        try:
            self._listings()
            self._events()
            dead = system.ledger.dead()
            self._dead_tokens(dead if last else dead[-DEAD_SAMPLE:])
            self._memory()
            self._logs(seconds)
            self._storage(seconds, rows_per_minute)
        finally:
            system.gate.open()

    def _get(self, replica, path, token):
        """Returns a response of 200 or 401; after a fault, no request may fail for long."""
        end = time.monotonic() + ANSWER_SECONDS
        problem = ""
        while time.monotonic() < end:
            try:
                answer = self._clients[replica].ask("GET", path, token)
            except Unanswered as error:
                problem = str(error)
            else:
                if answer.status in (200, 401):
                    return answer
                problem = f"status {answer.status}"
            time.sleep(0.05)
        raise HarnessError(f"no answer to GET {path}: {problem}")

    def _listings(self):
        """Checks that every acknowledged change is listed to its manager."""
        by_owner = {}
        for token in self._system.ledger.all():
            by_owner.setdefault(token.owner, []).append(token)
        for manager in self._system.managers:
            listed, page = {}, 0
            while True:
                path = f"{TOKENS}?page%5Bsize%5D={PAGE}&page%5Bnumber%5D={page}"
                answer = self._get(0, path, manager.secret)
                if answer.status == 401:
                    self._violations.add("live token refused", f"manager {manager.id} cannot list")
                    break
                data = answer.json()["data"]
                listed |= {item["id"]: item["attributes"]["name"] for item in data}
                page += 1
                if len(data) < PAGE:
                    self._report(evaluate_listing(by_owner.get(manager.owner, []), listed))
                    break

    def _report(self, violations):
        for token, text in violations:
            # Each violation is reported once; a lost change stays lost.
            token.lost = True
            self._violations.add("change lost", text)

    def _events(self):
        """Checks that every acknowledged creation and revocation has exactly one audit event."""
        rows = self._system.database.query(EVENTS_BY_TOKEN)
        events = {(uuid_text(token), name): int(count) for token, name, count in rows}
        for token, text in evaluate_events(self._system.ledger.all(), events):
            if not token.events_reported:
                token.events_reported = True
                self._violations.add("audit", text)
        [(orphans,)] = self._system.database.query(TOKENS_WITHOUT_EVENT)
        if int(orphans):
            self._violations.add("audit", f"{orphans} tokens without an event of their creation")

    def _dead_tokens(self, tokens):
        """Checks that no replica accepts a revoked token."""
        for number in range(len(self._clients)):
            for token in tokens:
                begun = time.monotonic()
                status = self._get(number, VALIDATE, token.secret).status
                self._system.count("possibly refused")
                check = Check(status, number, begun, State.REVOKED, State.REVOKED, True)
                violation = evaluate_check(token, check)
                if violation:
                    self._violations.add("revoked token accepted", violation)

    def _memory(self):
        for replica in self._system.replicas:
            peak, bound = replica.new_peak(), self._system.memory_bound(replica)
            if peak > bound:
                text = f"{replica.name}: {peak // MEBIBYTE} MiB, bound {bound // MEBIBYTE} MiB"
                self._violations.add("memory", text)

    def _logs(self, seconds):
        """Checks the growth of the logs: failures of many requests must not be logged individually without limit."""
        for replica in self._system.replicas:
            size = replica.log.stat().st_size
            grown, bound = size - self._log_sizes.get(replica.number, 0), LOG_RATE * (seconds + 10)
            self._log_sizes[replica.number] = size
            if grown > bound:
                self._violations.add("log", f"{replica.name}: log grew by {grown // 1024} KiB")

    def _storage(self, seconds, rows_per_minute):
        """Checks that rejected uses add at most one event per token, address and minute."""
        found = self._refused_events()
        uses = self._system.requests["possibly refused"]
        # A slot covers one minute more than its length. The load uses an address once.
        allowed = uses - self._refusable + rows_per_minute * (int(seconds / 60) + 2) + SLACK_ROWS
        self._refusable = uses
        self.allowed_rows += allowed
        if found > max(self.refused_rows, self.allowed_rows):
            text = f"rejected uses added {found - self.refused_rows} audit events, at most {allowed} allowed"
            self._violations.add("storage", text)
            # Events that still wait in the audit queue belong to this slot, too.
            time.sleep(QUEUE_SECONDS)
            found = self.allowed_rows = self._refused_events()
        self.refused_rows = found
        self.allowed_rows = min(self.allowed_rows, found + CARRIED_ROWS)

    def _refused_events(self):
        """Returns the number of audit events of rejected uses."""
        rows = self._system.database.query(EVENT_COUNTS)
        return sum(int(count) for name, count in rows if name not in OWN_EVENTS)

    def tokens_at_rest(self):
        """Checks that no file of the database or its logs contains a whole token."""
        database = self._system.database
        for path in [*database.disk.files(), *database.logs]:
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if TOKEN.search(data):
                self._violations.add("token shown", f"{path.name} contains a whole token")
