"""Runs git so that it reads only the object store.

No replace refs, no grafts, no lazy fetch, no configuration of the user, no check of the owner.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


class GitError(Exception):
    """A git command failed; contains the command and its output."""


def environment() -> dict[str, str]:
    """Returns the environment of all git commands."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    return env


def command(repo: Path, args: Sequence[str]) -> list[str]:
    """Returns the command line of git in `repo`."""
    settings = ("safe.directory=*", "gc.auto=0", "advice.graftFileDeprecated=false")
    options = [part for setting in settings for part in ("-c", setting)]
    return ["git", *options, "-C", str(repo), *args]


def spawn(repo: Path, *args: str) -> subprocess.Popen[bytes]:
    """Starts git with pipes to its input and from its output."""
    return subprocess.Popen(
        command(repo, args),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        bufsize=1 << 20,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Waits for a spawned git and raises an exception if it failed."""
    if process.stdout:
        process.stdout.close()
    args = process.args if isinstance(process.args, list) else []
    if process.wait() != 0:
        raise GitError(f"{' '.join(map(str, args))}: exit {process.returncode}")


def run(repo: Path, *args: str, stdin: bytes = b"", may_fail: bool = False) -> bytes:
    """Runs git and returns its output."""
    done = subprocess.run(
        command(repo, args), input=stdin, capture_output=True, env=environment(), check=False
    )
    if done.returncode != 0 and not may_fail:
        message = done.stderr.decode(errors="backslashreplace").strip()
        raise GitError(f"git {' '.join(args)}: exit {done.returncode}: {message[:2000]}")
    return done.stdout


def line(repo: Path, *args: str) -> str:
    """Runs git and returns its output as one line of text, or an empty string if it fails."""
    return run(repo, *args, may_fail=True).decode(errors="surrogateescape").strip()


class Reader:
    """Reads single objects through one `git cat-file --batch`."""

    def __init__(self, repo: Path) -> None:
        """Starts the process."""
        self._process = spawn(repo, "cat-file", "--batch")

    def read(self, name: str) -> bytes:
        """Returns the content of an object."""
        process = self._process
        assert process.stdin and process.stdout
        process.stdin.write(name.encode() + b"\n")
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) != 3:
            raise GitError(f"cat-file: no object {name}")
        return process.stdout.read(int(head[2]) + 1)[:-1]

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        finish(self._process)
