#!/usr/bin/env python3
"""Counts phrases of the project's old idiom, and fails if there are more than before.

    scripts/idiom.py [--list] [--update]

Reads the comments, strings and names of tracked sources, tests, scripts and documents. Quotations of
other programs and dated records are not read. The number in scripts/lint/idiom.txt may only fall:
`--update` lowers it, `--list` prints every place.
"""

import re
import sys
from pathlib import Path

from tracked import ROOT, tracked

BASELINE = ROOT / "scripts/lint/idiom.txt"
SUFFIXES = {".rs", ".py", ".sh", ".md", ".toml", ".yml", ".yaml", ".sql", ".html", ".js", ".css"}
# Records keep the words of their day; the snapshots repeat the sources; these two files name the phrases.
LEFT_OUT = ("benches/record/", "tests/it/output/snapshots/", "scripts/idiom.py", "CONTRIBUTING.md")
PHRASES = {
    "Tells whether": r"\btells? (?:whether|if)\b",
    "told": r"\btold\b",
    "heed": r"\bheed(?:s|ed|ing)?\b",
    "spells": r"\b(?:re)?spel(?:ls?|led|t)\b",
    "had a say": r"\b(?:have|has|had|having) (?:a|no|any) say\b",
    "looked at": r"\blooked at\b",
    "doc comment that begins with What": r"^\s*(?://[/!]|\"\"\"|# )\s*What\b",
    # `stands for` and `stand-in` are plain English.
    "stands": r"\b(?:stands?|stood)\b(?!-| for\b| in for\b)",
}
PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PHRASES.items()}
PATTERNS["doc comment that begins with What"] = re.compile(PHRASES["doc comment that begins with What"])


def places():
    """Yields (phrase, path, line number, line)."""
    for path in tracked():
        if path.suffix not in SUFFIXES or path.as_posix().startswith(LEFT_OUT):
            continue
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            # Names of tests and functions are words, too.
            words = line.replace("_", " ")
            for name, pattern in PATTERNS.items():
                text = line if name.startswith("doc comment") else words
                for _ in pattern.finditer(text):
                    yield name, path, number, line.strip()


def main(arguments):
    unknown = set(arguments) - {"--list", "--update"}
    if unknown:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(places())
    if "--list" in arguments:
        for name, path, number, line in found:
            print(f"{path}:{number}: {name}: {line}")
    allowed = int(BASELINE.read_text())
    if len(found) > allowed:
        counts = {name: sum(1 for place in found if place[0] == name) for name in PATTERNS}
        print(f"{len(found)} phrases of the old idiom; {BASELINE.relative_to(ROOT)} allows {allowed}:", file=sys.stderr)
        for name, count in counts.items():
            print(f"  {count:5} {name}", file=sys.stderr)
        print("reword what you added (CONTRIBUTING.md, \"Language\"); --list prints every place", file=sys.stderr)
        return 1
    if len(found) < allowed:
        if "--update" in arguments:
            BASELINE.write_text(f"{len(found)}\n")
        else:
            print(f"the old idiom is down to {len(found)} phrases: run scripts/idiom.py --update")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
