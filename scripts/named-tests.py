#!/usr/bin/env python3
"""Fails if .config/nextest.toml names a test or a module of tests that does not exist.

    scripts/named-tests.py

Nextest itself accepts a filter that matches nothing, so a renamed slow test would silently run among
the fast ones. Reads `test(=module::name)` and `test(/^module::/)` as text.
"""

import re
import sys

from tracked import ROOT, tracked

CONFIGURATION = ROOT / ".config/nextest.toml"


def exists(name, sources):
    """Returns `True` if a file of the named modules defines the test, or if the modules exist."""
    *modules, test = name.split("::")
    # A unit test's last module is `tests` within a file.
    if test and modules and modules[-1] == "tests":
        modules.pop()
    ending = re.compile(r"(?:^|/)" + "/".join(modules) + r"(?:/mod|/main|/tests|/tests/mod)?\.rs$")
    files = [text for path, text in sources.items() if ending.search(path)]
    return any(not test or re.search(rf"\bfn {test}\(", text) for text in files)


def main():
    sources = {path.as_posix(): (ROOT / path).read_text() for path in tracked() if path.suffix == ".rs"}
    configuration = CONFIGURATION.read_text()
    names = re.findall(r"test\((?:=([\w:]+)|/\^([\w:]+)/)\)", configuration)
    if len(names) != configuration.count("test("):
        print(f"{CONFIGURATION.relative_to(ROOT)}: write test(=module::name) or test(/^module::/)", file=sys.stderr)
        return 1
    missing = [name for pair in names for name in pair if name and not exists(name, sources)]
    for name in missing:
        print(f"{CONFIGURATION.relative_to(ROOT)}: there is no test {name}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
