"""Searches every object of a repository separately, from its first byte to its last.

Searches commits, tags and blobs as a whole, and each entry name of a tree separately. Returns the set
of (token, object id, offset), and the tree and parents of every commit for `history`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import encoded, git, tokens


@dataclass(frozen=True)
class Commit:
    """Tree and parents of a commit, parsed from its text."""

    tree: str
    parents: tuple[str, ...]


@dataclass
class Seen:
    """The result of reading every object."""

    held: set[tuple[bytes, str, int]] = field(default_factory=set)
    lengths: dict[tuple[bytes, str, int], int] = field(default_factory=dict)
    """The lengths of their encoded text."""
    kinds: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    objects: int = 0
    size: int = 0

    def blobs(self) -> dict[str, frozenset[bytes]]:
        """Returns the tokens of every blob that contains any."""
        holders: dict[str, set[bytes]] = {}
        for token, name, _ in self.held:
            if self.kinds[name] == "blob":
                holders.setdefault(name, set()).add(token)
        return {name: frozenset(held) for name, held in holders.items()}

    def tokens(self, kind: str = "") -> set[bytes]:
        """Returns the tokens in all objects, or in objects of one kind."""
        return {token for token, name, _ in self.held if kind in ("", self.kinds[name])}


def objects(repo: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yields id, kind and content of every object in the store, alternates included."""
    args = ["cat-file", "--batch-all-objects", "--unordered", "--batch"]
    process = git.spawn(repo, *args)
    assert process.stdin and process.stdout
    process.stdin.close()
    while head := process.stdout.readline():
        parts = head.decode().split()
        if len(parts) != 3:
            raise git.GitError(f"cat-file: {head!r}")
        name, kind, size = parts[0], parts[1], int(parts[2])
        content = process.stdout.read(size)
        if len(content) != size or process.stdout.read(1) != b"\n":
            raise git.GitError(f"cat-file: {name} was cut off")
        yield name, kind, content
    git.finish(process)


def entry_names(tree: bytes, raw_id: int) -> Iterator[tuple[int, bytes]]:
    """Yields offset and bytes of the name of each entry; an id has `raw_id` bytes."""
    at = 0
    while at < len(tree):
        start = tree.index(b" ", at) + 1
        end = tree.index(b"\0", start)
        yield start, tree[start:end]
        at = end + 1 + raw_id


def found(kind: str, content: bytes, raw_id: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the tokens of one object with the offsets and lengths of their encoded text."""
    parts = entry_names(content, raw_id) if kind == "tree" else [(0, content)]
    for offset, part in parts:
        for one in encoded.find(part):
            yield one.token, offset + one.start, one.end - one.start


def parse(content: bytes) -> Commit:
    """Parses the headers of a commit."""
    tree, parents = "", []
    for line in content.split(b"\n\n", 1)[0].split(b"\n"):
        name, _, value = line.partition(b" ")
        if name == b"tree" and not tree:
            tree = value.decode()
        elif name == b"parent":
            parents.append(value.decode())
    return Commit(tree, tuple(parents))


def search(repo: Path) -> Seen:
    """Searches every object of a repository."""
    seen = Seen()
    for name, kind, content in objects(repo):
        seen.objects += 1
        seen.size += len(content)
        if kind == "commit":
            seen.commits[name] = parse(content)
        for token, offset, length in found(kind, content, len(name) // 2):
            seen.held.add((token, name, offset))
            seen.lengths[token, name, offset] = length
            seen.kinds[name] = kind
    return seen


def in_refs(repo: Path) -> set[bytes]:
    """Returns the tokens in names of refs."""
    names = git.run(repo, "for-each-ref", "--format=%(refname)").split(b"\n")
    return {name[start:end] for name in names for _, start, end in tokens.find(name)}
