#!/usr/bin/env python3
"""Fails if a document names a file or a heading that does not exist.

    scripts/doc-paths.py [DOCUMENT...]

Checks relative Markdown links with their anchors, paths in back-ticks that begin with a folder of
this repository, and every path to a Rust file. `NAME` and `<name>` match anything, braces are
alternatives. ARCHITECTURE.md and CONTRIBUTING.md may shorten paths from the left (`encoded/runs.rs`);
the other documents also describe files of users, so other paths are not checked there. Paths that are
documented before they exist are in scripts/lint/missing-paths.txt.
"""

import itertools
import re
import sys
from pathlib import Path

from tracked import ROOT, tracked

DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
PLANNED = ROOT / "scripts/lint/missing-paths.txt"
SHORTENED = {"ARCHITECTURE.md", "CONTRIBUTING.md"}
# In blocks of commands only paths that no project of a user would have are taken for this repository's.
IN_BLOCKS = ("scripts/", "crates/", "benches/")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def blank(match):
    """Returns as many lines as a match has, without their text."""
    return "\n" * match.group(0).count("\n")


def alternatives(path):
    """Expands `a/{b,c}.rs`."""
    parts = re.split(r"\{([^{}]*)\}", path)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def pattern(path, shortened):
    """Compiles a path with placeholders; if `shortened`, folders on the left and `.rs` may be missing."""
    escaped = re.sub(r"<[^>/]*>|(?:\\\*)+", "[^/]*", re.escape(path.rstrip("/")))
    # `README.md` and `LICENSE-MIT` are no placeholders.
    if not re.search(r"[A-Z]\.md|LICENSE", path):
        escaped = re.sub(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])", "[^/]*", escaped)
    return re.compile(rf"(?:.*/)?{escaped}(?:\.rs)?" if shortened else escaped)


def slug(heading):
    """Returns the anchor that GitHub gives a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return text.replace(" ", "-")


def anchors(document):
    """Returns the anchors of a Markdown file."""
    text = BLOCK.sub(blank, document.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


class Tree:
    def __init__(self):
        files = tracked()
        self.paths = {path.as_posix() for path in files}
        self.paths |= {parent.as_posix() for path in files for parent in path.parents}
        self.top = {path.parts[0] for path in files if len(path.parts) > 1}
        lines = (line.partition("#")[0].strip() for line in PLANNED.read_text().splitlines())
        self.planned = {line for line in lines if line}

    def has(self, path, shortened):
        """Returns `True` if a path exists; see `pattern`."""
        wanted = pattern(path, shortened)
        return any(wanted.fullmatch(known) for known in self.paths)

    def missing(self, word, document):
        """Returns the paths in a word that should exist and do not."""
        word = word.rstrip(",.;:")
        if not re.fullmatch(r"[\w.{},<>*/-]+", word) or word.startswith(("/", "-", "<")):
            return []
        top = word.partition("/")[0] in self.top and "/" in word
        rust = word.endswith(".rs")
        plain = document in SHORTENED and re.fullmatch(r"[a-z_0-9]+(?:/[a-z_0-9]+)+", word)
        if not (top or rust or plain):
            return []
        paths = (path for path in alternatives(word) if path.rstrip("/") not in self.planned)
        return [path for path in paths if not self.has(path, shortened=not top)]


def faults(document, tree):
    """Yields (line, text) of each wrong path or anchor in a document."""
    name = document.relative_to(ROOT).as_posix()
    text = document.read_text()
    for block in BLOCK.finditer(text):
        for word in re.finditer(r"\S+", block.group(0)):
            if word.group(0).startswith(IN_BLOCKS):
                for path in tree.missing(word.group(0), name):
                    yield text.count("\n", 0, block.start() + word.start()) + 1, f"no file `{path}`"
    prose = BLOCK.sub(blank, text)
    for code in CODE.finditer(prose):
        for word in code.group(2).split():
            for path in tree.missing(word, name):
                yield prose.count("\n", 0, code.start()) + 1, f"no file `{path}`"
    for link in LINK.finditer(prose):
        target, _, anchor = link.group(1).partition("#")
        line = prose.count("\n", 0, link.start()) + 1
        if re.match(r"[a-z]+:", target):
            continue
        file = (document.parent / target).resolve() if target else document
        if not file.exists():
            yield line, f"no file {target}"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield line, f"no heading for #{anchor}"


def main(arguments):
    documents = [Path(argument).resolve() for argument in arguments] or [
        *(ROOT / name for name in DOCUMENTS),
        *sorted(ROOT.glob("docs/**/*.md")),
        *sorted(ROOT.glob(".github/**/*.md")),
    ]
    tree = Tree()
    for path in sorted(tree.planned & tree.paths):
        print(f"{path} exists: remove it from {PLANNED.relative_to(ROOT)}")
    found = 0
    for document in documents:
        for line, text in faults(document, tree):
            found += 1
            print(f"{document.relative_to(ROOT)}:{line}: {text}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
