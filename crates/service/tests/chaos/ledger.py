"""The ledger of acknowledged changes, and the rules for checking responses and databases.

Pure: no input or output. Times are seconds of the monotonic clock.
"""

import enum
import threading
from collections import Counter, deque
from dataclasses import dataclass, field

# Maximum time in seconds that another replica may accept a token after the acknowledgement of its revocation.
# docs/service.md promises this bound.
PROPAGATION = 1.0
CREATED, REVOKED_EVENT = "access_token.created", "access_token.revoked"
EXPIRED = "access_token.expired"


class State(enum.Enum):
    """Revocation state of a token."""

    LIVE = "live"
    # A revocation was sent but not acknowledged: the token may be live or dead.
    ASKED = "asked"
    REVOKED = "revoked"


@dataclass
class Token:
    """A token whose creation was acknowledged."""

    id: str
    secret: str
    owner: int
    name: str
    # Managers create and change the other tokens and are never revoked.
    manager: bool = False
    asked_names: set = field(default_factory=set)
    state: State = State.LIVE
    revoked_at: float = 0.0
    revoked_on: int = 0
    # A worker is changing the token: changes of one token never overlap.
    busy: bool = False
    # The product lost the token; the loss was reported once, and the token is no longer checked.
    lost: bool = False
    # Missing audit events have been reported.
    events_reported: bool = False


@dataclass(frozen=True)
class Check:
    """An answered check of a token: its time and replica, and the ledger's state before and after."""

    status: int
    replica: int
    begun: float
    before: State
    after: State
    clocks_right: bool


def evaluate_check(token, check):
    """Returns the violation that the response to a check proves, or `None`."""
    if check.status == 200 and check.before is State.REVOKED:
        late = check.begun - token.revoked_at
        bound = 0.0 if check.replica == token.revoked_on else PROPAGATION
        if late > bound:
            return (
                f"token {token.id} was accepted by replica {check.replica} {late:.3f} s after replica"
                f" {token.revoked_on} acknowledged its revocation"
            )
    live = check.before is State.LIVE and check.after is State.LIVE
    if check.status == 401 and live and check.clocks_right and not token.lost:
        return f"live token {token.id} was refused with 401 by replica {check.replica}"
    return None


def evaluate_listing(tokens, listed):
    """Yields a token and a violation for each acknowledged change that a listing contradicts.

    `listed` maps identifiers to names. No change may be in progress.
    """
    for token in tokens:
        if token.lost:
            continue
        name = listed.get(token.id)
        if token.state is State.REVOKED and name is not None:
            yield token, f"token {token.id}: its acknowledged revocation is lost"
        if token.state is State.LIVE and name is None:
            yield token, f"token {token.id}: its acknowledged creation is lost"
        if name is not None and name != token.name and name not in token.asked_names:
            yield token, f"token {token.id}: its acknowledged name {token.name!r} is lost, found {name!r}"


def evaluate_events(tokens, events):
    """Yields a token and a violation for each acknowledged change without exactly one audit event.

    No token lives long enough to expire, even with a wrong clock.

    `events` maps pairs of token id and event name to counts.
    """
    for token in tokens:
        created, revoked = events.get((token.id, CREATED), 0), events.get((token.id, REVOKED_EVENT), 0)
        if created != 1:
            yield token, f"token {token.id}: {created} events of its creation, expected 1"
        allowed = {State.LIVE: (0,), State.ASKED: (0, 1), State.REVOKED: (1,)}[token.state]
        if revoked not in allowed and not token.lost:
            yield token, f"token {token.id}: {revoked} events of its revocation, expected {allowed[-1]}"
        if events.get((token.id, EXPIRED), 0):
            yield token, f"token {token.id}: an expiry event weeks too early"


class Ledger:
    """All tokens whose creation was acknowledged."""

    def __init__(self):
        self._lock = threading.Lock()
        self._live = {}
        self._dead = []
        self._recent = deque(maxlen=20)
        self.acknowledged = Counter()

    def created(self, token):
        """Records an acknowledged creation."""
        with self._lock:
            self._live[token.id] = token
            self.acknowledged["creation"] += 1

    def live_count(self):
        """Returns the number of tokens that are not revoked."""
        return len(self._live)

    def live(self):
        """Returns the tokens that must be accepted."""
        with self._lock:
            return [t for t in self._live.values() if t.state is State.LIVE and not t.lost]

    def dead(self):
        """Returns the tokens whose revocation was acknowledged, oldest first."""
        with self._lock:
            return list(self._dead)

    def all(self):
        """Returns every token."""
        with self._lock:
            return list(self._live.values()) + list(self._dead)

    def choose_live(self, rng):
        """Returns a random live token, or `None`."""
        live = self.live()
        return rng.choice(live) if live else None

    def choose_dead(self, rng):
        """Returns a revoked token, with equal probability a recent or any one, or `None`."""
        with self._lock:
            pool = self._recent if rng.random() < 0.5 else self._dead
            return pool[rng.randrange(len(pool))] if pool else None

    def reserve(self, rng):
        """Reserves a random token for a change; [`release`] ends the reservation."""
        with self._lock:
            free = [t for t in self._live.values() if not (t.busy or t.manager or t.lost)]
            if not free:
                return None
            # Revocations without an acknowledgement are repeated first.
            asked = [t for t in free if t.state is State.ASKED]
            token = rng.choice(asked or free)
            token.busy = True
            return token

    def release(self, token):
        """Ends a reservation."""
        token.busy = False

    def renaming(self, token, name):
        """Records that a new name is about to be sent."""
        with self._lock:
            token.asked_names.add(name)

    def renamed(self, token, name):
        """Records an acknowledged name."""
        with self._lock:
            token.asked_names.discard(name)
            token.name = name
            self.acknowledged["update"] += 1

    def revoking(self, token):
        """Records that a revocation is about to be sent."""
        with self._lock:
            token.state = State.ASKED

    def revoked(self, token, replica, at):
        """Records an acknowledged revocation."""
        with self._lock:
            token.revoked_at, token.revoked_on, token.state = at, replica, State.REVOKED
            self._live.pop(token.id, None)
            self._dead.append(token)
            self._recent.append(token)
            self.acknowledged["revocation"] += 1


class Violations:
    """Violations found, with a few examples of each kind."""

    EXAMPLES = 5

    def __init__(self, log):
        self._lock, self._log = threading.Lock(), log
        self.counts, self.examples = Counter(), {}

    def add(self, kind, text):
        """Records a violation of an invariant."""
        with self._lock:
            self.counts[kind] += 1
            examples = self.examples.setdefault(kind, [])
            if len(examples) < self.EXAMPLES:
                examples.append(text)
                self._log(f"VIOLATION {kind}: {text}")
