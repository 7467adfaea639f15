"""Mints Datadog tokens from a seed, with code independent of ddpatrol."""

import random
import zlib

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(value, width):
    """Formats a number in base62, padded to a width."""
    text = ""
    while value:
        value, digit = divmod(value, 62)
        text = BASE62[digit] + text
    return text.rjust(width, "0")


def token(seed):
    """Mints a token; one seed gives one token."""
    source = random.Random(seed)
    alias = base62(source.getrandbits(128), 22)
    secret = "".join(source.choice(BASE62) for _ in range(43))
    return f"ddpat_{alias}_{secret}{base62(zlib.crc32(secret.encode()), 6)}"
