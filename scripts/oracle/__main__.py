"""Checks `ddpatrol scan --history-only` against an oracle that shares no code with it.

The oracle reads every object of the repository through `git cat-file`, searches each separately
with its own detector, and determines introductions and removals of tokens from diffs of trees.
Compares every (token, object, offset), every introducing and removing commit with its path, the
tokens in HEAD, the reachable commits, and lines and columns.

  scripts/oracle.sh REPO                      the repository as it is
  scripts/oracle.sh REPO --plant 100          a copy, with 100 tokens planted (shares objects)
  scripts/oracle.sh REPO --plant 100 --plant-full    a full copy, repacked into one pack
  scripts/oracle.sh REPO --incomplete         allow missing objects and incomplete reports
  scripts/oracle.sh REPO --oracle-only        counts of the oracle alone, no scan
  scripts/oracle.sh --self-test               the oracle against brute force, no scan

REPO is never written. Tokens stay in memory, except in the planted copy. Exit codes: 0: no
difference; 1: differences; 2: failure.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import compare, git, history, naive, plant


def arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="oracle.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repo", type=Path, metavar="REPO", help="a repository, bare or not")
    parser.add_argument(
        "--plant", type=int, default=0, metavar="N", help="plant N tokens in a copy"
    )
    parser.add_argument("--plant-full", action="store_true", help="the copy shares no objects")
    parser.add_argument("--seed", type=int, default=1, help="seed of the planted tokens (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the copy in FOLDER")
    parser.add_argument("--oracle-only", action="store_true", help="do not run ddpatrol")
    parser.add_argument("--ddpatrol", type=Path, metavar="PATH", help="the program to check")
    parser.add_argument(
        "--incomplete", action="store_true", help="the report may say that it is incomplete"
    )
    options = parser.parse_args(args)
    if options.plant_full and not options.plant:
        parser.error("--plant-full needs --plant N")
    return options


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Prints a step and its duration."""
    begin = time.monotonic()
    yield
    print(f"{time.monotonic() - begin:8.1f} s  {name}", file=sys.stderr, flush=True)


def consult(repo: Path) -> compare.Oracle:
    """Runs the oracle on a repository."""
    with step("look at every object"):
        seen = naive.search(repo)
    with step("trace the history"):
        traced = history.trace(repo, seen)
    return compare.Oracle(repo, seen, traced, naive.in_refs(repo))


def summary(oracle: compare.Oracle) -> str:
    """Summarizes the results of the oracle."""
    seen, traced = oracle.seen, oracle.history
    kinds = {kind: len(seen.tokens(kind)) for kind in ("blob", "tree", "commit", "tag")}
    where = ", ".join(f"{count} in a {kind}" for kind, count in kinds.items())
    return (
        f"objects: {seen.objects}, bytes: {seen.size}, commits: {len(seen.commits)}, "
        f"parents cut off: {traced.cut}\n"
        f"tokens: {len(seen.tokens() | oracle.refs)} ({where}, {len(oracle.refs)} in a ref), "
        f"in objects at offsets: {len(seen.held)}\n"
        f"introductions: {len(traced.introduced)}, removals: {len(traced.removed)}, "
        f"in blobs of no commit: {len(traced.lone)}, in HEAD: {len(traced.in_head)}, "
        f"reachable commits: {len(traced.reachable)}"
    )


def check(options: argparse.Namespace, folder: Path) -> int:
    """Plants tokens, runs the oracle and the scanner, and compares the results."""
    repo: Path = options.repo.resolve()
    planted: list[plant.Planted] = []
    if options.plant:
        with step("copy"):
            repo = plant.copy(repo, folder, shared=not options.plant_full)
        with step(f"plant {options.plant} tokens"):
            planted = plant.plant(repo, options.plant, options.seed, full=options.plant_full)
    oracle = consult(repo)
    print(summary(oracle), flush=True)
    known = oracle.seen.tokens() | oracle.refs
    found = [
        compare.Difference("planted, but not seen by the oracle", "missing", (one.token, one.way))
        for one in planted
        if one.token not in known
    ]
    if not options.oracle_only:
        with step("scan"):
            report = compare.report_of(options.ddpatrol.resolve(), repo)
        with step("compare"):
            if not options.incomplete:
                found += compare.complete(report)
            found += compare.differences(oracle, report)
        known |= {token for token, _ in compare.proven(report)}
        print(f"proven findings: {sum(1 for _ in compare.proven(report))}")
    compare.write(found, known)
    print(f"differences: {len(found)}" if found else "no difference")
    return 1 if found else 0


def main() -> int:
    """Runs the program."""
    options = arguments()
    if not options.oracle_only and options.ddpatrol is None:
        print("error: --ddpatrol PATH or --oracle-only is needed", file=sys.stderr)
        return 2
    try:
        with contextlib.ExitStack() as stack:
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                folder = options.keep.resolve()
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oracle-")))
            return check(options, folder)
    except git.GitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, KeyError, TypeError) as error:
        # A report of another structure fails here.
        print(f"error: {type(error).__name__} {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
