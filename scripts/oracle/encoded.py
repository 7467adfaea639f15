"""Finds proven tokens in simple encodings: percent-encoding, backslashes, base64 and hex.

Base64 may be in either alphabet, at any alignment, folded into lines with indentation, and its `+`, `/`,
`-` and `_` may be percent-encoded. Hex may be folded, too. Other encodings that the scanner finds are not
decoded here.
"""

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from . import tokens


class Found(NamedTuple):
    """A token, its rule, and the span of its encoded text."""

    rule: str
    token: bytes
    start: int
    end: int


# Runs shorter than this are not searched, except for the last line.
SHORTEST = 20

# For each character that begins an escape, the runs that may contain it.
ESCAPED = {
    b"%": re.compile(rb"(?:[0-9A-Za-z._=+/-]|%[0-9A-Fa-f]{2})+"),
    b"\\": re.compile(rb"(?:[0-9A-Za-z._=+/-]|\\{1,3}[!#$%&()*+,./:;<=>?@[\]^_{|}~-])+"),
}
ONE = re.compile(rb"%[0-9A-Fa-f]{2}|\\{1,3}[^\\]|.", re.DOTALL)
DIGIT = rb"(?:[0-9A-Za-z+/_-]|%2[BbDdFf]|%5[Ff])"
FOLD = rb"\r?\n[ \t]*"
BASE64 = re.compile(
    b"(?:%b){%d,}(?:%b(?:%b)+)*" % (DIGIT, SHORTEST, FOLD, DIGIT),
)
HEX = re.compile(b"[0-9A-Fa-f]{%d,}(?:%b[0-9A-Fa-f]+)*" % (SHORTEST, FOLD))
LINE_ENDS = re.compile(rb"[\r\n \t]+")


class Characters(NamedTuple):
    """The characters of a text without line ends and escapes; the offset of each, and after each."""

    text: bytes
    starts: list[int]
    ends: list[int]


def characters(run: "re.Match[bytes]") -> Characters:
    """Reads the characters of a run."""
    out, starts, ends = bytearray(), [], []
    for found in ONE.finditer(run[0]):
        one = found[0]
        if not LINE_ENDS.match(one):
            is_percent = len(one) == 3 and one[0] == ord("%")
            out.append(int(one[1:], 16) if is_percent else one[-1])
            starts.append(run.start() + found.start())
            ends.append(run.start() + found.end())
    return Characters(bytes(out), starts, ends)


def escaped(data: bytes) -> Iterator[Found]:
    """Yields tokens with at least one escaped character."""
    for mark, runs in ESCAPED.items():
        for run in runs.finditer(data) if mark in data else ():
            if mark not in run[0]:
                continue
            text, starts, ends = characters(run)
            for rule, first, last in tokens.find(text):
                start, end = starts[first], ends[last - 1]
                if end - start > last - first:
                    yield Found(rule, text[first:last], start, end)


def in_base64(data: bytes) -> Iterator[Found]:
    """Yields tokens in base64."""
    for run in BASE64.finditer(data):
        text, starts, ends = characters(run)
        text = text.replace(b"-", b"+").replace(b"_", b"/")
        for phase in range(4):
            groups = text[phase:]
            padded = groups + b"A" * (-len(groups) % 4)
            for rule, first, last in tokens.find(decoded := base64.b64decode(padded)):
                begin, end = phase + 8 * first // 6, phase + -(-8 * last // 6)
                if end <= len(text):
                    yield Found(rule, decoded[first:last], starts[begin], ends[end - 1])


def in_hex(data: bytes) -> Iterator[Found]:
    """Yields tokens in hex."""
    for run in HEX.finditer(data):
        text, starts, ends = characters(run)
        for phase in range(2):
            groups = text[phase:]
            for rule, first, last in tokens.find(
                decoded := bytes.fromhex(groups[: len(groups) // 2 * 2].decode())
            ):
                begin, end = phase + 2 * first, phase + 2 * last
                yield Found(rule, decoded[first:last], starts[begin], ends[end - 1])


def find(data: bytes) -> Iterator[Found]:
    """Yields every proven token, encoded or not."""
    if tokens.HEADS.search(data):
        for rule, start, end in tokens.find(data):
            yield Found(rule, data[start:end], start, end)
    yield from escaped(data)
    yield from in_base64(data)
    yield from in_hex(data)
