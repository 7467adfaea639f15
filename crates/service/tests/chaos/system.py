"""The system under test: a database, its replicas, the managers' tokens and the ledger."""

import threading
import time
import traceback
from collections import Counter

from token_format import ALPHABET

from .database import Postgres, Sqlite, uuid_text
from .ledger import Ledger, Token, Violations
from .load import Gate
from .replica import Clock, Replica

DATABASES = {"sqlite": Sqlite, "postgres": Postgres}
# Users whose tokens make the changes; enough that the default limits per user are not reached.
MANAGERS = 24
MEBIBYTE = 1024 * 1024
# Maximum memory above idle for requests without a valid token.
UNAUTHENTICATED_BYTES = 64 * MEBIBYTE
# Maximum memory above idle for everything else: the audit queue (8,192 events of about 1 KiB), the page cache of each
# SQLite connection (2 MiB) or the buffers of the PostgreSQL connections, the cache of tokens, and the allocator's
# overhead.
AUTHENTICATED_BYTES = 32 * MEBIBYTE


class HarnessError(Exception):
    """The run cannot continue."""


class System:
    """One database with its replicas."""

    def __init__(self, name, options, folder, log):
        self.started = time.monotonic()
        self.folder = folder
        self.log = lambda text: log(f"{name} {time.monotonic() - self.started:6.1f} s: {text}")
        self.violations = Violations(self.log)
        self.ledger, self.gate = Ledger(), Gate()
        self._count_lock, self.requests, self.attacks = threading.Lock(), Counter(), 0
        self.clocks_right = True
        self.managers, self.failures, self.replicas = [], [], []
        self.database = DATABASES[name](folder, options.minutes)
        self.clock = Clock(folder / f"{name}.clock")
        last = self.database.replicas - 1
        for number in range(self.database.replicas):
            clock = self.clock if number == last else None
            self.replicas.append(
                Replica(number, options.ddpatrold, self.database, folder, self.violations, clock)
            )

    def start(self):
        """Starts the replicas, adds the managers and measures the idle memory."""
        for replica in self.replicas:
            replica.start()
        for number in range(MANAGERS):
            email = f"manager{number}@example.com"
            self.replicas[0].admin("user", "add", email, "--permission", "user_app_keys")
            self.managers.append(self._manager(number))
        time.sleep(1)
        for replica in self.replicas:
            replica.idle = replica.memory()
        self.disk_at_start = self.database.disk.used()

    def _manager(self, number):
        """Issues a manager's token on the command line."""
        secret = self.replicas[0].admin(
            "token", "issue", "--user", f"manager{number}@example.com", "--name", f"manager {number}",
            "--scope", "user_app_keys", "--scope", "dashboards_read", "--expires-in", "300d",
        )
        identity = 0
        for character in secret[6:28]:
            identity = identity * 62 + ALPHABET.index(character)
        digits = f"{identity:032x}"
        token = Token(uuid_text(digits), secret, number, f"manager {number}", manager=True)
        self.ledger.created(token)
        return token

    def renew_lost_managers(self):
        """Replaces the managers' tokens that the product lost, so that the run can continue."""
        for number, token in enumerate(self.managers):
            if token.lost:
                self.managers[number] = self._manager(number)

    def count(self, what):
        """Counts a request or a response."""
        with self._count_lock:
            self.requests[what] += 1

    def harness_failed(self, error):
        """Records a failure of the harness itself, which ends the run."""
        self.failures.append("".join(traceback.format_exception(error)))

    def memory_bound(self, replica):
        """Returns the bound of a replica's resident memory in bytes."""
        return replica.idle + UNAUTHENTICATED_BYTES + AUTHENTICATED_BYTES

    def remove(self):
        """Stops all processes and removes the database."""
        for replica in self.replicas:
            replica.discard()
        self.database.remove()
