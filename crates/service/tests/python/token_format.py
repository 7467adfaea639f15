"""The token's format, implemented independently of the service: base62, checksum, unissued tokens.

Shares no code with the product, so that it can serve as an oracle.
"""

import random
import re
import uuid
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BODY = r"([0-7][0-9A-Za-z]{21})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})"
SHAPE = re.compile("ddpat_" + BODY)
ACCOUNT_SHAPE = re.compile("ddsat_" + BODY)


def base62(value, width):
    """Formats a number in base62, padded with zeros."""
    digits = []
    while value:
        value, digit = divmod(value, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def alias(token_id):
    """Encodes a UUID as the alias of a token."""
    return base62(uuid.UUID(token_id).int, 22)


def id_of(token):
    """Decodes the UUID of a token."""
    value = 0
    for character in SHAPE.fullmatch(token).group(1):
        value = value * 62 + ALPHABET.index(character)
    return str(uuid.UUID(int=value))


def checksum(secret):
    """Returns the checksum of a secret, six characters."""
    return base62(zlib.crc32(secret.encode()), 6)


def mint(seed):
    """Returns a valid token that was never issued."""
    rng = random.Random(seed)
    token_id = uuid.UUID(int=rng.getrandbits(128), version=4)
    secret = base62(rng.getrandbits(256), 43)
    return f"ddpat_{alias(str(token_id))}_{secret}{checksum(secret)}"


def with_other_secret(token, seed=1):
    """Returns a token with the same identifier, a correct checksum and a different secret."""
    name = SHAPE.fullmatch(token).group(1)
    return f"ddpat_{name}_{mint(seed)[29:]}"


def with_wrong_checksum(token):
    """Returns the same token with a wrong checksum."""
    return token[:-1] + ("0" if token[-1] != "0" else "1")
