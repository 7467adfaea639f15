"""Runs the commands of reports unchanged; afterwards the token is gone.

The variable DDPATROL is the path of the built program. Tokens are minted
from a seed by independent code.
"""

import io
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402


class World:
    """A repository on a server and a clone of it, in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_EDITOR": "true",
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{who}_NAME"] = "Ada"
            self.environment[f"GIT_{who}_EMAIL"] = "ada@example.org"
        self.must("git", "init", "-q", "--bare", "-b", "main", str(folder / "server.git"), at=folder)
        self.must("git", "clone", "-q", str(folder / "server.git"), "in/work", at=folder)
        self.work = folder / "in/work"

    def run(self, *command, at=None):
        at = at or self.work
        return subprocess.run(command, cwd=at, env=self.environment, capture_output=True, text=True)

    def must(self, *command, at=None):
        done = self.run(*command, at=at)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def commit(self, files, message="a change"):
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.must("git", "add", "-A")
        self.must("git", "commit", "-q", "--allow-empty", "-m", message)

    def push(self):
        self.must("git", "push", "-q", "origin", "--all")
        self.must("git", "push", "-q", "origin", "--tags")

    def report(self, *arguments, at=None):
        done = self.run(os.environ["DDPATROL"], *arguments, "--report", "json", at=at)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def clean(self, report, at=None):
        """Runs the commands of the `clean` step of each finding."""
        for finding in report["findings"]:
            (step,) = (step for step in finding["steps"] if step["aim"] == "clean")
            self.must("sh", "-euxc", "\n".join(step["commands"]), at=at)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def packed(text):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inner.env", "x\n" * 400 + text)
    return archive.getvalue()


@pytest.mark.parametrize("has_commit", [True, False])
@pytest.mark.parametrize("run_at", ["where it was scanned", "below", "the top"])
@pytest.mark.parametrize("where", ["the top", "below", "elsewhere"])
def test_a_staged_token_is_unstaged(world, has_commit, where, run_at):
    if has_commit:
        world.commit({"a": "x\n"})
    secret = token(4)
    names = ("b c/d.env", "it's", "!f", "^g", "_h", "-i", "(j)", ":k", "l*m", "[n]", "o?p", "q\\r", "é", ".env", "s!/t")
    (world.work / "lXm").write_text("no wildcard matches it\n")
    for name in names:
        path = world.work / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"KEY={secret}\n")
    (world.work / "e.zip").write_bytes(packed(secret))
    world.must("git", "add", "-A")
    places = {"the top": world.work, "below": world.work / "b c", "elsewhere": world.folder}
    at = places[where]
    arguments = ["staged"] + (["--repo", str(world.work)] if where == "elsewhere" else [])
    report = world.report(*arguments, at=at)
    assert len(report["findings"]) == 1
    world.clean(report, at=places.get(run_at, at))
    assert world.report(*arguments, at=at)["findings"] == []
    assert world.must("git", "diff", "--cached", "--name-only") == "lXm\n"


@pytest.mark.parametrize("is_first", [True, False])
def test_the_commit_of_a_range_is_opened_for_editing(world, is_first):
    if not is_first:
        world.commit({"a": "x\n"})
    world.commit({"b": f"KEY={token(5)}\n"}, "the leak")
    world.commit({"c": "x\n"}, "later")
    report = world.report("range", "HEAD~1" if is_first else "HEAD~2..HEAD")
    assert len(report["findings"]) == 1
    world.environment["GIT_SEQUENCE_EDITOR"] = "sed -i '/the leak/s/^pick/edit/'"
    world.clean(report)
    assert world.must("git", "log", "-1", "--format=%s") == "the leak\n", "the rebase stops at the commit"


def test_the_command_printed_by_a_hook_works_in_the_current_folder(world):
    world.commit({"a": "x\n"})
    world.must(os.environ["DDPATROL"], "hook", "install")
    folder = world.work / "sub"
    folder.mkdir()
    (folder / "f").write_text(f"KEY={token(7)}\n")
    world.must("git", "add", "f", at=folder)
    refused = world.run("git", "commit", "-m", "x", at=folder)
    assert refused.returncode != 0
    (command,) = (it[it.index("git reset") :] for it in refused.stderr.splitlines() if "git reset" in it)
    world.must("sh", "-euc", command, at=folder)
    assert world.must("git", "diff", "--cached", "--name-only") == ""


def test_a_branch_name_with_a_token_is_renamed(world):
    world.commit({"a": "x\n"})
    world.must("git", "branch", token(6))
    report = world.report("scan")
    assert len(report["findings"]) == 1
    world.clean(report)
    # The reflog of the branch keeps the old name until the entry expires.
    places = [place for finding in world.report("scan")["findings"] for place in finding["locations"]]
    assert all(place["path"].startswith(".git/logs/") for place in places)
    branches = world.must("git", "branch", "--format=%(refname)")
    assert len(branches.split()) == 2 and token(6) not in branches
