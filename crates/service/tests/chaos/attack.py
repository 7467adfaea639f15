"""Attackers, in a separate process so that they do not slow down the load.

    python -m chaos.attack PORT NETWORK flood < TOKENS      checks of tokens, one per line
    python -m chaos.attack PORT NETWORK silent              connections that fall silent
    python -m chaos.attack PORT NETWORK bodies PATH SHAPE   bodies of 8 MiB: `entries` or `garbage`

NETWORK (0 to 255) selects the addresses, so that each attack starts with new limits per address. An
attack runs until SIGTERM and then prints its results as JSON.
"""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections import Counter

# Addresses of an attack.
ADDRESSES = 16
FLOOD_CONNECTIONS, FLOOD_BATCH = 32, 16
SILENT_CONNECTIONS = 400
BODY_CONNECTIONS, HELD_BODIES = 6, 6
BODY_BYTES = 8 * 1024 * 1024
# The data that a silent connection sends first.
OPENINGS = [
    b"", b"P", b"PRI * HT", b"GET /healthz HTTP/1.1\r\n",
    b"POST /leaks/v1/reports HTTP/1.1\r\nHost: x\r\nContent-Le",
]
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


class Attack:
    """The common part of all attackers: the port, the addresses, the end and the counts."""

    def __init__(self, port, network):
        self._port, self._network, self.over = port, network, threading.Event()
        self.counts, self.result = Counter(), {}

    def connect(self, number):
        """Opens a connection from one of the attackers' addresses, which the load does not use."""
        source = f"127.1.{self._network}.{1 + number % ADDRESSES}"
        return socket.create_connection(
            ("127.0.0.1", self._port), timeout=10, source_address=(source, 0)
        )

    def run(self, work, connections):
        """Repeats `work` on a number of threads until the end."""
        for number in range(connections):
            threading.Thread(target=self._repeat, args=(work, number), daemon=True).start()
        self.over.wait()

    def _repeat(self, work, number):
        while not self.over.is_set():
            try:
                work(number)
            except OSError as error:
                self.counts[type(error).__name__] += 1
                self.over.wait(0.05)

    def follow(self, parent):
        """Exits when the process that started the attack ends."""
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    def finish(self):
        """Prints the results and exits."""
        print(json.dumps({**self.result, "answers": dict(self.counts)}), flush=True)
        os._exit(0)


def flood(attack, tokens):
    """Sends checks of these tokens as fast as they are answered, several at a time."""
    head = "GET /api/v2/validate_keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
    requests = [f"{head}{token}\r\n\r\n".encode() for token in tokens]

    def work(number):
        place = number * 7919
        with attack.connect(number) as stream:
            while not attack.over.is_set():
                batch = [requests[(place + n) % len(requests)] for n in range(FLOOD_BATCH)]
                place += FLOOD_BATCH
                stream.sendall(b"".join(batch))
                missing, rest = FLOOD_BATCH, b""
                while missing > 0:
                    data = stream.recv(65536)
                    if not data:
                        raise ConnectionResetError
                    rest += data
                    end = 0
                    for found in STATUS.finditer(rest):
                        attack.counts[found[1].decode()] += 1
                        missing, end = missing - 1, found.end()
                    # The first line of the next response may be truncated at the end of the data.
                    rest = rest[max(end, len(rest) - 11):]

    attack.run(work, FLOOD_CONNECTIONS)


def silent(attack):
    """Keeps idle connections open, and measures when the service closes them.

    Each closed connection is replaced.
    """
    opened, closed, refused, slowest = {}, 0, 0, 0.0
    while not attack.over.wait(0.1):
        for number in range(len(opened), SILENT_CONNECTIONS):
            try:
                stream = attack.connect(number)
                stream.sendall(OPENINGS[number % len(OPENINGS)])
            except OSError:
                refused += 1
                break
            stream.setblocking(False)
            opened[stream] = time.monotonic()
        for stream, since in list(opened.items()):
            if not is_closed(stream):
                continue
            slowest, closed = max(slowest, time.monotonic() - since), closed + 1
            stream.close()
            del opened[stream]
    ages = [time.monotonic() - since for since in opened.values()]
    attack.result = {
        "closed": closed, "refused": refused, "open": len(ages), "oldest": max(ages, default=0.0),
        "slowest": slowest,
    }


def is_closed(stream):
    """Returns `True` if the service has closed a connection."""
    try:
        while stream.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def body(shape):
    """Returns a body of 8 MiB that is invalid throughout, or valid JSON of invalid entries."""
    if shape == "garbage":
        return b"x" * BODY_BYTES
    entries = b",".join([b'{"":0}'] * ((BODY_BYTES - 20) // 7))
    return b'{"reports":[' + entries + b"]}"


def bodies(attack, path, shape):
    """Sends several bodies of 8 MiB at a time, and withholds the last byte of some."""
    content = body(shape)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode()

    def work(number):
        # Each request comes from the next address: the limit per address is not under test.
        turn = attack.counts["sent"]
        attack.counts["sent"] += 1
        with attack.connect(turn) as stream:
            stream.settimeout(35)
            held = number >= BODY_CONNECTIONS
            try:
                stream.sendall(head + (content[:-1] if held else content))
            except OSError:
                # The service may respond before it has read everything.
                pass
            answer = stream.recv(4096)
            for found in STATUS.finditer(answer):
                attack.counts[found[1].decode()] += 1

    attack.run(work, BODY_CONNECTIONS + HELD_BODIES)


def main():
    """Runs the attacker given by the arguments."""
    attack = Attack(int(sys.argv[1]), int(sys.argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: attack.over.set())
    threading.Thread(target=attack.follow, args=(os.getppid(),), daemon=True).start()
    if sys.argv[3] == "flood":
        flood(attack, sys.stdin.read().split())
    elif sys.argv[3] == "silent":
        silent(attack)
    else:
        bodies(attack, *sys.argv[4:6])
    attack.finish()


if __name__ == "__main__":
    main()
