#!/usr/bin/env python3
"""Measures how much time ddpatrol's hooks add to commits and pushes.

    scripts/hooks.py [--files 10000] [--references 10000] [--rounds 40] [--ddpatrol PROGRAM]

Commits run in a repository of many files, pushes between two repositories of many references, each
at a commit of its own. Runs with and without the hooks alternate; the difference of their medians is
the cost of the hooks. First checks that a commit and a push with a token are rejected.
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

    def git(self, *arguments, check=True, **options):
        return self.run("git", *arguments, check=check, **options)

    def run(self, *command, check=True, **options):
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=check,
            **options,
        )

    def commit(self, name, text, *options):
        """Commits one changed file and returns the seconds that `git commit` takes."""
        (self.folder / name).write_text(text)
        self.git("add", name)
        return self.time("git", *options, "commit", "-q", "-m", "change")

    def time(self, *command):
        """Returns the seconds that a command takes."""
        start = time.perf_counter()
        self.run(*command)
        return time.perf_counter() - start


def print_medians(times, baseline):
    """Prints the medians in ms, and returns them by name."""
    medians = {name: 1000 * statistics.median(list_) for name, list_ in times.items()}
    for name, median in medians.items():
        added = "" if name == baseline else f"  adds {median - medians[baseline]:6.1f}"
        print(f"  {name:<32} {median:6.1f}{added}")
    return medians


def measure_commits(options, program, folder):
    repository = Repository(folder)
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
    repository.run(program, "hook", "install")
    (repository.folder / names[0]).write_text(token(1))
    repository.git("add", names[0])
    stopped = repository.git("commit", "-q", "-m", "leak", check=False)
    assert stopped.returncode != 0 and b"  datadog-pat " in stopped.stderr, stopped
    repository.git("reset", "-q", "--hard")
    times = {"git commit without hooks": [], "with pre-commit and commit-msg": []}
    without, with_hooks = times.values()
    for number in range(options.rounds):
        name = names[number % len(names)]
        with_hooks.append(repository.commit(name, f"with {number}\n"))
        off = ("-c", "core.hooksPath=/dev/null")
        without.append(repository.commit(name, f"without {number}\n", *off))
    print(f"{options.files} files, {options.rounds} commits each, medians in ms of wall time:")
    return print_medians(times, "git commit without hooks")


def import_branches(repository, count, prefix):
    """Makes branches, each with a commit of its own on top of main."""
    stream = "".join(
        f"commit {prefix}{number}\ncommitter A <a@example.org> {1600000000 + number} +0000\n"
        "data 1\nc\nfrom refs/heads/main^0\n"
        for number in range(count)
    )
    repository.git("fast-import", "--quiet", input=stream.encode())
    repository.git("pack-refs", "--all")


def measure_pushes(options, program, folder):
    (folder / "local").mkdir(parents=True)
    (folder / "server").mkdir()
    local, server = Repository(folder / "local"), Repository(folder / "server")
    server.git("init", "-q", "--bare", "-b", "main")
    local.git("init", "-q", "-b", "main")
    local.git("remote", "add", "origin", "../server")
    for number in range(20):
        local.commit("file", f"{number}\n")
    local.git("push", "-q", "origin", "main")
    import_branches(server, options.references, "refs/heads/b")
    local.git("fetch", "-q", "origin")
    local.git("pack-refs", "--all")
    local.run(program, "hook", "install", "--pre-push")
    server.run(program, "hook", "install", "--pre-receive")
    off = ("config", "core.hooksPath", "/dev/null")
    on = ("config", "--unset", "core.hooksPath")
    local.commit("file", token(1))
    stopped = local.git("push", "-q", "origin", "main", check=False)
    assert stopped.returncode != 0 and b"  datadog-pat " in stopped.stdout, stopped
    stopped = local.git("push", "-q", "--no-verify", "origin", "main", check=False)
    assert stopped.returncode != 0 and b"  datadog-pat " in stopped.stderr, stopped
    local.git("reset", "-q", "--hard", "HEAD~1")
    times = {"git push without hooks": [], "with pre-push": [], "with pre-receive": []}
    for number in range(options.rounds):
        for name, list_ in times.items():
            server.git(*(on if name == "with pre-receive" else off), check=False)
            local.commit("file", f"{name} {number}\n")
            verify = () if name == "with pre-push" else ("--no-verify",)
            list_.append(local.time("git", "push", "-q", *verify, "origin", "HEAD:refs/heads/topic"))
    count = options.references
    print(f"{count} references, {options.rounds} pushes each, medians in ms of wall time:")
    medians = print_medians(times, "git push without hooks")
    zeros = "0" * 40
    times = {"git rev-list main~5 --not --remotes": [], "range of a new tag on main~5": []}
    for _ in range(options.rounds):
        lists = iter(times.values())
        walk = ("git", "rev-list", "main~5", "--not", "--remotes")
        next(lists).append(local.time(*walk))
        next(lists).append(local.time(program, "range", f"{zeros}..main~5"))
    return medians | print_medians(times, "git rev-list main~5 --not --remotes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--ddpatrol", default=str(ROOT / "target" / "release" / "ddpatrol"))
    options = parser.parse_args()
    measure(options)


def measure(options):
    """Measures commits and pushes. Returns the medians of the wall time in ms, by name."""
    program = pathlib.Path(options.ddpatrol).resolve()
    with tempfile.TemporaryDirectory() as folder:
        commits = measure_commits(options, program, pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        return commits | measure_pushes(options, program, pathlib.Path(folder))


if __name__ == "__main__":
    main()
