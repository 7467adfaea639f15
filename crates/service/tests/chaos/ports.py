"""Free ports below the range that outgoing connections use."""

import random
import socket


def free_port():
    """Returns a free port of 127.0.0.1."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
