"""Compares the speed of `ddpatrol` and git on a repository: see bench.sh.

The result of every command is checked before its time counts: the number of tokens found equals the number
planted.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from oracle import git, plant

Command = Sequence[str | Path]


class Row(NamedTuple):
    """One line of the table of `bench.sh --all`."""

    work: str
    measured: str
    yardstick: str
    ratio: float | None


class Run(NamedTuple):
    """One run of a command: seconds, and bytes of anonymous memory."""

    cpu: float
    wall: float
    memory: int


def anonymous(pid: int, stop: threading.Event, peak: list[int]) -> None:
    """Records the peak of the anonymous memory of a process."""
    while not stop.wait(0.01):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                peak[0] = max(peak[0], int(line.split()[1]) * 1024)


def run(command: Command, code: Sequence[int] = (0,), cwd: Path | None = None) -> Run:
    """Runs a command and discards its output."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=git.environment(),
    ) as process:
        stop, peak = threading.Event(), [0]
        watch = threading.Thread(target=anonymous, args=(process.pid, stop, peak))
        watch.start()
        _, errors = process.communicate()
        wall = time.monotonic() - begin
        stop.set()
        watch.join()
    if process.returncode not in code:
        sys.exit(f"error: {command} ended with {process.returncode}: {errors.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Run(cpu, wall, peak[0])


def rounds(commands: dict[str, tuple[Command, Sequence[int]]], count: int, cwd: Path) -> dict[str, Run]:
    """Runs all commands in turn and returns the median of each; the first round warms the caches."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(count + 1):
        for name, (command, code) in commands.items():
            done = run(command, code, cwd)
            if number:
                runs[name].append(done)
    return {
        name: Run(*(statistics.median(values) for values in zip(*list_, strict=True)))
        for name, list_ in runs.items()
    }


def label_of(repo: Path) -> str:
    """Returns the last two parts of the path of a repository."""
    return "/".join(repo.parts[-2:])


def found(program: Path, repo: Path) -> int:
    """Returns how many tokens a scan of a repository's history proves."""
    command = [program, "scan", repo, "--history-only", "--report", "json", "--fail-on", "never"]
    done = subprocess.run(command, capture_output=True, check=False)
    return int(json.loads(done.stdout)["summary"]["proven"])


def history(program: Path, repo: Path, folder: Path, count: int) -> list[Row]:
    """Compares full histories, without and with findings, with git."""
    base = found(program, repo)
    planted = {}
    for tokens in (1, 1000):
        home = folder / f"planted-{tokens}"
        home.mkdir()
        target = plant.copy(repo, home, shared=True)
        plant.plant(target, tokens, 1, full=False)
        if found(program, target) != base + tokens:
            sys.exit(f"error: {tokens} tokens were planted, {found(program, target) - base} found")
        planted[tokens] = target
    scan = [program, "scan", "--history-only", "--fail-on", "never", "--report", "json"]
    any_code = (0, 2)
    state = folder / "state"
    run([*scan, "--state", state, repo], any_code)

    def cat_file(target: Path) -> tuple[Command, Sequence[int]]:
        command = ["git", "-c", "safe.directory=*", "-C", target, "cat-file"]
        return [*command, "--batch-all-objects", "--unordered", "--batch"], (0,)

    medians = rounds(
        {
            "git cat-file": cat_file(repo),
            "git cat-file, 1,000 planted": cat_file(planted[1000]),
            "history": ([*scan, "--threads", "2", repo], any_code),
            "history, one worker": ([*scan, "--threads", "1", repo], any_code),
            "history with 1 finding": ([*scan, "--threads", "2", planted[1]], any_code),
            "history with 1,000 findings": ([*scan, "--threads", "2", planted[1000]], any_code),
            "history, nothing new": ([*scan, "--state", state, repo], any_code),
        },
        count,
        folder,
    )
    ours = ", ".join(git.line(repo, "count-objects", "-v").splitlines())
    print(f"{repo.name}: {ours}; {base} tokens in it")
    for name, done in medians.items():
        yardstick = medians["git cat-file, 1,000 planted" if "1,000" in name else "git cat-file"]
        print(
            f"{name:30} CPU {done.cpu:7.3f} s ({done.cpu / yardstick.cpu:5.3f} of git's)"
            f"  wall {done.wall:7.3f} s ({done.wall / yardstick.wall:5.3f})"
            f"  {done.memory / 1e6:6.1f} MB"
        )
    two, one = medians["history"], medians["history, one worker"]
    print(f"two workers to one: CPU {two.cpu / one.cpu:.2f}, wall {two.wall / one.wall:.2f}")

    label = label_of(repo)

    def row(name: str, other: str) -> Row:
        ours, theirs = medians[name], medians[other]
        return Row(
            f"{label}: {name}",
            f"{ours.cpu:.3f} s, {ours.memory / 1e6:.0f} MB",
            f"{other} {theirs.cpu:.3f} s",
            ours.cpu / theirs.cpu,
        )

    return [
        row("history", "git cat-file"),
        row("history with 1,000 findings", "git cat-file, 1,000 planted"),
        row("history, nothing new", "git cat-file"),
        row("history", "history, one worker"),
        Row(
            f"{label}: history, wall time",
            f"{two.wall:.3f} s",
            f"one worker {one.wall:.3f} s",
            two.wall / one.wall,
        ),
    ]


def changes(program: Path, repo: Path, folder: Path, count: int) -> list[Row]:
    """Measures a range of ten commits, and staged content compared with git."""
    head = git.line(repo, "rev-parse", "HEAD")
    range_ = [program, "range", f"{head}~10..{head}", "--repo", repo]
    tree = folder / "staged"
    tree.mkdir()
    for number in range(10_000):
        path = tree / f"folder-{number % 200}" / f"file-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"some text of file {number}\n" * 20)
    git.run(tree, "init", "-q")
    git.run(tree, "add", ".")
    git.run(tree, "-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qm", "all")
    for number in range(20):
        (tree / f"folder-{number}" / f"file-{number}").write_text("changed\n" * 50)
    git.run(tree, "add", ".")
    medians = rounds(
        {
            "range of ten commits": (range_, (0, 1)),
            "git diff --cached --quiet": (["git", "diff", "--cached", "--quiet"], (1,)),
            "staged": ([program, "staged"], (0,)),
        },
        count * 10,
        tree,
    )
    for name, done in medians.items():
        print(f"{name:30} CPU {done.cpu * 1e3:7.1f} ms  wall {done.wall * 1e3:7.1f} ms")
    ten, diff, staged = medians.values()
    return [
        Row(f"{label_of(repo)}: range of ten commits", f"{ten.cpu * 1e3:.1f} ms", "", None),
        Row(
            "20 staged files of 10,000",
            f"{staged.cpu * 1e3:.1f} ms",
            f"git diff --cached {diff.cpu * 1e3:.1f} ms",
            staged.cpu / diff.cpu,
        ),
    ]


def measure(program: Path, repo: Path, count: int) -> list[Row]:
    """Runs all measurements on one repository."""
    print(f"{os.cpu_count()} processors, medians of {count} rounds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        return [
            *history(program, repo, Path(folder), count),
            *changes(program, repo, Path(folder), count),
        ]


def main() -> None:
    """Runs all measurements."""
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    measure(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), count)


if __name__ == "__main__":
    main()
