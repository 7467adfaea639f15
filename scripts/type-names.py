#!/usr/bin/env python3
"""Fails if two types of one crate have the same name.

    scripts/type-names.py [--list]

Reads `struct`, `enum`, `union`, `trait` and `type` items outside of tests as text; associated types
are not counted. Exceptions are in scripts/lint/type-names.txt,
one per line. `--list` prints every name that occurs twice, allowed or not.
"""

import re
import sys
from collections import defaultdict

from tracked import ROOT, tracked

ALLOWED = ROOT / "scripts/lint/type-names.txt"
ITEM = re.compile(r"^( *)(?:pub(?:\([^)]*\))? )?(?:unsafe )?(?:struct|enum|union|trait|type) ([A-Z]\w*)", re.MULTILINE)
TESTS = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{", re.MULTILINE)


def crate_of(path):
    """Returns the folder of the crate whose library or program a source file belongs to, if any."""
    parts = path.parts
    if parts[0] == "src":
        return "src"
    if parts[0] == "crates" and len(parts) > 3 and parts[2] == "src":
        return "/".join(parts[:3])
    return None


def types():
    """Maps (crate, name) to the places that define the name."""
    found = defaultdict(list)
    for path in tracked():
        crate = crate_of(path)
        if path.suffix != ".rs" or crate is None or "tests" in (*path.parts[:-1], path.stem):
            continue
        text = (ROOT / path).read_text()
        tests = TESTS.search(text)
        text = text[: tests.start()] if tests else text
        for item in ITEM.finditer(text):
            # An indented `type` is an associated type of a trait or an impl.
            if item.group(1) and " type " in item.group(0):
                continue
            found[crate, item.group(2)].append(f"{path}:{text.count(chr(10), 0, item.start(2)) + 1}")
    return found


def main(arguments):
    if set(arguments) - {"--list"}:
        print(__doc__, file=sys.stderr)
        return 2
    lines = (line.partition("#")[0].strip() for line in ALLOWED.read_text().splitlines())
    allowed = {line for line in lines if line}
    twice = {key: places for key, places in sorted(types().items()) if len(places) > 1}
    if "--list" in arguments:
        for (crate, name), places in twice.items():
            print(f"{crate}: {name}: {', '.join(places)}")
    for name in sorted(allowed - {name for _, name in twice}):
        print(f"{name} occurs only once: remove it from {ALLOWED.relative_to(ROOT)}")
    faults = {key: places for key, places in twice.items() if key[1] not in allowed}
    for (crate, name), places in faults.items():
        print(f"{crate} has more than one type called {name}: {', '.join(places)}", file=sys.stderr)
    if faults:
        print("rename all but one of them", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
