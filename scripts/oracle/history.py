"""Determines the commits that introduce and remove tokens, from the diffs of pairs of trees.

For a token T, S is the set of all blobs that contain it. A commit introduces T at a path if its tree
has a blob of S there and no parent's tree has one; it removes T from a path if a parent's tree has
a blob of S there and its own has not. All commits in the object store count, reachable or not. A
parent that is not in the store (a shallow clone) counts as none.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import git
from .naive import Commit, Seen

Holders = Mapping[str, frozenset[bytes]]
Pair = tuple[str, str]
Place = tuple[bytes, str, bytes]

# The modes of entries that are blobs; a submodule's entry is not.
BLOBS = (b"100", b"120")
NONE: frozenset[bytes] = frozenset()


@dataclass
class History:
    """Introductions and removals of tokens."""

    introduced: dict[Place, str] = field(default_factory=dict)
    """(token, commit, path) and the blob at this path."""
    removed: set[Place] = field(default_factory=set)
    lone: set[tuple[bytes, str]] = field(default_factory=set)
    """(token, blob) of blobs that no commit contains."""
    in_head: set[bytes] = field(default_factory=set)
    reachable: set[str] = field(default_factory=set)
    """All commits that a ref or a HEAD reaches."""
    cut: int = 0
    """Number of parents that are not in the store."""


@dataclass(frozen=True)
class Change:
    """The blobs that one path gained and lost between two trees."""

    path: bytes
    gained: frozenset[bytes]
    lost: frozenset[bytes]
    blob: str


def records(repo: Path, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, bytes, bytes]]:
    """Yields pair, raw record and path of every difference between the pairs of trees."""
    args = ["diff-tree", "--stdin", "-r", "--raw", "-z", "--no-abbrev", "--no-renames"]
    process = git.spawn(repo, *args)
    assert process.stdin and process.stdout
    stdin, stdout = process.stdin, process.stdout

    def feed() -> None:
        for old, new in pairs:
            stdin.write(f"{old} {new}\n".encode())
        stdin.close()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    pair, rest = ("", ""), b""
    meta: bytes | None = None
    while chunk := stdout.read(1 << 20):
        *fields, rest = (rest + chunk).split(b"\0")
        for text in fields:
            if meta is None:
                # One header line for each pair precedes the first record of the last pair.
                headers, newline, meta = text.rpartition(b"\n")
                if newline:
                    old, new = headers.rpartition(b"\n")[2].decode().split()
                    pair = (old, new)
            else:
                yield pair, meta, text
                meta = None
    feeder.join()
    git.finish(process)
    if meta is not None or any(line.startswith(b":") for line in rest.split(b"\n")):
        raise git.GitError("diff-tree: the output was cut off")


def changes(repo: Path, pairs: Sequence[Pair], holders: Holders) -> dict[Pair, list[Change]]:
    """Returns the changes of tokens between each pair of trees, if any."""
    wanted = {name.encode(): held for name, held in holders.items()}
    result: dict[Pair, list[Change]] = {}
    for pair, meta, path in records(repo, pairs):
        old_mode, new_mode, old_id, new_id, _ = meta.split(b" ")
        if old_id not in wanted and new_id not in wanted:
            continue
        old = wanted.get(old_id, NONE) if old_mode[1:4] in BLOBS else NONE
        new = wanted.get(new_id, NONE) if new_mode[:3] in BLOBS else NONE
        if old or new:
            change = Change(path, new - old, old - new, new_id.decode())
            result.setdefault(pair, []).append(change)
    return result


def attribute(commits: Mapping[str, Commit], holders: Holders, repo: Path) -> History:
    """Determines the tokens that each commit introduces and removes."""
    history = History()
    empty = git.line(repo, "hash-object", "-t", "tree", "--stdin")
    parent_trees: dict[str, list[str]] = {}
    for name, commit in commits.items():
        parents = [commits[parent].tree for parent in commit.parents if parent in commits]
        history.cut += len(commit.parents) - len(parents)
        parent_trees[name] = sorted(set(parents)) or [empty]
    pairs = ((old, commits[name].tree) for name, trees in parent_trees.items() for old in trees)
    # In store order, neighbouring commits share most trees, which is twice as fast.
    differing = list(dict.fromkeys((old, new) for old, new in pairs if old != new))
    changed = changes(repo, differing, holders)
    for name, trees in parent_trees.items():
        tree = commits[name].tree
        _add(history, name, [changed.get((old, tree), []) for old in trees])
    committed = {change.blob for found in changed.values() for change in found}
    history.lone = {
        (token, blob) for blob, held in holders.items() if blob not in committed for token in held
    }
    return history


def _add(history: History, commit: str, against: Sequence[Sequence[Change]]) -> None:
    gained: dict[tuple[bytes, bytes], int] = {}
    for found in against:
        for change in found:
            for token in change.gained:
                gained[token, change.path] = gained.get((token, change.path), 0) + 1
                if gained[token, change.path] == len(against):
                    history.introduced[token, commit, change.path] = change.blob
            for token in change.lost:
                history.removed.add((token, commit, change.path))


def in_head(repo: Path, holders: Holders) -> set[bytes]:
    """Returns the tokens of the blobs in HEAD's tree."""
    head = git.line(repo, "rev-parse", "--verify", "--quiet", "HEAD^{tree}")
    held: set[bytes] = set()
    if head:
        for entry in git.run(repo, "ls-tree", "-r", "-z", head).split(b"\0"):
            if entry.startswith(BLOBS):
                held |= holders.get(entry.split(b"\t", 1)[0].split()[2].decode(), NONE)
    return held


def reachable(repo: Path) -> set[str]:
    """Returns the commits that refs, HEAD and the HEADs of worktrees reach; the reflog does not."""
    heads = [git.line(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")]
    for entry in git.line(repo, "worktree", "list", "--porcelain").splitlines():
        if entry.startswith("HEAD ") and entry[5:].strip("0"):
            heads.append(entry[5:])
    heads = [head for head in heads if head]
    return set(git.run(repo, "rev-list", "--all", *heads).decode().split())


def trace(repo: Path, seen: Seen) -> History:
    """Returns the history of every token that was seen in a blob."""
    holders = seen.blobs()
    history = attribute(seen.commits, holders, repo) if holders else History()
    history.in_head = in_head(repo, holders)
    history.reachable = reachable(repo)
    return history
