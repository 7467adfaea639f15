"""The faults: each begins, continues in the background, and ends so that the system can recover."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from .attack import ADDRESSES
from .load import Worker
from .tokens import unknown

# The service must close a silent connection within 15 seconds; three more for a busy machine.
SILENT_LIMIT = 18.0
REVOKED_TOKENS = 20
# Maximum time until a fault has an effect, beyond its duration.
EFFECT_SECONDS = 15.0
CLOCKS = {"+400": "+400d", "-1": "-1h", "+2": "+2m"}


class Fault:
    """A fault. After its end, the run starts the database if necessary."""

    def __init__(self, system, kind, seed):
        self.system, self.kind, self.seed = system, kind, seed
        self.rng = random.Random(seed)
        self.over = threading.Event()
        # Rows of rejected uses that the fault may add to the audit trail per minute.
        self.rows_per_minute = 0

    def begin(self):
        """Begins the fault."""

    def has_effect(self):
        """Returns `True` once the fault has had an effect."""
        return True

    def end(self):
        """Ends the fault."""


class Repeated(Fault):
    """A fault that repeats a step."""

    def begin(self):
        self.over.clear()
        self._thread = threading.Thread(target=self._repeat, daemon=True)
        self._thread.start()

    def _repeat(self):
        try:
            while not self.over.is_set():
                self.step()
        except Exception as error:
            self.system.harness_failed(error)

    def step(self):
        """Performs one step."""
        raise NotImplementedError

    def end(self):
        self.over.set()
        self._thread.join(60)


class DiskFull(Repeated):
    """No space on the database's disk, whatever the database releases."""

    _refused = False
    _writer = None

    def begin(self):
        for replica in self.system.replicas:
            replica.may_fail_to_start = True
        self._writer = Worker(self.system, f"{self.seed} writer")
        self.system.database.disk.fill()
        super().begin()
        self._writing = threading.Thread(target=self._write, daemon=True)
        self._writing.start()

    def step(self):
        self.system.database.disk.fill()
        self.over.wait(0.05)

    def _write(self):
        """Changes names to long ones until a change is rejected for lack of space."""
        while not self._refused and not self.over.is_set():
            token = self.system.ledger.reserve(self.rng)
            if token is None:
                self.over.wait(0.05)
                continue
            try:
                with self.system.gate:
                    status = self._writer.update(token, name=f"{self.rng.randrange(10**9)} {'n' * 240}")
            finally:
                self.system.ledger.release(token)
            # With a clock that is ahead, all tokens are rejected, and only readiness shows the full disk.
            self._refused = status is None or status >= 500 or self._writer.is_unready()

    def has_effect(self):
        return self._refused

    def end(self):
        super().end()
        self.system.database.disk.empty()


class Kill(Repeated):
    """Repeated `kill -9` of replicas."""

    def step(self):
        self.rng.choice(self.system.replicas).kill()
        self.over.wait(self.rng.uniform(0.5, 2.0))


class DatabaseStopped(Fault):
    """PostgreSQL stopped like in a crash."""

    def begin(self):
        for replica in self.system.replicas:
            replica.may_fail_to_start = True
        self.system.database.stop()


class DatabasePaused(Fault):
    """PostgreSQL stopped by SIGSTOP: connections stay open without any response."""

    def begin(self):
        for replica in self.system.replicas:
            replica.may_fail_to_start = True
        self.system.database.signal(signal.SIGSTOP)

    def end(self):
        self.system.database.signal(signal.SIGCONT)


class Clock(Fault):
    """The wall clock of one replica is wrong."""

    def begin(self):
        self.system.clocks_right = False
        self.system.clock.step(CLOCKS[self.kind.split()[1]])

    def end(self):
        self.system.clock.step("+0")


class Attacked(Fault):
    """An attack by another process on one replica."""

    arguments = ()

    def tokens(self):
        """Returns the tokens of the attack."""
        return []

    def begin(self):
        self._begun = time.monotonic()
        replica, network = self.rng.choice(self.system.replicas), str(self.rng.randrange(256))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.attack", str(replica.port), network, *self.arguments],
            cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        tokens = self.tokens()
        threading.Thread(target=self._give, args=(tokens,), daemon=True).start()

    def _give(self, tokens):
        try:
            self._process.stdin.write("\n".join(tokens))
            self._process.stdin.close()
        except BrokenPipeError:
            pass

    def end(self):
        self._process.terminate()
        text = self._process.stdout.read()
        self._process.wait()
        try:
            result = json.loads(text)
        except ValueError:
            raise RuntimeError(f"{self.kind}: invalid output of the attacker: {text!r}") from None
        self.evaluate(result)
        self.system.log(f"{self.kind}: {text.strip()}")
        answers = result.get("answers", {})
        self.system.attacks += sum(n for status, n in answers.items() if status.isdigit())

    def evaluate(self, result):
        """Checks the results of the attack."""
        accepted = result["answers"].get("200", 0)
        if accepted and self.arguments == ("flood",):
            self.system.violations.add("dead token accepted", f"{self.kind}: {accepted} answers of 200")


class RevokedFlood(Attacked):
    """A flood of revoked tokens."""

    arguments = ("flood",)

    def tokens(self):
        dead = self.system.ledger.dead()[-REVOKED_TOKENS:]
        # One audit event for each token, address and minute.
        self.rows_per_minute = len(dead) * ADDRESSES
        return [token.secret for token in dead]


class UnknownFlood(Attacked):
    """A flood of well-formed tokens that were never issued."""

    arguments = ("flood",)

    def tokens(self):
        return [unknown(self.rng) for _ in range(10_000)]


class GarbageFlood(Attacked):
    """A flood of strings that are not tokens."""

    arguments = ("flood",)

    def tokens(self):
        return [f"{self.rng.getrandbits(256):x}" for _ in range(1_000)]


class ReportBodies(Attacked):
    """Leak reports of 8 MiB."""

    arguments = ("bodies", "/leaks/v1/reports", "entries")


class AlertBodies(Attacked):
    """Bodies of 8 MiB instead of GitHub's alerts."""

    arguments = ("bodies", "/leaks/v1/github", "garbage")


class Silent(Attacked):
    """Idle connections."""

    arguments = ("silent",)

    def evaluate(self, result):
        late = max(result["oldest"], result["slowest"])
        if late > SILENT_LIMIT:
            self.system.violations.add(
                "silent connection kept",
                f"{result['open']} silent connections were still open, the oldest after {late:.1f} s",
            )


FAULTS = {
    "disk full": DiskFull, "kill -9": Kill, "clock +400 days": Clock, "clock -1 hour": Clock,
    "clock +2 minutes": Clock, "flood of revoked tokens": RevokedFlood,
    "flood of unknown tokens": UnknownFlood, "flood of garbage": GarbageFlood,
    "8 MiB reports": ReportBodies, "8 MiB alerts": AlertBodies, "silent connections": Silent,
    "database stopped": DatabaseStopped, "database paused": DatabasePaused,
}
