"""One `ddpatrold serve`, supervised like by an init system: it is restarted when it exits."""

import os
import re
import resource
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

from .ports import free_port

# A whole token, which must not occur in any log.
TOKEN = re.compile(rb"ddpat_[0-7][0-9A-Za-z]{21}_[0-9A-Za-z]{49}")
LISTENING = b"listening on "
# Delay before the supervisor restarts the service.
RESTART_PAUSE = 0.2
DESCRIPTORS = 1024
# The service stops its open requests within thirty seconds.
STOP_SECONDS = 45


def faketime_library():
    """Returns the path of libfaketime for programs with threads."""
    found = sorted(Path("/usr").glob("lib*/**/libfaketimeMT.so.1"))
    if not found:
        raise SystemExit("error: libfaketime not found; install the package faketime")
    return str(found[0])


class Clock:
    """The wall clock of a replica, which can be stepped."""

    def __init__(self, path):
        self._path = path
        self.step("+0")

    def step(self, offset):
        """Steps the clock to an offset from the true time, in libfaketime's notation."""
        new = self._path.with_suffix(".new")
        new.write_text(offset + "\n")
        new.rename(self._path)

    def environment(self):
        """Returns the environment for a process with this clock."""
        return {
            "LD_PRELOAD": faketime_library(), "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


class Replica:
    """A replica on a fixed port, across restarts."""

    def __init__(self, number, program, database, folder, violations, clock=None):
        self.number, self.program, self.database, self.clock = number, program, database, clock
        self.name = f"{database.kind} replica {number}"
        self.port = free_port()
        self.log = folder / f"{database.kind.lower()}-{number}.log"
        self.serving = threading.Event()
        self.process, self.spawned_at = None, 0.0
        # Peaks of resident memory in bytes: during the whole run, and since `new_peak`.
        self.starts, self.idle, self.peak, self.recent_peak = 0, 0, 0, 0
        # Set while a start may fail because the database is not available.
        self.may_fail_to_start = False
        self._violations = violations
        self._killed = self._stopping = False
        self._last_lines = deque(maxlen=5)
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def start(self, seconds=60):
        """Starts the supervision and waits until the replica accepts connections."""
        self._supervisor.start()
        threading.Thread(target=self._measure, daemon=True).start()
        if not self.serving.wait(seconds):
            raise RuntimeError(f"{self.name} did not start: see {self.log}")

    def _spawn(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DATABASE_", "DDPATROLD_", "RUST_LOG"))}
        if self.clock:
            environment |= self.clock.environment()
        arguments = ["serve", "--listen", f"127.0.0.1:{self.port}", "--database", self.database.url]
        arguments.append("--print-admin-token")
        self.spawned_at = time.monotonic()
        self.process = subprocess.Popen(
            [self.program, *arguments], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)),
        )
        self.starts += 1

    def _supervise(self):
        while not self._stopping:
            self._spawn()
            self._read_log(self.process.stderr)
            status = self.process.wait()
            served = self.serving.is_set()
            self.serving.clear()
            if self._stopping:
                return
            if not self._killed and (served or not self.may_fail_to_start):
                lines = " | ".join(self._last_lines)
                self._violations.add("exit", f"{self.name} exited unexpectedly with status {status}: {lines}")
            if not self._killed:
                time.sleep(RESTART_PAUSE)
            self._killed = False

    def _read_log(self, stream):
        """Stores the log of a process until it exits, and checks each line."""
        with open(self.log, "ab") as log:
            for line in stream:
                log.write(line)
                log.flush()
                text = line.decode(errors="replace").strip()
                self._last_lines.append(text[:300])
                if LISTENING in line:
                    self.serving.set()
                if b"panicked at" in line:
                    self._violations.add("panic", f"{self.name}: {text[:300]}")
                if TOKEN.search(line):
                    self._violations.add("token shown", f"{self.name} wrote a whole token to its log")

    def memory(self, field="VmRSS"):
        """Returns the resident memory in bytes, or its peak (`VmHWM`); 0 without a process."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
        return int(found.group(1)) * 1024 if found else 0

    def _measure(self):
        while not self._stopping:
            if self.serving.is_set():
                self._measure_once()
            time.sleep(0.1)

    def _measure_once(self):
        self.recent_peak = max(self.recent_peak, self.memory("VmHWM"))
        self.peak = max(self.peak, self.recent_peak)

    def new_peak(self):
        """Returns the peak of resident memory since the last call, and starts a new measurement."""
        self._measure_once()
        peak, self.recent_peak = self.recent_peak, 0
        try:
            # Resets `VmHWM`.
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        except OSError:
            pass
        return peak

    def kill(self):
        """Kills the process like `kill -9`; the supervisor restarts it at once."""
        process = self.process
        if process.poll() is None:
            self._measure_once()
            self._killed = True
            process.kill()
            process.wait()

    def admin(self, *arguments):
        """Runs `ddpatrold admin` on the database and returns its standard output."""
        done = subprocess.run(
            [self.program, "admin", "--database", self.database.url, *arguments],
            capture_output=True, text=True, timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"ddpatrold admin {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def stop(self):
        """Stops the replica like an operator; anything but a clean exit is a violation."""
        self._stopping = True
        if self.process is None:
            return
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = f"none after {STOP_SECONDS} s"
        if status != 0:
            self._violations.add("exit", f"{self.name}: status {status} on SIGTERM, expected 0")

    def discard(self):
        """Kills the process in any state."""
        self._stopping = True
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
