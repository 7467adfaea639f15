"""Finds proven tokens in bytes, and mints them.

Written from the formats published by the issuers, without code of ddpatrol. For each rule and start,
the first (shortest) end with a matching checksum is the match. The formats stand for all others, which the
oracle of the Rust tests covers: what is compared here is where tokens are found, and what a history says of them.
"""

import base64
import hashlib
import random
import re
import string
import zlib
from collections.abc import Callable, Iterator

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
BASE36 = string.digits + string.ascii_lowercase
BASE64URL = string.ascii_letters + string.digits + "-_"

# The largest 128-bit number in base62; digits compare like their bytes.
LAST_ALIAS = b"7n42DGM5Tflk9n8mt7Fhc7"

Match = tuple[str, int, int]
Check = Callable[[bytes, int], int | None]

# One expression for every head; no head can overlap another.
HEADS = re.compile(
    rb"dd[ps]at_|gh[pour]_|github_pat_|npm_|vc[piark]_|glpat-|zpka_|ATATT",
)


def digits(value: int, alphabet: str, width: int) -> str:
    """Formats a number, most significant digit first, padded to `width`."""
    text = ""
    while value:
        value, digit = divmod(value, len(alphabet))
        text = alphabet[digit] + text
    return text.rjust(width, alphabet[0])


def crc62(text: bytes) -> bytes:
    """Returns the checksum of the GitHub standard."""
    return digits(zlib.crc32(text), BASE62, 6).encode()


def _classic(head: bytes, lengths: tuple[int, ...]) -> Check:
    shape = re.compile(re.escape(head) + rb"[0-9A-Za-z]+")

    def check(data: bytes, start: int) -> int | None:
        found = shape.match(data, start, start + len(head) + max(lengths) + 6)
        body = start + len(head)
        for length in sorted(lengths):
            end = body + length + 6
            long_enough = found and found.end() >= end
            if long_enough and crc62(data[body : end - 6]) == data[end - 6 : end]:
                return end
        return None

    return check


def _datadog(head: bytes) -> Check:
    shape = re.compile(re.escape(head) + rb"([0-9A-Za-z]{22})_([0-9A-Za-z]{36,49})")

    def check(data: bytes, start: int) -> int | None:
        found = shape.match(data, start)
        if not found or found[1] > LAST_ALIAS:
            return None
        alias = found[1]
        for length in (30, 32, 43):
            secret, checksum = found[2][:length], found[2][length : length + 6]
            if len(checksum) < 6:
                break
            covers = (secret, alias + b"_" + secret, alias + secret, head + alias + b"_" + secret)
            if any(crc62(cover) == checksum for cover in covers):
                return found.start(2) + length + 6
        return None

    return check


def _gitlab(version: bytes) -> Check:
    shape = re.compile(rb"(glpat-[0-9A-Za-z_-]{27,300}\." + version + rb"[0-9a-z]{2})([0-9a-z]{7})")

    def check(data: bytes, start: int) -> int | None:
        found = shape.match(data, start)
        proven = found and digits(zlib.crc32(found[1]), BASE36, 7).encode() == found[2]
        return found.end() if found and proven else None

    return check


_ZUPLO = re.compile(rb"zpka_([0-9A-Za-z]{32})_([0-9a-f]{8})")
_ATLASSIAN = re.compile(rb"(ATATT[0-9A-Za-z_-]{20,300}=)([0-9A-F]{8})")
_FINE = re.compile(rb"(github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{43})([A-Z2-7]{8})[0-9A-Za-z]{8}")


def _zuplo(data: bytes, start: int) -> int | None:
    found = _ZUPLO.match(data, start)
    proven = found and b"%08x" % zlib.crc32(found[1]) == found[2]
    return found.end() if found and proven else None


def _atlassian(data: bytes, start: int) -> int | None:
    found = _ATLASSIAN.match(data, start)
    proven = found and b"%08X" % zlib.crc32(found[1]) == found[2]
    return found.end() if found and proven else None


def _fine_grained(data: bytes, start: int) -> int | None:
    found = _FINE.match(data, start)
    proven = found and base64.b32encode(hashlib.sha256(found[1]).digest())[:8] == found[2]
    return found.end() if found and proven else None


_CLASSIC: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "github-pat": (b"ghp_", (30,)),
    "github-oauth": (b"gho_", (30,)),
    "github-app-user": (b"ghu_", (30,)),
    "github-refresh": (b"ghr_", (30, 70)),
    "npm-token": (b"npm_", (30,)),
    "vercel-pat": (b"vcp_", (50,)),
    "vercel-integration": (b"vci_", (50,)),
    "vercel-app-access": (b"vca_", (50,)),
    "vercel-app-refresh": (b"vcr_", (50,)),
    "vercel-ai-gateway": (b"vck_", (50,)),
}
_DATADOG = {"datadog-pat": b"ddpat_", "datadog-service-account-token": b"ddsat_"}


def _rules() -> dict[bytes, list[tuple[str, Check]]]:
    rules: dict[bytes, list[tuple[str, Check]]] = {
        b"glpat-": [
            ("gitlab-pat", _gitlab(rb"[0-9a-z]{2}\.")),
            ("gitlab-pat-unversioned", _gitlab(b"")),
        ],
        b"zpka_": [("zuplo-api-key", _zuplo)],
        b"ATATT": [("atlassian-api-token", _atlassian)],
        b"github_pat_": [("github-fine-grained-pat", _fine_grained)],
    }
    for rule, (head, lengths) in _CLASSIC.items():
        rules[head] = [(rule, _classic(head, lengths))]
    for rule, head in _DATADOG.items():
        rules[head] = [(rule, _datadog(head))]
    return rules


RULES = _rules()
PROVABLE = sorted(rule for rules in RULES.values() for rule, _ in rules)


def find(data: bytes) -> Iterator[Match]:
    """Yields rule, first byte and byte after the last of every proven token."""
    for head in HEADS.finditer(data):
        for rule, check in RULES[head[0]]:
            end = check(data, head.start())
            if end is not None:
                yield rule, head.start(), end


def mint(rule: str, source: random.Random) -> bytes:
    """Mints a token of a provable rule, with random length and coverage."""

    def text(alphabet: str, length: int) -> bytes:
        return "".join(source.choice(alphabet) for _ in range(length)).encode()

    if rule in _CLASSIC:
        head, lengths = _CLASSIC[rule]
        body = text(BASE62, source.choice(lengths))
        return head + body + crc62(body)
    if rule in _DATADOG:
        head = _DATADOG[rule]
        alias = digits(source.getrandbits(128), BASE62, 22).encode()
        secret = text(BASE62, source.choice((43, 32, 30)))
        token = head + alias + b"_" + secret
        return token + crc62(source.choice((secret, token[6:], alias + secret, token)))
    if rule in ("gitlab-pat", "gitlab-pat-unversioned"):
        length = source.randint(27, 66)
        version = b"01." if rule == "gitlab-pat" else b""
        size = digits(length, BASE36, 2).encode()
        token = b"glpat-" + text(BASE64URL, length) + b"." + version + size
        return token + digits(zlib.crc32(token), BASE36, 7).encode()
    if rule == "zuplo-api-key":
        body = text("0123456789abcdef", 32)
        return b"zpka_%s_%08x" % (body, zlib.crc32(body))
    if rule == "atlassian-api-token":
        token = b"ATATT3xFfGF0" + text(BASE64URL, source.randint(171, 175)) + b"="
        return token + b"%08X" % zlib.crc32(token)
    if rule == "github-fine-grained-pat":
        token = b"github_pat_" + text(BASE62, 22) + b"_" + text(BASE62, 43)
        return token + base64.b32encode(hashlib.sha256(token).digest())[:8] + text(BASE62, 8)
    raise ValueError(f"no provable rule {rule}")


def masked(token: bytes) -> str:
    """Returns the head of a token and a digest that distinguishes it, never its secret."""
    head = HEADS.match(token)
    shown = head[0].decode() if head else ""
    return f"{shown}...{hashlib.sha256(token).hexdigest()[:8]}"
