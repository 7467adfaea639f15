#!/usr/bin/env python3
"""Fails if Rust modules of a crate import each other in a cycle.

    scripts/module-cycles.py [--list] [CRATE_SOURCE_FOLDER...]

Reads `use` declarations, paths such as `super::name` and `child::name`, and paths in serde attributes
as text, follows re-exports to the file that defines a name, and reports every strongly connected
component of two or more files. Ignores test modules. `--list` prints every import between files.
"""

import re
import sys
from pathlib import Path

FOLDERS = ["src", *sorted(str(path) for path in Path("crates").glob("*/src"))]
PATH = re.compile(r"(?<![\w:.])([a-z_]\w*(?:::\w+)+)")
ATTRIBUTE = re.compile(r'(?:with|serialize_with|deserialize_with|default)\s*=\s*"([a-z_]\w*(?:::\w+)*)"')


def without_tests_and_comments(text):
    """Drops comments, visibilities, string literals and everything from the first test module on."""
    # A string may contain `//`, and a comment a quotation mark.
    tokens = r"""("(?:\\.|[^"\\])*")|'(?:\\.|[^\\'\n])'|//[^\n]*"""
    text = re.sub(tokens, lambda match: match.group(1) or "", text)
    text = re.sub(r"pub\(in [^)]*\)", "pub", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    start = re.search(r"#\[cfg\(test\)\]\s*mod \w+ \{", text)
    return text[: start.start()] if start else text


def leaves(tree):
    """Expands `a::{b, c::{self, d as e}}` to (path, name it is bound to) pairs."""
    tree = tree.strip()
    opening = tree.find("{")
    if opening < 0:
        path, _, alias = tree.partition(" as ")
        parts = path.strip().split("::")
        if parts[-1] == "self":
            parts.pop()
        yield parts, alias.strip() or (parts[-1] if parts else "")
        return
    head = [part for part in tree[:opening].split("::") if part.strip()]
    depth, start = 0, opening + 1
    for at in range(opening, len(tree)):
        depth += {"{": 1, "}": -1}.get(tree[at], 0)
        if (tree[at] == "," and depth == 1) or depth == 0:
            item = tree[start:at].strip()
            start = at + 1
            for path, name in leaves(item) if item else ():
                yield head + path, name or head[-1]
            if depth == 0:
                return


class Crate:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.files = {}
        self.text = {}
        self.uses = {}
        for path in sorted(self.folder.rglob("*.rs")):
            inside = path.relative_to(self.folder)
            if "tests" in inside.parts or inside.stem == "tests":
                continue
            parts = list(inside.with_suffix("").parts)
            if parts[-1] in ("mod", "lib"):
                parts.pop()
            module = tuple(parts)
            self.files[module] = path
            self.text[module] = without_tests_and_comments(path.read_text())
        for module, text in self.text.items():
            found = re.findall(r"\b((?:pub(?:\([^)]*\))?\s+)?)use\s+([^;]+);", text)
            self.uses[module] = [
                (bool(public), path, name)
                for public, tree in found
                for path, name in leaves(" ".join(tree.split()))
            ]

    def absolute(self, module, path):
        """Resolves the start of a path; `None` for other crates."""
        here, rest = list(module), list(path)
        if rest[0] == "crate":
            return rest[1:]
        if rest[0] == "self":
            return here + rest[1:]
        if rest[0] == "super":
            while rest and rest[0] == "super":
                if not here:
                    return None
                here.pop()
                rest.pop(0)
            return here + rest
        if (*module, rest[0]) in self.files:
            return here + rest
        return None

    def definer(self, absolute, seen=()):
        """Returns the module whose file defines the item of an absolute path."""
        for length in range(len(absolute), -1, -1):
            module = tuple(absolute[:length])
            if module not in self.files:
                continue
            if length == len(absolute):
                return module
            name = absolute[length]
            for _, path, bound in self.uses[module]:
                target = bound == name and self.absolute(module, path)
                if target and tuple(target) not in seen:
                    return self.definer(target + absolute[length + 1 :], (*seen, tuple(target)))
            return module
        return None

    def arrows(self):
        """Maps each module to the modules that it imports, with the importing paths."""
        arrows = {}
        for module, text in self.text.items():
            imported = arrows.setdefault(module, {})
            without_uses = re.sub(r"\buse\s+[^;]+;", "", text)
            # A re-export alone does not depend on the file that it names.
            paths = [path for public, path, _ in self.uses[module] if not public]
            paths += [path.split("::") for path in PATH.findall(without_uses)]
            paths += [path.split("::") for path in ATTRIBUTE.findall(self.files[module].read_text())]
            for path in paths:
                absolute = self.absolute(module, path)
                target = self.definer(absolute) if absolute else None
                if target is not None and target != module and target != ():
                    imported.setdefault(target, set()).add("::".join(path))
        return arrows


def components(arrows):
    """Returns the strongly connected components with more than one member (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in arrows.get(node, {}):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in arrows:
        if node not in index:
            visit(node)
    return found


def main(arguments):
    sys.setrecursionlimit(10_000)
    show = "--list" in arguments
    folders = [argument for argument in arguments if argument != "--list"] or FOLDERS
    circles = 0
    for folder in folders:
        crate = Crate(folder)
        arrows = crate.arrows()
        if show:
            for module, imported in arrows.items():
                for target, paths in imported.items():
                    print(crate.files[module], "->", crate.files[target], *sorted(paths))
        for component in components(arrows):
            circles += 1
            print(f"{folder}: {len(component)} files import each other in a circle:", file=sys.stderr)
            for module in component:
                for target, paths in arrows[module].items():
                    if target in component:
                        names = ", ".join(sorted(paths))
                        print(f"  {crate.files[module]} -> {crate.files[target]}: {names}", file=sys.stderr)
    if circles:
        print("break each cycle: move the shared items to a file that both sides import", file=sys.stderr)
    return 1 if circles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
