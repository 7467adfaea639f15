"""Tests the oracle without the scanner: against other code, real git and brute force."""

import base64
import random
import re
import sys
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import compare, encoded, git, history, naive, plant, tokens, ways
from .stream import Stream


def small_repository(folder: Path) -> Path:
    """Creates a repository with one commit of a few files."""
    repo = folder / "small.git"
    git.run(folder, "init", "--quiet", "--bare", "--template=", repo.name)
    stream = Stream()
    files = {f"src/file{at}.txt".encode(): b"line\n" * 50 * at for at in range(1, 6)}
    stream.commit(b"refs/heads/main", [], files)
    git.run(repo, "fast-import", "--quiet", stdin=b"".join(stream.parts))
    git.run(repo, "symbolic-ref", "HEAD", "refs/heads/main")
    return repo


def brute_force(repo: Path, seen: naive.Seen) -> tuple[set[history.Place], set[history.Place]]:
    """Determines introductions and removals from the complete tree of every commit."""
    holders = seen.blobs()
    at: dict[str, set[tuple[bytes, bytes]]] = {}
    for name in seen.commits:
        at[name] = set()
        for entry in git.run(repo, "ls-tree", "-r", "-z", name).split(b"\0"):
            meta, _, path = entry.partition(b"\t")
            for token in holders.get(meta.decode().rpartition(" ")[2], ()):
                at[name].add((token, path))
    introduced, removed = set(), set()
    for name, own in at.items():
        parents = git.line(repo, "rev-list", "--parents", "--no-walk", name).split()[1:]
        before = set().union(*(at[parent] for parent in parents))
        introduced |= {(token, name, path) for token, path in own - before}
        removed |= {(token, name, path) for token, path in before - own}
    return introduced, removed


def _location(part: str, about: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    defaults = {"path": None, "part": part, "line": 1, "column": 1, "offset": 0, "git": about}
    return {**defaults, **more}


def correct_report(oracle: compare.Oracle) -> dict[str, Any]:
    """Returns the report of a correct scanner."""
    seen, traced = oracle.seen, oracle.history
    reader = git.Reader(oracle.repo)
    findings: dict[bytes, dict[str, Any]] = {}
    for token in sorted(seen.tokens() | oracle.refs):
        rule = next(rule for rule, _, end in tokens.find(token) if end == len(token))
        secret = token.decode()
        # This report masks nothing, so that paths compare unchanged.
        base = {"evidence": "proven", "rule": rule, "secret": secret}
        shown = {"redacted": secret}
        findings[token] = {**base, "token": shown, "objects": [], "locations": []}
    for token, name, offset in sorted(seen.held):
        entry = {"id": name, "kind": seen.kinds[name], "offset": offset}
        entry["length"] = seen.lengths[token, name, offset]
        findings[token]["objects"].append(entry)
    for token in oracle.refs:
        findings[token]["locations"].append(_location("ref"))
    for token in seen.tokens("tree"):
        findings[token]["locations"].append(_location("name"))
    lone = [((token, None, None), blob) for token, blob in sorted(traced.lone)]
    for (token, commit, path), blob in [*sorted(traced.introduced.items()), *lone]:
        content = reader.read(blob)
        offset = min(at for held, name, at in seen.held if (held, name) == (token, blob))
        line, column = compare.position(content, offset) or (0, 0)
        removed = [{"commit": by} for held, by, at in traced.removed if (held, at) == (token, path)]
        about = {
            "object": blob,
            "kind": "blob",
            "introduced": {"commit": commit} if commit else None,
            "removed": removed,
            "in_head": token in traced.in_head,
            "reachable": commit in traced.reachable,
        }
        place = _location("content", about, line=line, column=column, offset=offset)
        if path is not None:
            place["path"] = path.decode(errors="backslashreplace")
            if "\\x" in place["path"]:
                place["path_hex"] = path.hex()
        findings[token]["locations"].append(place)
    reader.close()
    return {"complete": True, "findings": list(findings.values())}


class Tokens(unittest.TestCase):
    """The detector and the minter."""

    def test_published_vectors_are_proven(self) -> None:
        """Published tokens of the known formats, split as in the rules, are found."""
        rules = Path(__file__).resolve().parents[2] / "rules"
        count = 0
        for file in sorted(rules.glob("*.toml")):
            for found in re.finditer(r"^token = \[(.*)\]$", file.read_text(), re.MULTILINE):
                token = "".join(re.findall(r'"([^"]*)"', found[1])).encode()
                if not tokens.HEADS.match(token):
                    continue
                ends = [(start, end) for _, start, end in tokens.find(token)]
                self.assertEqual(ends, [(0, len(token))], file.name)
                count += 1
        self.assertGreater(count, 10)

    def test_minted_tokens_are_found_and_modified_ones_are_not(self) -> None:
        """Tests every rule between adjacent bytes, and with one changed character."""
        source = random.Random(1)
        self.assertEqual(len(tokens.PROVABLE), 17)
        for rule in tokens.PROVABLE * 40:
            token = tokens.mint(rule, source)
            data = b"x_" + token + b"Az09" + token + b"-"
            expected = [(rule, at, at + len(token)) for at in (2, 6 + len(token))]
            self.assertEqual(list(tokens.find(data)), expected)
            # Some checksums do not cover the start of a token, and none covers the end of a fine-grained one.
            at = len(token) - 1 - source.randrange(12)
            at -= 8 if rule == "github-fine-grained-pat" else 0
            digit = b"7" if token[at : at + 1] != b"7" else b"6"
            broken = token[:at] + digit + token[at + 1 :]
            self.assertEqual(list(tokens.find(broken)), [])
            self.assertEqual(list(tokens.find(token[:-1])), [])

    def test_encoded_tokens_are_found_at_their_offsets(self) -> None:
        """Tests each encoding at every alignment, folded and not."""
        source = random.Random(4)
        for rule in tokens.PROVABLE:
            token = tokens.mint(rule, source)
            for before in (b"", b"x", b"xy", b"xyz"):
                whole = base64.b64encode(before + token + b"?>")
                folded = b"\n  ".join(whole[at : at + 60] for at in range(0, len(whole), 60))
                escaped = whole.replace(b"+", b"%2B").replace(b"/", b"%2f").replace(b"=", b"%3D")
                marks = before + b"".join(
                    b"%%%02X" % byte if byte in b"=_-." else bytes([byte]) for byte in token
                )
                slashes = before + b"".join(
                    b"\\%c" % byte if byte in b"=_-." else bytes([byte]) for byte in token
                )
                hexed = (before + token).hex().encode()
                for text in (whole, folded, escaped, marks, slashes, hexed):
                    found = {one for one in encoded.find(b"k: " + text + b"\n")}
                    self.assertEqual({(one.rule, one.token) for one in found}, {(rule, token)}, text)
                    self.assertEqual(len(found), 1)
                    one = found.pop()
                    self.assertLessEqual(one.start - 3, 2 * len(before))
                    self.assertGreaterEqual(one.start, 3)
            self.assertEqual(list(encoded.find(base64.b64encode(token[:-1] + b"!"))), [])

    def test_a_mask_has_no_secret(self) -> None:
        """Neither a masked token nor a masked path contains text after the head."""
        source = random.Random(2)
        for rule in tokens.PROVABLE:
            token = tokens.mint(rule, source)
            shown = compare.Mask([]).bytes(b"a/" + token + b".txt")
            self.assertNotIn(token[-12:].decode(), shown)
            self.assertNotIn(token[12:20].decode(), shown)


class Planted(unittest.TestCase):
    """The whole oracle on planted copies of a small repository."""

    def plant(self, *, shared: bool) -> tuple[compare.Oracle, list[plant.Planted]]:
        """Plants tokens twice in every way and runs the oracle."""
        folder = tempfile.TemporaryDirectory(prefix="oracle-")
        self.addCleanup(folder.cleanup)
        original = small_repository(Path(folder.name))
        before = sorted(path for path in original.rglob("*"))
        repo = plant.copy(original, Path(folder.name), shared=shared)
        planted = plant.plant(repo, 2 * len(ways.WAYS) + 2, 7, full=not shared)
        self.assertEqual(before, sorted(path for path in original.rglob("*")))
        seen = naive.search(repo)
        traced = history.trace(repo, seen)
        return compare.Oracle(repo, seen, traced, naive.in_refs(repo)), planted

    def check(self, *, shared: bool) -> compare.Oracle:
        """Compares the oracle with the planted tokens and with brute force."""
        oracle, planted = self.plant(shared=shared)
        known = oracle.seen.tokens() | oracle.refs
        self.assertEqual(known, {one.token for one in planted})
        self.assertEqual(len(known), len(planted))
        introduced, removed = brute_force(oracle.repo, oracle.seen)
        self.assertEqual(set(oracle.history.introduced), introduced)
        self.assertEqual(oracle.history.removed, removed)
        self.assertEqual(
            {one.way for one in planted if one.token in {t for t, _ in oracle.history.lone}},
            {"dangling_blob", "tagged_blob"},
        )
        outside = set(oracle.seen.commits) - oracle.history.reachable
        ways_outside = {
            one.way
            for one in planted
            for token, commit, _ in introduced
            if token == one.token and commit in outside
        }
        self.assertEqual(ways_outside, {"unreachable_commits"})
        return oracle

    def test_a_shared_copy(self) -> None:
        """All planted tokens are found, and histories equal those of brute force."""
        oracle = self.check(shared=True)
        git.run(oracle.repo, "fsck", "--strict", "--no-dangling")

    def test_a_full_copy(self) -> None:
        """The same with all objects in one pack."""
        oracle = self.check(shared=False)
        packs = list((oracle.repo / "objects" / "pack").glob("*.pack"))
        self.assertEqual(len(packs), 1)

    def test_planting_is_deterministic(self) -> None:
        """The same seed gives the same objects."""
        first, second = (self.plant(shared=True)[0].seen for _ in range(2))
        self.assertEqual(first.held, second.held)
        self.assertEqual(first.commits, second.commits)

    def test_a_correct_report_has_no_difference_and_a_wrong_one_has(self) -> None:
        """Each kind of fault in a report is shown, without tokens."""
        oracle, planted = self.plant(shared=True)
        self.assertEqual(list(compare.differences(oracle, correct_report(oracle))), [])
        source = random.Random(3)
        for fault in FAULTS:
            report = correct_report(oracle)
            kind = fault(report, source)
            found = [*compare.complete(report), *compare.differences(oracle, report)]
            self.assertIn(kind, {one.kind for one in found})
            mask = compare.Mask(one.token for one in planted)
            text = "\n".join(mask.line(one) for one in found)
            for one in planted:
                self.assertNotIn(one.token.decode(), text)


def _a_place(report: Any, source: random.Random, *, removed: bool = False) -> Any:
    """Returns a location in a blob that a commit introduced."""
    places = [
        (location, about)
        for finding in report["findings"]
        for location, about in compare.in_blobs(finding)
        if about["introduced"] and (about["removed"] or not removed)
    ]
    return source.choice(places)


def _an_object_too_few(report: Any, source: random.Random) -> str:
    source.choice([one for one in report["findings"] if one["objects"]])["objects"].pop()
    return "token, object, offset"


def _an_offset_beside(report: Any, source: random.Random) -> str:
    _a_place(report, source)[0]["offset"] += 1
    return "offset of a place"


def _a_column_beside(report: Any, source: random.Random) -> str:
    for finding in report["findings"]:
        for location, _ in compare.in_blobs(finding):
            location["column"] += 1
    return "line and column"


def _another_path(report: Any, source: random.Random) -> str:
    place = _a_place(report, source)[0]
    place.pop("path_hex", None)
    place["path"] = "elsewhere"
    return "token, introducing commit, path"


def _no_removals(report: Any, source: random.Random) -> str:
    for finding in report["findings"]:
        for _, about in compare.in_blobs(finding):
            about["removed"] = []
    return "token, removing commit, path"


def _unreachable(report: Any, source: random.Random) -> str:
    about = _a_place(report, source)[1]
    about["reachable"] = not about["reachable"]
    return "reachable"


def _nothing_in_head(report: Any, source: random.Random) -> str:
    for finding in report["findings"]:
        for _, about in compare.in_blobs(finding):
            about["in_head"] = False
    return "token in HEAD"


def _another_rule(report: Any, source: random.Random) -> str:
    source.choice(report["findings"])["rule"] = "another"
    return "rule"


def _no_refs(report: Any, source: random.Random) -> str:
    for finding in report["findings"]:
        finding["locations"] = [one for one in finding["locations"] if one["part"] != "ref"]
    return "token in a ref"


def _incomplete(report: Any, source: random.Random) -> str:
    report["complete"] = False
    return "complete"


FAULTS = (
    _an_object_too_few,
    _an_offset_beside,
    _a_column_beside,
    _another_path,
    _no_removals,
    _unreachable,
    _nothing_in_head,
    _another_rule,
    _no_refs,
    _incomplete,
)

if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False).result.wasSuccessful() else 1)
