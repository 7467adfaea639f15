"""Recovery after a slot of faults: every live token is accepted and changes are possible again."""

import threading
import time
from dataclasses import dataclass, field

from .client import VALIDATE, Client, Unanswered
from .ledger import State
from .load import Worker

# The bound on recovery, in seconds after the end of the last fault.
BOUND = 5.0
# Maximum time that the recovery is observed, for the report.
GIVE_UP = 20.0
PROBE_SECONDS = 2.0


@dataclass
class Outcome:
    """The recovery of one replica: seconds or `None`, and the last problem."""

    seconds: float | None = None
    missing: str = ""
    refused: list = field(default_factory=list)


class Probe:
    """Probes one replica over one connection until everything works."""

    def __init__(self, system, replica, ended, seed, seconds=GIVE_UP):
        self._system, self._replica, self._ended = system, replica, ended
        self._last = ended + seconds
        self._client = Client(replica.port, PROBE_SECONDS, f"probe {seed}")
        self._worker = Worker(system, f"probe {seed}")
        self._left = system.ledger.live()
        self.outcome = Outcome()

    def run(self):
        """Probes until everything works or the time is up."""
        steps = [self._tokens, self._ready, self._change]
        while steps and time.monotonic() < self._last:
            try:
                problem = steps[0]()
            except Unanswered as error:
                problem = str(error)
            if problem:
                self.outcome.missing = problem
                self._client.close()
                time.sleep(0.05)
            else:
                steps.pop(0)
        if steps:
            self.outcome.refused = self._left
        else:
            self.outcome.seconds = max(0.0, time.monotonic() - self._ended)
        self._client.close()

    def _tokens(self):
        """Returns the problem with a live token, or `None`."""
        while self._left:
            token = self._left[-1]
            status = self._client.ask("GET", VALIDATE, token.secret).status
            if status == 401:
                self._system.count("possibly refused")
            if status != 200 and token.state is State.LIVE and not token.lost:
                # The other tokens first: all of them are tried before this one is tried again.
                self._left.insert(0, self._left.pop())
                return f"live token {token.id} got status {status}, {len(self._left)} tokens left"
            self._left.pop()
        return None

    def _ready(self):
        status = self._client.ask("GET", "/readyz").status
        return None if status == 200 else f"/readyz got status {status}"

    def _change(self):
        status = self._worker.create(self._replica.number)
        return None if status == 201 else f"a creation got status {status}"


def probe_all(system, ended, seed, seconds=GIVE_UP):
    """Probes all replicas in parallel with a time limit, and returns their outcomes."""
    probes = [Probe(system, r, ended, f"{seed} {r.number}", seconds) for r in system.replicas]
    threads = [threading.Thread(target=probe.run, daemon=True) for probe in probes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [probe.outcome for probe in probes]


def recover(system, kinds, ended, seed):
    """Waits for the recovery and checks its time. Returns the slowest replica's seconds, or `None`."""
    outcomes = probe_all(system, ended, seed)
    for replica, outcome in zip(system.replicas, outcomes):
        after = f"{replica.name} after {' + '.join(kinds)}"
        if outcome.seconds is None:
            system.violations.add(
                "no recovery", f"{after}: not recovered in {GIVE_UP:.0f} s: {outcome.missing}"
            )
        elif outcome.seconds > BOUND:
            text = f"{after}: recovered in {outcome.seconds:.1f} s; until then: {outcome.missing}"
            system.violations.add("slow recovery", text)
    if any(outcome.seconds is None for outcome in outcomes):
        repair(system, seed)
        return None
    return max(outcome.seconds for outcome in outcomes)


def repair(system, seed):
    """Restarts the replicas and gives up lost tokens, so that the run can find other failures."""
    system.log("restarting the replicas to continue")
    for replica in system.replicas:
        replica.kill()
    for replica in system.replicas:
        replica.serving.wait(30)
    for outcome in probe_all(system, time.monotonic(), f"{seed} repair", BOUND):
        for token in outcome.refused:
            token.lost = True
            system.violations.add("change lost", f"live token {token.id} is rejected even after a restart")
    system.renew_lost_managers()
