"""The token's format by other means than the service's: base62, checksum, and tokens never issued.

Shares nothing with the product, so that it can serve as an oracle.
"""

import random
import re
import uuid
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHAPE = re.compile(r"ddpat_([0-7][0-9A-Za-z]{21})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


def base62(value, width):
    """Writes a number in base62, zeros on the left."""
    digits = []
    while value:
        value, digit = divmod(value, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def alias(token_id):
    """Spells a UUID as a token does."""
    return base62(uuid.UUID(token_id).int, 22)


def id_of(token):
    """The UUID that a token spells."""
    value = 0
    for character in SHAPE.fullmatch(token).group(1):
        value = value * 62 + ALPHABET.index(character)
    return str(uuid.UUID(int=value))


def checksum(secret):
    """The six characters that prove a secret."""
    return base62(zlib.crc32(secret.encode()), 6)


def mint(seed):
    """A token that proves itself and that nobody issued."""
    rng = random.Random(seed)
    token_id = uuid.UUID(int=rng.getrandbits(128), version=4)
    secret = base62(rng.getrandbits(256), 43)
    return f"ddpat_{alias(str(token_id))}_{secret}{checksum(secret)}"


def with_other_secret(token, seed=1):
    """A token with the same id, a right checksum and a secret that is not its own."""
    name = SHAPE.fullmatch(token).group(1)
    return f"ddpat_{name}_{mint(seed)[29:]}"


def with_wrong_checksum(token):
    """The same token with a checksum that does not hold."""
    return token[:-1] + ("0" if token[-1] != "0" else "1")
