"""Repeats all measurements of the records on one machine, and prints one table: see bench.sh.

Each measurement is made by the program that makes it alone: bench.py, hooks.py, load.sh, and the benchmarks
of cargo. A measurement whose tools are missing (ripgrep, wrk) is named and skipped. Ratios are of runs in turn.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bench
import hooks
from bench import Row

ROOT = Path(__file__).resolve().parents[1]


def output(command: list[str]) -> str:
    """Runs a command, prints its output while it runs, and returns it."""
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        sys.exit(f"error: {' '.join(command)} ended with {process.returncode}")
    return "".join(lines)


def commands(tree: Path | None) -> list[Row]:
    """Measures the memory of a file of 4 GB, and a file tree and the start compared with ripgrep."""
    if tree is None or not shutil.which("rg"):
        print("skipped: files and start need --tree FOLDER, and rg on the PATH", flush=True)
        return []
    text = output(["cargo", "bench", "--bench", "commands", "--", str(tree)])
    rows = []
    if large := re.search(r"a file of 4 GB: peak memory ([\d.]+ MB), ([\d.]+) CPU s", text):
        rows.append(Row("a file of 4 GB", f"{large[2]} s, {large[1]}", "", None))
    for title, ours, theirs, ratio in re.findall(
        r"^(.+): CPU ([\d.]+) s, ripgrep ([\d.]+) s, ratio ([\d.]+)$", text, re.MULTILINE
    ):
        measured, yardstick = (f"{float(time) * 1e3:.1f} ms" for time in (ours, theirs))
        rows.append(Row(title, measured, f"ripgrep {yardstick}", float(ratio)))
    return rows


def detector() -> list[Row]:
    """Measures the detector in memory; the ratio is its throughput as a share of memmem's."""
    text = output(["cargo", "bench", "--bench", "detector"])
    line = re.compile(
        r"^  (.+?) +([\d.]+) GB/s median, +[\d.]+ best, ([\d.]+) of the first$", re.MULTILINE
    )
    return [
        Row(f"in memory: {name}", f"{rate} GB/s", "memmem", float(share))
        for name, rate, share in line.findall(text)
        if share != "1.00"
    ]


def hook_times(program: Path) -> list[Row]:
    """Measures hooks, beside 10,000 files and 10,000 references."""
    options = argparse.Namespace(files=10_000, references=10_000, rounds=15, ddpatrol=program)
    medians = hooks.measure(options)
    pairs = [
        ("with pre-commit and commit-msg", "git commit without hooks"),
        ("with pre-push", "git push without hooks"),
        ("with pre-receive", "git push without hooks"),
        ("range of a new tag on main~5", "git rev-list main~5 --not --remotes"),
    ]
    return [
        Row(
            f"{name}, wall time",
            f"{medians[name]:.1f} ms",
            f"{other} {medians[other]:.1f} ms",
            medians[name] / medians[other],
        )
        for name, other in pairs
    ]


def service() -> list[Row]:
    """Measures a check in the service; the ratio is that of a check to an empty handler."""
    if not shutil.which("wrk"):
        print("skipped: a check in the service needs wrk", flush=True)
        return []
    text = output([str(ROOT / "scripts" / "load.sh"), "--seconds", "3", "--rounds", "3"])
    rows = re.findall(r"^\| (SQLite|PostgreSQL) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    return [
        Row(
            f"a check in the service, {name}",
            f"{check} µs",
            f"empty handler {empty} µs",
            float(check) / float(empty),
        )
        for name, empty, check in rows
    ]


def main() -> None:
    """Runs all measurements, and prints the table."""
    parser = argparse.ArgumentParser(prog="bench.sh --all")
    parser.add_argument("program", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("repositories", metavar="REPO", type=Path, nargs="+")
    parser.add_argument("--tree", type=Path, help="a folder of source files, for ripgrep")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    program = options.program.resolve()
    rows = []
    for repo in options.repositories:
        rows += bench.measure(program, repo.resolve(), options.rounds)
    rows += commands(options.tree)
    rows += hook_times(program)
    rows += detector()
    rows += service()
    print(f"\n{os.cpu_count()} processors; CPU time unless stated otherwise; medians\n")
    print("| work | measured | compared with | ratio |\n|---|---|---|---|")
    for work, measured, yardstick, ratio in rows:
        print(f"| {work} | {measured} | {yardstick} | {'' if ratio is None else f'{ratio:.3f}'} |")


if __name__ == "__main__":
    main()
