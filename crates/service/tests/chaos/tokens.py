"""Well-formed tokens that nobody issued, made by other means than the service's."""

import uuid
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(value, width):
    """Writes a number in base62, with leading zeros."""
    digits = []
    while value:
        value, digit = divmod(value, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def unknown(rng):
    """Returns a token with a right checksum that was never issued."""
    identity = uuid.UUID(int=rng.getrandbits(128), version=4).int
    secret = base62(rng.getrandbits(255), 43)
    return f"ddpat_{base62(identity, 22)}_{secret}{base62(zlib.crc32(secret.encode()), 6)}"
