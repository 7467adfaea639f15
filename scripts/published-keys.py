#!/usr/bin/env python3
"""Lists the private keys in git repositories by the fingerprints of their public halves.

    scripts/published-keys.py NAME=GIT-DIRECTORY... > crates/token/src/private_key/published.txt

NAME is the repository's name in the list. Only files of HEAD are read. The keys are parsed by the Python package
`cryptography`, which shares no code with ddpatrol. Nothing of a private half is printed.
"""

import base64
import hashlib
import re
import subprocess
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

# Go writes its test keys with another label.
BLOCK = re.compile(
    rb"-----BEGIN ((?:RSA |EC |OPENSSH )?)(PRIVATE|TESTING) KEY-----(.{60,20000}?)-----END \1\2 KEY-----", re.DOTALL
)
# RFC 5656 names a curve without a name of its own by its object identifier.
SECP256K1 = b"1.3.132.0.10"


def text(*fields):
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def number(value):
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def fingerprint(key):
    """Returns the fingerprint as `ssh-keygen -l` prints it, or None for other algorithms."""
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        blob = text(b"ssh-rsa", number(numbers.e), number(numbers.n))
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        blob = text(b"ssh-ed25519", raw)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        names = {"secp256r1": b"nistp256", "secp384r1": b"nistp384", "secp521r1": b"nistp521", "secp256k1": SECP256K1}
        name = names.get(key.curve.name)
        if name is None:
            return None
        encoding = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        blob = text(b"ecdsa-sha2-" + name, name, public.public_bytes(*encoding))
    else:
        return None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def keys(content):
    """Yields the keys in a text."""
    for match in BLOCK.finditer(content):
        label, body = match[1], match[3]
        body = body.replace(b"\\r", b"").replace(b"\\n", b"\n")
        lines = [re.sub(rb"[^A-Za-z0-9+/=]", b"", line) for line in body.split(b"\n")]
        if b"Proc-Type" in body:
            continue
        body = b"\n".join(line for line in lines if line)
        pem = b"-----BEGIN %sPRIVATE KEY-----\n%s\n-----END %sPRIVATE KEY-----\n" % (label, body, label)
        load = serialization.load_ssh_private_key if label == b"OPENSSH " else serialization.load_pem_private_key
        try:
            yield load(pem, None)
        except Exception:  # noqa: BLE001 - damaged examples fail in many ways
            continue


def blobs(directory):
    """Yields the contents of the files of HEAD that contain a block."""
    git = ["git", "-C", directory]
    marks = ["-e", "PRIVATE KEY-----", "-e", "TESTING KEY-----"]
    found = subprocess.run([*git, "grep", "-l", "-I", "-z", "-F", *marks, "HEAD"], capture_output=True, check=False)
    for name in sorted(filter(None, found.stdout.split(b"\0"))):
        yield subprocess.run([*git, "cat-file", "blob", name], capture_output=True, check=True).stdout


def main():
    known = set()
    for argument in sys.argv[1:]:
        name, _, directory = argument.partition("=")
        found = {fingerprint(key) for content in blobs(directory) for key in keys(content)}
        found = found - known - {None}
        known |= found
        print(f"# {name}")
        print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
