"""The schedule of faults: which, when and for how long, computed from a seed alone."""

import random
from dataclasses import dataclass

COMMON = [
    "disk full", "kill -9", "clock +400 days", "clock -1 hour", "clock +2 minutes",
    "flood of revoked tokens", "flood of unknown tokens", "flood of garbage",
    "8 MiB reports", "8 MiB alerts", "silent connections",
]
KINDS = {"SQLite": COMMON, "PostgreSQL": COMMON + ["database stopped", "database paused"]}
# Silent connections must be closed within fifteen seconds: the fault lasts a little longer.
SILENT_SECONDS = 19.0
# What recovery, verification and a pause take after a slot, when all is well.
PAUSE_SECONDS = 1.2


@dataclass(frozen=True)
class Slot:
    """Faults that happen at the same time, and how long they last."""

    kinds: tuple
    seconds: float


# Groups of faults that exclude each other: a database that does not run writes to no full disk, and a
# replica that is killed closes silent connections at once.
EXCLUSIVE = [
    {kind for kind in COMMON if kind.startswith("clock")},
    {"disk full", "database stopped", "database paused"},
    {"silent connections", "kill -9"},
]


def conflict(one, other):
    """Returns `True` if two kinds of fault cannot happen at the same time."""
    return one == other or any(one in group and other in group for group in EXCLUSIVE)


# Shortest and longest slots, in seconds: while there is little time, and otherwise.
SHORT, LONG = (4.0, 6.0), (4.0, 12.0)


def slot(rng, kinds, bounds):
    """Returns a slot for these kinds, with a random duration."""
    seconds = rng.uniform(*bounds)
    return Slot(tuple(kinds), SILENT_SECONDS if "silent connections" in kinds else round(seconds, 1))


def paired(rng, kinds):
    """Returns slots in which each kind occurs once, as pairs as far as possible."""
    left, slots = rng.sample(kinds, len(kinds)), []
    while left:
        slots.append(slot(rng, take_pair(left), SHORT))
    return slots


def take_pair(kinds):
    """Removes and returns the last kind and, where there is one, another that can happen with it."""
    first = kinds.pop()
    second = next((kind for kind in kinds if not conflict(first, kind)), None)
    if second is None:
        return [first]
    kinds.remove(second)
    return [first, second]


def schedule(kind, seconds, seed, only=()):
    """Returns the slots of a run: every kind once, then more until the time is over.

    `only` restricts the kinds; those that the database does not have are ignored.
    """
    rng = random.Random(f"{kind} {seed}")
    kinds = [one for one in KINDS[kind] if not only or one in only]
    alone = [slot(rng, [one], LONG) for one in rng.sample(kinds, len(kinds))]
    slots = alone if duration(alone) <= seconds / 2 else paired(rng, kinds)
    left = []
    while duration(slots) < seconds:
        left = left or rng.sample(kinds, len(kinds))
        chosen = take_pair(left) if rng.random() < 0.5 else [left.pop()]
        slots.append(slot(rng, chosen, LONG))
    return slots


def duration(slots):
    """Returns about how long these slots take, in seconds."""
    return sum(slot.seconds + PAUSE_SECONDS for slot in slots)
