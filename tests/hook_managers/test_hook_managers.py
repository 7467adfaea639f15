"""`ddpatrol hook` together with the real husky, lefthook and simple-git-hooks.

The variable DDPATROL is the path of the built program, DDPATROL_TEST_NODE the folder of the tools. Tokens
are minted from a seed by independent code.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402


class Project:
    """A repository of a Node.js project, with the tools in node_modules."""

    def __init__(self, folder, program, node):
        self.folder = folder / "project"
        self.folder.mkdir()
        tools = folder / "bin"
        tools.mkdir()
        (tools / "ddpatrol").symlink_to(program)
        self.environment = {
            "PATH": f"{tools}:{node / 'node_modules' / '.bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{who}_NAME"] = "Ada"
            self.environment[f"GIT_{who}_EMAIL"] = "ada@example.org"
        self.must("git", "init", "-q", "-b", "main")
        (self.folder / "node_modules").symlink_to(node / "node_modules")
        self.package = {"name": "project", "version": "1.0.0"}
        self.write("package.json", json.dumps(self.package))
        self.write(".gitignore", "node_modules\n/ran\n")
        self.write("file", "clean\n")
        self.must("git", "add", "-A")
        self.must("git", "commit", "-q", "-m", "first")

    def run(self, *command, at=".", **variables):
        return subprocess.run(
            command,
            cwd=self.folder / at,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
        )

    def must(self, *command, **how):
        done = self.run(*command, **how)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name):
        return (self.folder / name).read_text()

    def commits(self, *arguments):
        """Tries to commit all changes and returns the jobs that ran: each job writes a line."""
        (self.folder / "ran").unlink(missing_ok=True)
        self.must("git", "add", "-A")
        done = self.run("git", "commit", "--allow-empty", *(arguments or ("-m", "change")))
        ran = self.read("ran").split() if (self.folder / "ran").exists() else []
        return done, ran

    def leak(self, seed, name="file"):
        """Commits a token, which must be blocked; returns the jobs that ran."""
        self.write(name, token(seed))
        done, ran = self.commits()
        output = done.stdout + done.stderr
        assert done.returncode != 0, output
        assert f"{name}:1:1  datadog-pat" in output and token(seed)[30:] not in output, output
        self.must("git", "reset", "-q", "--hard")
        return ran

    def commit_passes(self, *arguments):
        """Commits, which must succeed; returns the jobs that ran."""
        done, ran = self.commits(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return ran


@pytest.fixture
def project(tmp_path):
    program = pathlib.Path(os.environ.get("DDPATROL", ROOT / "target" / "debug" / "ddpatrol"))
    assert program.is_file(), f"{program} is not built"
    return Project(tmp_path, program.resolve(), pathlib.Path(os.environ["DDPATROL_TEST_NODE"]))


@pytest.fixture
def husky(project):
    project.must("husky", "init")
    project.write(".husky/pre-commit", "echo husky >> ran\nexit ${HUSKY_EXIT:-0}\n")
    project.must("git", "add", "-A")
    project.must("git", "commit", "-q", "-m", "husky")
    return project


def test_husky_and_ddpatrol_both_run_even_after_npm_install(husky):
    done = husky.must("ddpatrol", "hook", "install")
    assert "warning" not in done
    husky.must("npm", "run", "prepare")
    assert husky.commit_passes() == ["husky"]
    done = husky.run("git", "commit", "--allow-empty", "-m", "x", HUSKY_EXIT="1")
    assert done.returncode != 0
    assert husky.leak(1) == []
    done, _ = husky.commits("-m", token(2))
    assert done.returncode != 0 and "COMMIT_EDITMSG:1:1  datadog-pat" in done.stderr
    husky.must("git", "commit", "-q", "--allow-empty", "-m", "x", HUSKY="0")


def test_husky_scripts_are_restored_by_uninstalling(husky):
    scripts = {
        "pre-commit": b"#!/usr/bin/env sh\r\necho husky >> ran\r\n",
        "commit-msg": b"#!/bin/sh",
        "pre-push": b"echo pushed >> ran\nwhile read -r line; do echo line >> ran; done",
    }
    for name, text in scripts.items():
        (husky.folder / ".husky" / name).write_bytes(text)
    hooks = ("--pre-commit", "--commit-msg", "--pre-push", "--pre-merge-commit")
    for _ in range(2):
        husky.must("ddpatrol", "hook", "install", *hooks)
    assert (husky.folder / ".husky" / "commit-msg").read_bytes().count(b"ddpatrol commit-msg") == 1
    husky.must("ddpatrol", "hook", "uninstall")
    for name, text in scripts.items():
        assert (husky.folder / ".husky" / name).read_bytes() == text
    assert sorted(it.name for it in (husky.folder / ".husky").iterdir()) == ["_", *sorted(scripts)]
    husky.write("file", token(3))
    husky.commit_passes()


def test_the_push_script_of_husky_gets_the_input_of_git(husky):
    husky.write(".husky/pre-push", "while read -r line; do echo $line | wc -w >> ran; done\n")
    husky.must("ddpatrol", "hook", "install", "--pre-push")
    husky.must("git", "init", "-q", "--bare", "../server.git")
    (husky.folder / "ran").unlink()
    husky.must("git", "push", "-q", "../server.git", "main", "main:other")
    assert husky.read("ran").split() == ["4", "4"]
    husky.write("file", token(4))
    husky.must("git", "commit", "-q", "--no-verify", "-a", "-m", "leak")
    done = husky.run("git", "push", "-q", "../server.git", "main")
    assert done.returncode != 0 and "file:1:1  datadog-pat" in done.stdout, done.stdout


def test_a_merge_and_a_linked_work_tree_are_judged_with_husky(husky):
    husky.must("ddpatrol", "hook", "install")
    husky.must("git", "add", "-A")
    husky.must("git", "commit", "-q", "-m", "hooks")
    husky.must("git", "checkout", "-q", "-b", "side")
    husky.write("other", token(5))
    husky.must("git", "add", "-A")
    husky.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    husky.must("git", "checkout", "-q", "main")
    husky.must("git", "commit", "-q", "--allow-empty", "-m", "main")
    # Tokens of the other side are not new; a token added during the merge is.
    husky.must("git", "merge", "-q", "--no-commit", "side")
    husky.write("added", token(7))
    husky.must("git", "add", "-A")
    done = husky.run("git", "commit", "--no-edit")
    assert done.returncode != 0 and "added:1:1  datadog-pat" in done.stderr, done.stderr
    assert "other:1:1" not in done.stderr, done.stderr
    husky.must("git", "rm", "-q", "-f", "added")
    husky.must("git", "commit", "-q", "--no-edit")
    # husky's own files are not committed: `npm install` creates them in each work tree.
    husky.must("git", "worktree", "add", "-q", "../linked")
    husky.must("husky", at="../linked")
    (husky.folder.parent / "linked" / "file").write_text(token(6))
    done = husky.run("git", "commit", "-a", "-m", "leak", at="../linked")
    assert done.returncode != 0 and "file:1:1  datadog-pat" in done.stderr, done.stderr


def test_status_shows_the_husky_script(husky):
    husky.must("ddpatrol", "hook", "install", "--pre-commit")
    output = husky.must("ddpatrol", "hook", "status")
    script = husky.folder / ".husky" / "pre-commit"
    assert f"1. ddpatrol staged, from {script}\n  2. {script}\n" in output, output


def printed(done, start):
    """Returns the configuration lines printed by a rejected installation."""
    lines = done.stdout.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith(f"Add to {start}"))
    return "\n".join(lines[at + 1 :]) + "\n"


def test_the_lefthook_hook_is_unchanged_and_the_printed_lines_work(project):
    jobs = "  jobs:\n    - run: echo lefthook >> ran\n"
    project.write("lefthook.yml", f"pre-commit:\n{jobs}")
    # A configuration alone does not make lefthook the manager.
    project.must("ddpatrol", "hook", "install")
    project.must("ddpatrol", "hook", "uninstall")
    project.must("lefthook", "install")
    hook = project.read(".git/hooks/pre-commit")
    every = ("--pre-commit", "--pre-merge-commit", "--commit-msg", "--pre-push")
    done = project.run("ddpatrol", "hook", "install", *every)
    assert done.returncode == 2 and "managed by lefthook" in done.stderr, done.stderr
    assert project.read(".git/hooks/pre-commit") == hook
    assert not (project.folder / ".git" / "hooks" / "commit-msg").exists()
    lines = printed(done, "lefthook.yml, then run `lefthook install`:")
    lines = lines.replace("pre-commit:\n  jobs:\n", f"pre-commit:\n{jobs}")
    project.write("lefthook.yml", lines)
    project.must("lefthook", "install")
    assert project.commit_passes() == ["lefthook"]
    project.leak(7)
    done, _ = project.commits("-m", token(8))
    assert done.returncode != 0 and "COMMIT_EDITMSG:1:1  datadog-pat" in done.stdout + done.stderr
    output = project.must("ddpatrol", "hook", "status")
    assert f"the hooks of lefthook, from {project.folder / 'lefthook.yml'}, which mentions" in output
    project.must("git", "init", "-q", "--bare", "../server.git")
    project.must("git", "push", "-q", "../server.git", "main")
    project.write("file", token(9))
    project.must("git", "commit", "-q", "--no-verify", "-a", "-m", "leak")
    done = project.run("git", "push", "-q", "../server.git", "main")
    assert done.returncode != 0 and "file:1:1  datadog-pat" in done.stdout + done.stderr
    done = project.run("ddpatrol", "hook", "uninstall")
    assert "ddpatrol still runs as pre-commit" in done.stderr, done.stderr


def test_a_hook_moved_by_lefthook_is_uninstalled(project):
    project.must("ddpatrol", "hook", "install", "--pre-commit")
    project.write("lefthook.yml", "pre-commit:\n  jobs:\n    - run: echo lefthook >> ran\n")
    project.must("lefthook", "install", "--force")
    assert (project.folder / ".git/hooks/pre-commit.old").exists()
    output = project.must("ddpatrol", "hook", "uninstall")
    assert "pre-commit.old" in output
    assert project.commit_passes() == ["lefthook"]
    project.must("lefthook", "uninstall")
    project.write("file", token(10))
    assert project.commit_passes() == []


def test_the_simple_git_hooks_hook_is_unchanged_and_the_printed_lines_work(project):
    project.package["simple-git-hooks"] = {"pre-commit": "echo simple >> ran"}
    project.write("package.json", json.dumps(project.package))
    project.must("simple-git-hooks")
    hook = project.read(".git/hooks/pre-commit")
    done = project.run("ddpatrol", "hook", "install")
    assert done.returncode == 2 and "managed by simple-git-hooks" in done.stderr, done.stderr
    assert project.read(".git/hooks/pre-commit") == hook
    lines = json.loads("{" + printed(done, "package.json, then run `npx simple-git-hooks`:") + "}")
    commands = lines["simple-git-hooks"]
    commands["pre-commit"] += " && echo simple >> ran"
    project.write("package.json", json.dumps({**project.package, "simple-git-hooks": commands}))
    project.must("simple-git-hooks")
    assert project.commit_passes() == ["simple"]
    assert project.leak(11) == []
    done, _ = project.commits("-m", token(12))
    assert done.returncode != 0 and "COMMIT_EDITMSG:1:1  datadog-pat" in done.stderr
    output = project.must("ddpatrol", "hook", "status")
    assert re.search("1. the hooks of simple-git-hooks, from .*/pre-commit, which mentions ddpatrol", output)


def test_install_warns_that_simple_git_hooks_removes_other_hooks(project):
    project.package["simple-git-hooks"] = {"pre-push": "true"}
    project.write("package.json", json.dumps(project.package))
    project.must("simple-git-hooks")
    output = project.must("ddpatrol", "hook", "install", "--pre-commit")
    assert "warning: simple-git-hooks removes hooks" in output
    project.leak(13)
