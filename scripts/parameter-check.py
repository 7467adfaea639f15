#!/usr/bin/env python3
"""Fails if a Rust function bundles its parameters in a tuple or takes a `bool`.

    scripts/parameter-check.py [FOLDER_OR_FILE...]

A tuple hides the number of parameters, and `true` at a call site has no meaning; structs and enums
have names. Reports parameters with a tuple pattern, of a tuple type, or of type `bool`. Exempt are
closures, tests, macros, and implementations of traits of other crates, which dictate the parameters.
"""

import re
import sys
from pathlib import Path

# Folders without such parameters. Add a folder as soon as it has none.
FOLDERS = [
    "crates/archive/src",
    "crates/detect/src",
    "crates/engine/src",
    "crates/git/src",
    "crates/pack/src",
    "crates/report/src",
    "crates/respond/src",
    "crates/test-mint/src",
    "crates/test-repo/src",
    "crates/token/src",
    "crates/scan/src",
    "crates/service/src",
    "crates/sweep/src",
    "src",
]

TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\(?:u\{\w+\}|x\w\w|.)|[^\\'\n])'""",
    re.DOTALL,
)
FUNCTION = re.compile(r"\bfn\s+(\w+)")
TRAIT = re.compile(r"\btrait\s+(\w+)")
MACRO = re.compile(r"\bmacro_rules!\s*\w+\s*\{")
IMPLEMENTATION = re.compile(r"\bimpl\b([^;{]*)\{")
TEST_MODULE = re.compile(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{")
OPENING = {"(": ")", "[": "]", "{": "}", "<": ">"}


def blanked(text):
    """Replaces comments and literals by spaces, so that every other character keeps its place."""
    return TOKENS.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def closing(text, at):
    """Returns the index of the bracket that closes the one at `at`."""
    stack = []
    for index in range(at, len(text)):
        char = text[index]
        if char == ">" and text[index - 1] in "-=":
            continue
        if char in OPENING and (char != "<" or text[at] != "{"):
            stack.append(OPENING[char])
        elif stack and char == stack[-1]:
            stack.pop()
            if not stack:
                return index
    raise ValueError("unbalanced brackets")


def split(parameters):
    """Splits a parameter list at its top-level commas."""
    start, at = 0, 0
    while at < len(parameters):
        if parameters[at] in OPENING:
            at = closing(parameters, at)
        elif parameters[at] == ",":
            yield parameters[start:at]
            start = at + 1
        at += 1
    yield parameters[start:]


def fault(parameter):
    """Returns the fault of a parameter, or `None`."""
    parameter = re.sub(r"#\[[^\]]*\]", "", parameter).strip()
    if parameter.startswith("("):
        return "is a tuple pattern"
    _, colon, kind = parameter.partition(":")
    kind = re.sub(r"^&?\s*('\w+\s+)?(mut\s+)?", "", kind.strip())
    if colon and kind == "bool":
        return "is a bool"
    if colon and kind.startswith("(") and len(list(split(kind[1:-1]))) > 1:
        return "is a tuple"
    return None


def exempt_ranges(text, own_traits):
    """Lists the ranges of test modules, macros and implementations of traits of other crates."""
    for pattern in (TEST_MODULE, MACRO):
        for match in pattern.finditer(text):
            yield range(match.start(), closing(text, match.end() - 1))
    for match in IMPLEMENTATION.finditer(text):
        name, is_of_trait, _ = match.group(1).partition(" for ")
        # Matches `<T: A> path::Trait<B>` without its parameters.
        while (bare := re.sub(r"<[^<>]*>", "", name)) != name:
            name = bare
        name = name.split("::")[-1].strip()
        if is_of_trait and name not in own_traits:
            yield range(match.start(), closing(text, match.end() - 1))


def faults(path, own_traits):
    """Lists the faults of a file: line, function, parameter, description."""
    text = blanked(path.read_text())
    exempt = list(exempt_ranges(text, own_traits))
    for match in FUNCTION.finditer(text):
        if any(match.start() in place for place in exempt):
            continue
        at = match.end()
        if text[at] == "<":
            at = closing(text, at) + 1
        opening = text.index("(", at)
        for parameter in split(text[opening + 1 : closing(text, opening)]):
            if problem := fault(parameter):
                line = text.count("\n", 0, match.start()) + 1
                yield line, match.group(1), " ".join(parameter.split()), problem


def rust_files(folder):
    path = Path(folder)
    if not path.exists():
        sys.exit(f"{folder}: no such file or folder; correct the list in {sys.argv[0]}")
    files = [path] if path.is_file() else sorted(path.rglob("*.rs"))
    return [it for it in files if it.stem != "tests" and "tests" not in it.parts]


def main(folders):
    sources = [it for root in (Path("src"), Path("crates")) for it in root.rglob("*.rs")]
    own_traits = {name for it in sources for name in TRAIT.findall(blanked(it.read_text()))}
    count = 0
    for folder in folders or FOLDERS:
        for path in rust_files(folder):
            for line, function, parameter, problem in faults(path, own_traits):
                count += 1
                print(f"{path}:{line}: {function}: `{parameter}` {problem}", file=sys.stderr)
    if count:
        print("use a struct, separate parameters or an enum instead", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
