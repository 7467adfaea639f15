"""The schedule of faults: kinds, times and durations, computed only from a seed."""

import random
from dataclasses import dataclass

COMMON = [
    "disk full", "kill -9", "clock +400 days", "clock -1 hour", "clock +2 minutes",
    "flood of revoked tokens", "flood of unknown tokens", "flood of garbage",
    "8 MiB reports", "8 MiB alerts", "silent connections",
]
KINDS = {"SQLite": COMMON, "PostgreSQL": COMMON + ["database stopped", "database paused"]}
# Silent connections must be closed within 15 seconds: the fault lasts a little longer.
SILENT_SECONDS = 19.0
# Duration of a successful recovery, the verification and a pause after a slot.
PAUSE_SECONDS = 1.2


@dataclass(frozen=True)
class Slot:
    """Faults that occur at the same time, and their duration."""

    kinds: tuple
    seconds: float


# Groups of faults that exclude each other: a stopped database does not write to a full disk, and a killed replica
# closes silent connections at once.
EXCLUSIVE = [
    {kind for kind in COMMON if kind.startswith("clock")},
    {"disk full", "database stopped", "database paused"},
    {"silent connections", "kill -9"},
]


def conflict(one, other):
    """Returns `True` if two kinds of faults cannot occur at the same time."""
    return one == other or any(one in group and other in group for group in EXCLUSIVE)


# Bounds of the duration of slots, in seconds: for short runs, and otherwise.
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
    """Removes and returns the last kind and, if possible, another one that can occur with it."""
    first = kinds.pop()
    second = next((kind for kind in kinds if not conflict(first, kind)), None)
    if second is None:
        return [first]
    kinds.remove(second)
    return [first, second]


def schedule(kind, seconds, seed, only=()):
    """Returns the slots of a run: every kind once, then more until the time is used up.

    `only` restricts the kinds; kinds that the database does not support are ignored.
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
    """Returns the approximate duration of these slots, in seconds."""
    return sum(slot.seconds + PAUSE_SECONDS for slot in slots)
