"""Generates repositories and measures sweeps of them; the record is in benches/record.

    python3 benches/sweep.py FOLDER COUNT --ddpatrol FILE --ddpatrol-sweep FILE [--real BARE_REPOSITORY]...

60 % of the repositories have up to 200 commits, 30 % up to 5,000, 10 % are copies of `--real` repositories (without
any, of the largest generated one). Every 50th has a token. Prints wall time and CPU seconds of the first sweep, of a
second one without changes, of a third one after a commit in 1 % of the repositories, and of `ddpatrol scan` in a
loop over the same mirrors. Needs git.
"""

import argparse
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))

from mint import token  # noqa: E402


def history(source, commits):
    """Returns a stream for git fast-import: small files that change."""
    out = []
    for number in range(commits):
        body = "".join(f"{source.getrandbits(64):x}\n" for _ in range(source.randrange(5, 60)))
        path = f"src/module{source.randrange(40)}/file{source.randrange(30)}.py"
        text = f"change {number}"
        out.append(
            f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_600_000_000 + number * 600} +0000\n"
            f"data {len(text)}\n{text}\nM 100644 inline {path}\ndata {len(body)}\n{body}\n"
        )
    return "".join(out)


def leak(folder, seed):
    """Commits a token."""
    line = f"KEY={token(seed)}\n"
    stream = (
        "commit refs/heads/main\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata 4\nleak\n"
        f"from refs/heads/main^0\nM 100644 inline leak{seed}.env\ndata {len(line)}\n{line}\n"
    )
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input=stream, text=True, check=True)


def generate(folder, count, real):
    """Creates the repositories, and returns their paths."""
    source = random.Random(24)
    paths = []
    for at in range(count):
        path = folder / f"r{at:05}.git"
        paths.append(path)
        if path.exists():
            continue
        share = at % 10
        if share == 9 and (real or at > 10):
            original = real[at // 10 % len(real)] if real else paths[8]
            subprocess.run(["cp", "-al", original, path], check=True)
            continue
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
        commits = source.randrange(1, 200) if share < 6 else source.randrange(200, 5000)
        stream = history(source, commits)
        subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream, text=True, check=True)
        if at % 50 == 0:
            leak(path, at)
    return paths


def measure(name, line, input=None):
    """Runs a command, and prints its times."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run(line, input=input, text=True, capture_output=True)
    wall, after = time.time() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    last = (done.stderr.strip().splitlines() or [""])[-1]
    print(f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU; exit code {done.returncode}; {last}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--ddpatrol", required=True)
    parser.add_argument("--ddpatrol-sweep", required=True)
    parser.add_argument("--real", type=pathlib.Path, action="append", default=[])
    found = parser.parse_args()
    repositories = found.folder / "repositories"
    repositories.mkdir(parents=True, exist_ok=True)
    paths = generate(repositories, found.count, found.real)
    urls = "".join(f"{it.resolve()}\n" for it in paths)
    for name in ("store", "cache"):
        shutil.rmtree(found.folder / name, ignore_errors=True)
    line = [found.ddpatrol_sweep, "run", "--scanner", found.ddpatrol, "--store", found.folder / "store"]
    line += ["--cache", found.folder / "cache", "--quiet", "--sweep"]
    measure("first sweep", [*line, "a"], urls)
    measure("second sweep, nothing changed", [*line, "b"], urls)
    for at in range(0, found.count, 100):
        if at % 10 != 9:
            leak(paths[at], 1_000_000 + at)
    measure("third sweep, 1 % changed", [*line, "c"], urls)
    mirrors = sorted((found.folder / "cache").glob("*/*.git"))
    loop = 'for it; do "$DDPATROL" scan --history-only --quiet --json -o /dev/null "$it" >/dev/null 2>&1; done'
    os.environ["DDPATROL"] = found.ddpatrol
    measure("shell loop of ddpatrol scan over the mirrors", ["sh", "-c", loop, "sh", *mirrors])
    objects = 0
    for it in paths:
        text = subprocess.run(["git", "-C", it, "count-objects", "-v"], text=True, capture_output=True).stdout
        counts = dict(row.split(": ") for row in text.splitlines())
        objects += int(counts["count"]) + int(counts["in-pack"])
    print(f"{found.count} repositories, {objects} objects")


if __name__ == "__main__":
    main()
