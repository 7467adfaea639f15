"""Generates repositories and measures sweeps of them; the record is in benches/record.

    python3 benches/sweep.py FOLDER COUNT --ddpatrol FILE --ddpatrol-sweep FILE [--kingfisher FILE] [--sample COUNT]
      [--cache-size SIZE] [--real BARE_REPOSITORY]...

60 % of the repositories have up to 200 commits, 30 % up to 5,000, 10 % are copies of `--real` repositories (without
any, of the largest generated one). Every 50th has a token. Prints wall time and CPU seconds of the first sweep, of a
second one without changes, of a third one after a commit in 1 % of the repositories, of `ddpatrol scan` and of
Kingfisher in a loop over the first --sample repositories, and of `ddpatrol scan` in a loop over all of them; for sweeps
also the peak memory of the sweep process, without its children. Needs git and Linux.
"""

import argparse
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))

from mint import token  # noqa: E402


LINES = re.compile(".{16}")


def history(source, commits):
    """Returns a stream for git fast-import: small files that change."""
    out = []
    for number in range(commits):
        body = "\n".join(LINES.findall(source.randbytes(8 * source.randrange(5, 60)).hex())) + "\n"
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


def create(path, at):
    """Creates one repository, the same for the same number."""
    source = random.Random(at)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    commits = source.randrange(1, 200) if at % 10 < 6 else source.randrange(200, 5000)
    stream = history(source, commits)
    command = ["git", "-c", "pack.compression=1", "-C", path, "fast-import", "--quiet"]
    subprocess.run(command, input=stream, text=True, check=True)
    if at % 50 == 0:
        leak(path, at)


def generate(folder, count, real):
    """Creates the repositories, and returns their paths."""
    paths = [folder / f"r{at:05}.git" for at in range(count)]
    copies = [at for at in range(count) if at % 10 == 9]
    with multiprocessing.Pool(4) as pool:
        new = [(path, at) for at, path in enumerate(paths) if at % 10 != 9 and not path.exists()]
        pool.starmap(create, new, chunksize=10)
    for at in copies:
        if not paths[at].exists():
            original = real[at // 10 % len(real)] if real else paths[8]
            subprocess.run(["cp", "-al", original, paths[at]], check=True)
    return paths


def memory(process):
    """Returns the peak memory of a running process, in kB."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    return max((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), default=0)


def measure(name, line, input=""):
    """Runs a command, and prints its times and its peak memory."""
    before, start, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.time(), 0
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as errors:
        given.write(input)
        given.seek(0)
        process = subprocess.Popen(line, stdin=given, stdout=subprocess.DEVNULL, stderr=errors)
        while process.poll() is None:
            peak = max(peak, memory(process))
            time.sleep(0.05)
        errors.seek(0)
        last = (errors.read().strip().splitlines() or [""])[-1]
    wall, after = time.time() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU, {peak / 1024:.0f} MB; exit code {process.returncode}; {last}",
        flush=True,
    )


def loops(found, paths):
    """Measures scanners in a shell loop."""
    os.environ |= {"DDPATROL": found.ddpatrol, "KINGFISHER": found.kingfisher or ""}
    scan = '"$DDPATROL" scan --history-only --quiet --json -o /dev/null "$it"'
    other = '"$KINGFISHER" scan --no-validate --git-history=full --no-update-check --format json -o /dev/null "$it"'
    sample = paths[: found.sample]
    cases = [("ddpatrol scan", scan, sample), ("Kingfisher", other, sample), ("ddpatrol scan", scan, paths)]
    for name, command, chosen in cases:
        if name != "Kingfisher" or found.kingfisher:
            line = ["sh", "-c", f"for it; do {command} >/dev/null 2>&1; done", "sh", *chosen]
            measure(f"shell loop of {name} over {len(chosen)} repositories", line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--ddpatrol", required=True)
    parser.add_argument("--ddpatrol-sweep", required=True)
    parser.add_argument("--kingfisher")
    parser.add_argument("--cache-size")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--real", type=pathlib.Path, action="append", default=[])
    found = parser.parse_args()
    repositories = found.folder / "repositories"
    repositories.mkdir(parents=True, exist_ok=True)
    paths = generate(repositories, found.count, found.real)
    urls = "".join(f"{it.resolve()}\n" for it in paths)
    for name in ("store", "cache"):
        shutil.rmtree(found.folder / name, ignore_errors=True)
    line = [found.ddpatrol_sweep, "run", "--scanner", found.ddpatrol, "--store", found.folder / "store"]
    line += ["--cache-size", found.cache_size] if found.cache_size else []
    line += ["--cache", found.folder / "cache", "--quiet", "--sweep"]
    measure("first sweep", [*line, "a"], urls)
    measure("second sweep, nothing changed", [*line, "b"], urls)
    for at in range(0, found.count, 100):
        if at % 10 != 9:
            leak(paths[at], 1_000_000 + at)
    measure("third sweep, 1 % changed", [*line, "c"], urls)
    loops(found, [str(it) for it in paths])
    objects = 0
    for it in paths:
        text = subprocess.run(["git", "-C", it, "count-objects", "-v"], text=True, capture_output=True).stdout
        counts = dict(row.split(": ") for row in text.splitlines())
        objects += int(counts["count"]) + int(counts["in-pack"])
    print(f"{found.count} repositories, {objects} objects")


if __name__ == "__main__":
    main()
