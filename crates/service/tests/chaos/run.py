"""One run on one database: load, slots of faults, recovery and verification."""

import subprocess
import time
import traceback
from collections import Counter

from .faults import EFFECT_SECONDS, FAULTS
from .load import Load
from .recovery import recover
from .schedule import schedule
from .system import HarnessError, System
from .verification import Verification

WARM_UP = 4.0
# Time of undisturbed load between two slots, in seconds.
UNDISTURBED = 1.0


class Run:
    """A run and its results."""

    def __init__(self, name, options, folder, log):
        self.options, self.name = options, name
        self.system = System(name, options, folder, log)
        self.faults, self.slowest = Counter(), {}
        self.seconds, self.grown = 0.0, 0

    def run(self):
        """Runs the whole schedule; failures of the product are in the system's violations."""
        system = self.system
        try:
            system.start()
            self.verification = Verification(system)
            load = Load(system, self.options.seed)
            load.start()
            begun = time.monotonic()
            time.sleep(WARM_UP)
            options, kind = self.options, system.database.kind
            slots = schedule(kind, options.minutes * 60, options.seed, options.only)
            for number, slot in enumerate(slots):
                self._slot(slot, f"{self.options.seed} {number}")
                if system.failures:
                    raise HarnessError(system.failures[0])
                time.sleep(UNDISTURBED)
            load.stop()
            self.verification.verify(0, 0, last=True)
            self.seconds = time.monotonic() - begun
            self.grown = system.database.disk.used() - system.disk_at_start
            for replica in system.replicas:
                replica.stop()
            self.verification.tokens_at_rest()
        except (HarnessError, RuntimeError, OSError, subprocess.SubprocessError) as error:
            system.log("".join(traceback.format_exception(error)))
            system.violations.add("aborted", str(error))
        finally:
            system.remove()

    def _slot(self, slot, seed):
        system, begun = self.system, time.monotonic()
        system.log(f"{' + '.join(slot.kinds)} for {slot.seconds} s")
        faults = [FAULTS[kind](system, kind, f"{seed} {kind}") for kind in slot.kinds]
        try:
            for fault in faults:
                fault.begin()
            self._hold(faults, begun + slot.seconds)
        finally:
            for fault in faults:
                fault.end()
        system.database.bring_up()
        ended = time.monotonic()
        seconds = recover(system, slot.kinds, ended, seed)
        system.clocks_right = True
        for replica in system.replicas:
            replica.may_fail_to_start = False
        for kind in slot.kinds:
            self.faults[kind] += 1
            if seconds is not None:
                self.slowest[kind] = max(seconds, self.slowest.get(kind, 0.0))
        took = time.monotonic() - begun
        self.verification.verify(took, sum(fault.rows_per_minute for fault in faults))
        shown = "not recovered" if seconds is None else f"recovered in {seconds:.2f} s"
        system.log(f"{shown}, {system.ledger.live_count()} live tokens")

    def _hold(self, faults, until):
        """Waits until the end of the slot and until every fault has had an effect."""
        last = until + EFFECT_SECONDS
        while time.monotonic() < until or not all(fault.has_effect() for fault in faults):
            if time.monotonic() > last or self.system.failures:
                break
            time.sleep(0.05)
        for fault in faults:
            if not fault.has_effect():
                raise HarnessError(f"{fault.kind}: no effect")
