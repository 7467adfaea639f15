"""Well-formed tokens that were never issued, in the format of `../python/token_format.py`."""

import uuid

from token_format import alias, base62, checksum


def unknown(rng):
    """Returns a token with a correct checksum that was never issued."""
    identity = uuid.UUID(int=rng.getrandbits(128), version=4)
    secret = base62(rng.getrandbits(255), 43)
    return f"ddpat_{alias(str(identity))}_{secret}{checksum(secret)}"
