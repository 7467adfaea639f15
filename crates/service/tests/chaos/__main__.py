"""Command line of the chaos run: see scripts/chaos.sh."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import unittest
from pathlib import Path

from .report import markdown
from .run import Run
from .schedule import KINDS
from .system import DATABASES


def parse():
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="scripts/chaos.sh", description="Chaos run of ddpatrold.")
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="time of all databases together (default 2)"
    )
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--seed", type=int, default=1, help="seed of the schedule (default 1)")
    parser.add_argument(
        "--only", action="append", metavar="FAULT", choices=KINDS["PostgreSQL"], default=[],
        help="kind of fault to inject, repeatable (default: all): " + ", ".join(KINDS["PostgreSQL"]),
    )
    parser.add_argument("--ddpatrold", help="program to run (default: the debug build)")
    parser.add_argument("--summary", type=Path, help="file for the report, Markdown")
    parser.add_argument("--self-test", action="store_true", help="test the checks themselves")
    return parser.parse_args()


def self_test():
    """Runs the tests of the checks."""
    folder = Path(__file__).parent
    suite = unittest.defaultTestLoader.discover(str(folder), "test_*.py", str(folder.parent))
    return 0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1


def log(text):
    """Writes a line of progress."""
    print(text, file=sys.stderr, flush=True)


def main():
    """Runs the databases one after the other, prints the report and returns the exit status."""
    options = parse()
    if options.self_test:
        return self_test()
    if os.geteuid() != 0:
        raise SystemExit("error: cannot mount a tmpfs: not root; use scripts/chaos.sh, which calls sudo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = list(DATABASES) if options.database == "both" else [options.database]
    each = argparse.Namespace(**vars(options))
    each.minutes = options.minutes / len(names)
    folder = Path(tempfile.mkdtemp(prefix="ddpatrol-chaos-"))
    folder.chmod(0o755)
    runs = []
    for name in names:
        runs.append(Run(name, each, folder, log))
        runs[-1].run()
    report = markdown(runs, options)
    print(report, end="")
    if options.summary:
        options.summary.write_text(report)
    failed = any(run.system.violations.counts for run in runs)
    if failed:
        log(f"logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
