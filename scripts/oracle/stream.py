"""Writes commits, tags and notes as a `git fast-import` stream, along one main line."""

import random
from collections.abc import Mapping, Sequence

# Content of a path, or None to remove it.
Changes = Mapping[bytes, bytes | None]

PERSON = b"Ora Cle <oracle@example.org>"
FILE, LINK = b"100644", b"120000"


def quoted(path: bytes) -> bytes:
    """Quotes a path in the C style of fast-import, with special bytes in octal."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-"
    escaped = (bytes([byte]) if byte in plain else b"\\%03o" % byte for byte in path)
    return b'"' + b"".join(escaped) + b'"'


class Stream:
    """Builds a stream; marks are `:1`, `:2`, …"""

    def __init__(self) -> None:
        """Creates an empty stream."""
        self.parts: list[bytes] = []
        self.clock = 1_700_000_000
        self.step = 60
        self._marks = 0

    def _mark(self) -> bytes:
        self._marks += 1
        return b":%d" % self._marks

    @staticmethod
    def _data(content: bytes) -> bytes:
        return b"data %d\n%s\n" % (len(content), content)

    def blob(self, content: bytes) -> bytes:
        """Adds a blob."""
        mark = self._mark()
        self.parts.append(b"blob\nmark %s\n%s" % (mark, self._data(content)))
        return mark

    def commit(
        self,
        ref: bytes,
        parents: Sequence[bytes],
        changes: Changes,
        *,
        message: bytes = b"a change",
        person: bytes = PERSON,
        mode: bytes = FILE,
    ) -> bytes:
        """Adds a commit: the first parent's tree with the changes, all in one mode."""
        blobs = {path: self.blob(new) for path, new in changes.items() if new is not None}
        self.clock += self.step
        mark = self._mark()
        when = b"%s %d +0200" % (person, self.clock)
        head = b"commit %s\nmark %s\nauthor %s\ncommitter %s\n" % (ref, mark, when, when)
        text = head + self._data(message)
        for verb, parent in zip([b"from", *[b"merge"] * len(parents)], parents, strict=False):
            text += b"%s %s\n" % (verb, parent)
        for path, new in changes.items():
            if new is None:
                text += b"D %s\n" % quoted(path)
        for path, blob in blobs.items():
            text += b"M %s %s %s\n" % (mode, blob, quoted(path))
        self.parts.append(text + b"\n")
        return mark

    def tag(self, name: bytes, target: bytes, message: bytes) -> None:
        """Adds an annotated tag of any object."""
        head = b"tag %s\nfrom %s\ntagger %s %d +0000\n" % (name, target, PERSON, self.clock)
        self.parts.append(head + self._data(message))

    def note(self, ref: bytes, commit: bytes, content: bytes) -> None:
        """Adds a note to a commit."""
        self.clock += self.step
        head = b"commit %s\ncommitter %s %d +0000\n" % (ref, PERSON, self.clock)
        text = head + self._data(b"a note") + b"N inline %s\n" % commit
        self.parts.append(text + self._data(content) + b"\n")

    def reset(self, ref: bytes, target: bytes) -> None:
        """Points a ref at a commit."""
        self.parts.append(b"reset %s\nfrom %s\n\n" % (ref, target))


class Line:
    """The main line of planted commits and its known files."""

    def __init__(self, source: random.Random, tip: bytes, ref: bytes, count: int) -> None:
        """Starts at a commit, or without one if `tip` is empty. Numbers names from `count`."""
        self.stream, self.random = Stream(), source
        self.tip, self.ref = tip, ref
        self.stream.clock += count * 60
        self.files: dict[bytes, bytes] = {}
        self.temporary: list[bytes] = []
        self.stashed = False
        self._count = count

    def name(self, kind: str) -> bytes:
        """Returns a name that was not used before."""
        self._count += 1
        return f"{kind}-{self._count}".encode()

    def commit(self, changes: Changes, *more: bytes, **options: bytes) -> bytes:
        """Adds a commit on the tip; `more` are further parents."""
        parents = [self.tip, *more] if self.tip else list(more)
        self.tip = self.stream.commit(self.ref, parents, changes, **options)
        for path, new in changes.items():
            if new is None:
                self.files.pop(path, None)
            elif options.get("mode", FILE) == FILE:
                self.files[path] = new
        return self.tip

    def branch(self, parents: Sequence[bytes], changes: Changes, **options: bytes) -> bytes:
        """Adds a commit beside the main line, on a ref that is deleted at the end."""
        ref = b"refs/planted/" + self.name("side")
        self.temporary.append(ref)
        return self.stream.commit(ref, [parent for parent in parents if parent], changes, **options)

    def any_file(self) -> bytes:
        """Returns the path of one known file."""
        return self.random.choice(sorted(self.files))

    def text(self, lines: int) -> bytes:
        """Returns text that compresses like text."""
        words = "token of the patrol reads every branch — é日本 😀 then\tends".split(" ")
        rows = (" ".join(self.random.choices(words, k=9)) for _ in range(lines))
        return "\n".join(rows).encode() + b"\n"

    def within(self, content: bytes, token: bytes) -> bytes:
        """Inserts a token at a random position of content."""
        at = self.random.randint(0, len(content))
        return content[:at] + token + content[at:]
