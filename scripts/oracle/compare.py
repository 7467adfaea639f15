"""Compares a JSON report of `ddpatrol scan --history-only` with the results of the oracle.

Every difference is one line with masked tokens, also in paths.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import git, tokens
from .history import History
from .naive import Seen

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One difference: its kind, the side that has it, and its subject."""

    kind: str
    side: str
    about: tuple[object, ...]


@dataclass(frozen=True)
class Oracle:
    """All results of the oracle for one repository."""

    repo: Path
    seen: Seen
    history: History
    refs: set[bytes]


class Mask:
    """Formats differences with masked tokens."""

    def __init__(self, known: Iterable[bytes]) -> None:
        """Collects the tokens of a report, proven or not."""
        self._known = sorted(set(known), key=len, reverse=True)

    def bytes(self, text: bytes) -> str:
        """Masks every token within bytes."""
        for token in self._known:
            text = text.replace(token, tokens.masked(token).encode())
        for _, start, end in reversed(list(tokens.find(text))):
            text = text[:start] + tokens.masked(text[start:end]).encode() + text[end:]
        return text.decode(errors="backslashreplace").encode("unicode_escape").decode()

    def line(self, difference: Difference) -> str:
        """Formats one difference."""
        parts = (
            self.bytes(part if isinstance(part, bytes) else str(part).encode())
            for part in difference.about
        )
        return f"{difference.side}: {'  '.join(parts)}"


def report_of(program: Path, repo: Path) -> Json:
    """Runs the scanner on a repository and returns its report."""
    args = [str(program.resolve()), "scan", ".", "--history-only", "--show-secrets"]
    done = subprocess.run(
        [*args, "--report", "json", "--fail-on", "never"], cwd=repo, capture_output=True, check=False
    )
    try:
        report: Json = json.loads(done.stdout)
    except ValueError as error:
        message = Mask([]).bytes(done.stderr[:2000])
        raise git.GitError(f"no report (exit {done.returncode}): {message}") from error
    return {**report, "exit": done.returncode}


def path_of(location: Json) -> bytes | None:
    """Returns the bytes of a location's path."""
    if location.get("path_hex"):
        return bytes.fromhex(location["path_hex"])
    path = location.get("path")
    return None if path is None else str(path).encode(errors="surrogateescape")


def proven(report: Json) -> Iterator[tuple[bytes, Json]]:
    """Yields the token of every proven finding of a format that the oracle knows, and the finding."""
    for finding in report["findings"]:
        token = str(finding["secret"]).encode()
        if finding["evidence"] == "proven" and tokens.HEADS.match(token):
            yield token, finding


def in_blobs(finding: Json) -> Iterator[tuple[Any, Any]]:
    """Yields the locations of a finding in blobs themselves, each with its git data."""
    for location in finding["locations"]:
        about = location.get("git")
        is_own = location["part"] == "content" and location.get("archive") is None
        if is_own and about and about["kind"] == "blob":
            yield location, about


def sets(kind: str, ours: set[Any], theirs: set[Any]) -> Iterator[Difference]:
    """Yields the elements that are in only one of two sets."""
    for side, only in (("missing", ours - theirs), ("excess", theirs - ours)):
        for about in sorted(only, key=repr):
            yield Difference(kind, side, about if isinstance(about, tuple) else (about,))


def objects(oracle: Oracle, report: Json) -> Iterator[Difference]:
    """Compares the objects that contain tokens, and the offsets."""
    theirs = set()
    for token, finding in proven(report):
        for entry in finding["objects"]:
            if entry["length"] == 0:
                # In a member of an archive: the oracle opens no archives.
                continue
            theirs.add((token, entry["id"], entry["offset"]))
            length = oracle.seen.lengths.get((token, entry["id"], entry["offset"]), entry["length"])
            if entry["length"] != length:
                yield Difference("length", "wrong", (token, entry["id"], entry["length"]))
            kind = oracle.seen.kinds.get(entry["id"])
            if kind not in (None, entry["kind"]):
                yield Difference("kind", "wrong", (token, entry["id"], entry["kind"]))
    yield from sets("token, object, offset", oracle.seen.held, theirs)
    for part, ours in (("ref", oracle.refs), ("name", oracle.seen.tokens("tree"))):
        found = {
            token
            for token, finding in proven(report)
            if any(location["part"] == part for location in finding["locations"])
        }
        yield from sets(f"token in a {part}", ours, found)


def rules(report: Json) -> Iterator[Difference]:
    """Compares the rule of every finding."""
    for token, finding in proven(report):
        ours = {rule for rule, start, end in tokens.find(token) if (start, end) == (0, len(token))}
        if finding["rule"] not in ours:
            yield Difference("rule", "wrong", (token, finding["rule"]))


def places(oracle: Oracle, report: Json) -> Iterator[Difference]:
    """Compares introductions, removals, presence in HEAD and reachability."""
    introduced, removed, lone, in_head = set(), set(), set(), set()
    for token, finding in proven(report):
        for location, about in in_blobs(finding):
            path, commit = path_of(location), (about.get("introduced") or {}).get("commit")
            if about["in_head"]:
                in_head.add(token)
            if commit is None:
                lone.add((token, about["object"]))
                if path is not None:
                    yield Difference("path of a lone blob", "excess", (token, path))
                continue
            introduced.add((token, commit, path))
            removed |= {(token, entry["commit"], path) for entry in _removals(about)}
            if about["reachable"] != (commit in oracle.history.reachable):
                yield Difference("reachable", "wrong", (token, commit, about["reachable"]))
    history, masked = oracle.history, masks(report)
    ours = {(token, commit, masked(path)) for token, commit, path in history.introduced}
    yield from sets("token, introducing commit, path", ours, introduced)
    ours = {(token, commit, masked(path)) for token, commit, path in history.removed}
    yield from sets("token, removing commit, path", ours, removed)
    yield from sets("token, blob that no commit holds", history.lone, lone)
    yield from sets("token in HEAD", history.in_head, in_head)


def masks(report: Json) -> Callable[[bytes], bytes]:
    """Returns a function that masks the tokens in a path, as all reports do."""
    known = [(token, str(finding["token"]["redacted"]).encode()) for token, finding in proven(report)]

    def masked(path: bytes) -> bytes:
        for token, redacted in known:
            path = path.replace(token, redacted)
        return path

    return masked


def _removals(about: Json) -> Sequence[Json]:
    removals = about.get("removed") or []
    return removals if isinstance(removals, list) else [removals]


def position(content: bytes, offset: int) -> tuple[int, int] | None:
    """Returns line and column of an offset, from 1, or `None` if the line is not UTF-8."""
    line = content.count(b"\n", 0, offset) + 1
    start = content.rfind(b"\n", 0, offset) + 1
    try:
        text = content[start:offset].decode()
    except UnicodeDecodeError:
        return None
    mark = start == 0 and text.startswith("\ufeff")
    return line, len(text.encode("utf-16-le")) // 2 + (0 if mark else 1)


def positions(oracle: Oracle, report: Json) -> Iterator[Difference]:
    """Compares blob, offset, line and column of every location with the blob at its path."""
    reader = git.Reader(oracle.repo)
    located = sorted(
        (
            (about["object"], token, location, about)
            for token, finding in proven(report)
            for location, about in in_blobs(finding)
        ),
        key=lambda entry: str(entry[0]),
    )
    last, content = "", b""
    for blob, token, location, about in located:
        path, commit = path_of(location), (about.get("introduced") or {}).get("commit")
        place = (token, commit or "", path or b"")
        if commit and oracle.history.introduced.get(place, blob) != blob:
            yield Difference("blob of a place", "wrong", (*place, blob))
        offset = location["offset"]
        if (token, blob, offset) not in oracle.seen.held:
            yield Difference("offset of a place", "wrong", (*place, blob, offset))
            continue
        if blob != last:
            last, content = blob, reader.read(blob)
        right, said = position(content, offset), (location["line"], location["column"])
        if right and right != said:
            yield Difference("line and column", "wrong", (*place, blob, right, said))
    reader.close()


def complete(report: Json) -> Iterator[Difference]:
    """Yields a difference if a scan failed or is incomplete."""
    if report.get("exit", 0) != 0 or not report["complete"]:
        yield Difference("complete", "wrong", (report.get("exit"), report["complete"]))


def differences(oracle: Oracle, report: Json) -> Iterator[Difference]:
    """Yields every difference between the oracle and a report."""
    yield from rules(report)
    yield from objects(oracle, report)
    yield from places(oracle, report)
    yield from positions(oracle, report)


def write(found: Sequence[Difference], known: Iterable[bytes], most: int = 20) -> None:
    """Prints at most `most` differences of each kind."""
    mask, counts = Mask(known), Counter((one.kind, one.side) for one in found)
    for (kind, side), count in counts.items():
        print(f"== {kind}: {count} {side}")
        some = [one for one in found if (one.kind, one.side) == (kind, side)][:most]
        for one in some:
            print(f"  {mask.line(one)}")
