"""Copies a repository and plants tokens in the copy; the repository itself is never written.

A shared copy borrows the objects of the original. A full copy has its own objects, including
unreachable ones, repacked into one pack. A quarter of the tokens is planted after the repack, in loose
objects.
"""

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import git, tokens, ways
from .stream import Line

REF = b"refs/heads/planted"
DANGLING = "dangling_blob"


@dataclass(frozen=True)
class Planted:
    """A planted token, its rule, and the way it was planted."""

    token: bytes
    rule: str
    way: str


def copy(repo: Path, folder: Path, *, shared: bool) -> Path:
    """Creates a bare copy with the same refs and HEAD."""
    target = folder / "planted.git"
    if target.exists():
        raise git.GitError(f"{target} is there already")
    form = git.line(repo, "rev-parse", "--show-object-format") or "sha1"
    initial = ["init", "--quiet", "--bare", f"--object-format={form}", "--template=", target.name]
    git.run(folder, *initial)
    paths = git.run(repo, "rev-parse", "--git-path", "objects", "--git-path", "shallow")
    objects, shallow = ((repo / path.decode()).resolve() for path in paths.split(b"\n")[:2])
    alternates = [str(objects)]
    if not shared:
        shutil.copytree(objects, target / "objects", dirs_exist_ok=True)
        alternates = _alternates(objects)
    info = target / "objects" / "info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text("".join(f"{path}\n" for path in alternates))
    if shallow.is_file():
        shutil.copy(shallow, target / "shallow")
    refs = git.run(repo, "for-each-ref", "--format=%(objectname) %(refname)")
    (target / "packed-refs").write_bytes(refs)
    head = git.line(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    symbolic = git.line(repo, "symbolic-ref", "--quiet", "HEAD")
    (target / "HEAD").write_text(f"ref: {symbolic}\n" if symbolic or not head else f"{head}\n")
    return target


def _alternates(objects: Path) -> list[str]:
    listed = objects / "info" / "alternates"
    if not listed.is_file():
        return []
    lines = listed.read_text().splitlines()
    return [str((objects / line).resolve()) for line in lines if line and line[0] != "#"]


def _some_files(repo: Path, head: str, source: random.Random) -> dict[bytes, bytes]:
    found = []
    for entry in git.run(repo, "ls-tree", "-r", "-l", "-z", head).split(b"\0"):
        meta, _, path = entry.partition(b"\t")
        mode, _, name, size = (*meta.split(), b"", b"", b"", b"")[:4]
        # A blob missing from a partial clone has no size.
        if mode == b"100644" and size.isdigit() and 0 < int(size) < 200_000:
            found.append((path, name.decode()))
    reader = git.Reader(repo)
    chosen = source.sample(found, min(40, len(found)))
    files = {path: reader.read(name) for path, name in chosen}
    reader.close()
    return files


def _begin(repo: Path, source: random.Random, ref: bytes, count: int) -> Line:
    head = git.line(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    line = Line(source, head.encode(), ref, count)
    line.stashed = bool(git.line(repo, "rev-parse", "--verify", "--quiet", "refs/stash"))
    if head:
        line.files = _some_files(repo, head, source)
    line.commit({line.name("own"): line.text(40) for _ in range(8)})
    return line


def _grow(repo: Path, batch: Sequence[Planted], source: random.Random, count: int) -> None:
    ref = REF
    while git.line(repo, "rev-parse", "--verify", "--quiet", ref.decode()):
        ref += b"-on"
    line = _begin(repo, source, ref, count)
    named = {way.__name__: way for way in ways.WAYS}
    for planted in batch:
        if planted.way == DANGLING:
            lost = line.within(b"lost ", planted.token)
            git.run(repo, "hash-object", "-w", "--stdin", stdin=lost)
        else:
            named[planted.way](line, planted.token)
    git.run(repo, "fast-import", "--quiet", "--force", stdin=b"".join(line.stream.parts))
    for temporary in line.temporary:
        git.run(repo, "update-ref", "-d", temporary.decode())
    git.run(repo, "symbolic-ref", "HEAD", ref.decode())


def choose(count: int, source: random.Random) -> list[Planted]:
    """Mints tokens and chooses a way for each; every way once before any twice."""
    names = [*(way.__name__ for way in ways.WAYS), DANGLING]
    chosen = []
    for at in range(count):
        rule = source.choice(tokens.PROVABLE)
        chosen.append(Planted(tokens.mint(rule, source), rule, names[at % len(names)]))
    return chosen


def repack(repo: Path, *, full: bool) -> None:
    """Repacks all objects of the copy into one pack.

    What no ref reaches is kept, as `git repack -adk` does; but objects may be missing.
    """
    folder = repo / "objects" / "pack"
    old = [path for path in folder.iterdir() if path.is_file()]
    args = ["--revs", "--all", "--keep-unreachable", "--missing=allow-any", "--delta-base-offset"]
    args += ["--depth=50", "--window=10", "--no-reuse-delta" if full else "--local"]
    name = git.run(repo, "pack-objects", "--quiet", *args, str(folder / "pack")).decode().strip()
    for path in old:
        if name not in path.name:
            path.unlink()
    git.run(repo, "prune-packed", "--quiet")


def plant(repo: Path, count: int, seed: int, *, full: bool) -> list[Planted]:
    """Plants tokens in a copy of a repository."""
    source = random.Random(seed)
    chosen = choose(count, source)
    cut = count - count // 4
    git.run(repo, "config", "fastimport.unpackLimit", "1")
    _grow(repo, chosen[:cut], source, 0)
    repack(repo, full=full)
    git.run(repo, "config", "fastimport.unpackLimit", "1000000")
    _grow(repo, chosen[cut:], source, 1_000_000)
    return chosen
