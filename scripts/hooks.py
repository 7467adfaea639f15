#!/usr/bin/env python3
"""Measures how long ddpatrol's hooks hold up a commit in a repository of many files.

    scripts/hooks.py [--files 10000] [--rounds 40] [--ddpatrol PROGRAM]

Commits with and without the installed hooks alternate in one repository; the difference of their
medians is what the hooks cost. One commit with a token must be stopped, or nothing is measured.
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

from mint import token

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Repository:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ada@example.org" for who in ("AUTHOR", "COMMITTER")},
        }

    def git(self, *arguments, check=True):
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=check,
        )

    def commit(self, name, text, *options):
        """Commits one changed file and returns the seconds that `git commit` takes."""
        (self.folder / name).write_text(text)
        self.git("add", name)
        start = time.perf_counter()
        self.git(*options, "commit", "-q", "-m", "change")
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--ddpatrol", default=str(ROOT / "target" / "release" / "ddpatrol"))
    options = parser.parse_args()
    program = pathlib.Path(options.ddpatrol).resolve()
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(pathlib.Path(folder))
        repository.git("init", "-q")
        source = random.Random(1)
        names = []
        for number in range(options.files):
            name = f"d{number % 97}/e{number % 11}/f{number}.txt"
            path = repository.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"line {source.random()}\n" for _ in range(40)))
            names.append(name)
        repository.git("add", "-A")
        repository.git("commit", "-q", "-m", "first")
        subprocess.run(
            [program, "hook", "install"],
            cwd=folder,
            env=repository.environment,
            check=True,
            capture_output=True,
        )
        (repository.folder / names[0]).write_text(token(1))
        repository.git("add", names[0])
        stopped = repository.git("commit", "-q", "-m", "leak", check=False)
        assert stopped.returncode != 0 and b": proven" in stopped.stderr, stopped
        repository.git("reset", "-q", "--hard")
        times = {"with": [], "without": []}
        for number in range(options.rounds):
            name = names[number % len(names)]
            times["with"].append(repository.commit(name, f"with {number}\n"))
            off = ("-c", "core.hooksPath=/dev/null")
            times["without"].append(repository.commit(name, f"without {number}\n", *off))
        medians = {kind: 1000 * statistics.median(list_) for kind, list_ in times.items()}
        print(f"{options.files} files, {options.rounds} commits each, medians in ms of wall time:")
        print(f"  git commit without hooks       {medians['without']:6.1f}")
        print(f"  with pre-commit and commit-msg {medians['with']:6.1f}")
        print(f"  held up by                     {medians['with'] - medians['without']:6.1f}")


main()
