"""The hooks as the real pre-commit runs them, from a clone of this repository.

The variable DDPATROL is the path of the built program. Tokens are minted from a seed by independent code.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402


class Project:
    """A repository whose commits run pre-commit."""

    def __init__(self, folder, program, hooks):
        self.folder = folder / "project"
        self.folder.mkdir()
        tools = folder / "bin"
        tools.mkdir()
        (tools / "ddpatrol").symlink_to(program)
        self.environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PRE_COMMIT_HOME": str(folder / "cache"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "CARGO_HOME": os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo")),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")),
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{who}_NAME"] = "Ada"
            self.environment[f"GIT_{who}_EMAIL"] = "ada@example.org"
        self.must("git", "init", "-q", "-b", "main")
        self.write("file", "clean\n")
        self.must("git", "add", "-A")
        self.must("git", "commit", "-q", "-m", "first")
        self.hooks = hooks

    def run(self, *command, **variables):
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
        )

    def must(self, *command):
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def stage(self, name, text):
        self.write(name, text)
        self.must("git", "add", "--", name)

    def install(self):
        """Installs the hooks as a user would: a configuration, and `pre-commit install`."""
        revision = self.hooks_revision()
        ids = ["ddpatrol-system", "ddpatrol-push-system", "ddpatrol-message-system"]
        lines = "".join(f"      - id: {name}\n" for name in ids)
        self.stage(
            ".pre-commit-config.yaml",
            f"repos:\n  - repo: file://{self.hooks}\n    rev: {revision}\n    hooks:\n{lines}",
        )
        self.must("git", "commit", "-q", "-m", "hooks")
        stages = ("pre-commit", "pre-merge-commit", "commit-msg", "pre-push")
        self.must("pre-commit", "install", *(word for it in stages for word in ("-t", it)))

    def hooks_revision(self):
        command = ["git", "-C", str(self.hooks), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def hooks(tmp_path_factory):
    """A clone of this repository, including uncommitted changes."""
    folder = tmp_path_factory.mktemp("hooks") / "ddpatrol"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    for name in filter(None, files):
        source, target = ROOT / os.fsdecode(name), folder / os.fsdecode(name)
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(
        ["git", *identity, "commit", "-q", "--allow-empty", "-m", "as it is"], cwd=folder, check=True
    )
    return folder


@pytest.fixture(scope="session")
def program():
    path = pathlib.Path(os.environ.get("DDPATROL", ROOT / "target" / "debug" / "ddpatrol"))
    assert path.is_file(), f"{path} is not built"
    return path.resolve()


@pytest.fixture
def project(tmp_path, program, hooks):
    made = Project(tmp_path, program, hooks)
    made.install()
    return made


def blocked(done, place, seed):
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    assert place in output and token(seed)[:29] in output, output
    assert token(seed)[30:] not in output
    return output


def test_a_staged_token_blocks_the_commit_until_it_is_removed(project):
    project.stage("file", token(1))
    output = blocked(project.run("git", "commit", "-m", "leak"), "file:1:1  datadog-pat", 1)
    assert "git reset -- :/file" in output and "revoke" not in output
    project.stage("file", "clean again\n")
    project.must("git", "commit", "-m", "clean")


def test_staged_content_is_scanned_not_the_work_tree(project):
    project.stage("file", "edited\n")
    project.write("file", token(1))
    project.must("git", "commit", "-m", "clean")
    blocked(project.run("git", "commit", "-a", "-m", "leak"), "file:1:1  datadog-pat", 1)
    blocked(project.run("git", "commit", "file", "-m", "leak"), "file:1:1  datadog-pat", 1)


def test_a_token_in_the_message_blocks_the_commit(project):
    project.stage("file", "edited\n")
    blocked(project.run("git", "commit", "-m", f"subject\n\n{token(2)}"), "COMMIT_EDITMSG:3:1", 2)
    project.must("git", "commit", "-m", "subject")


def test_amended_commits_and_linked_work_trees_are_scanned(project):
    project.stage("file", token(1))
    blocked(project.run("git", "commit", "--amend", "-m", "leak"), "file:1:1  datadog-pat", 1)
    project.must("git", "reset", "-q", "--hard")
    project.must("git", "worktree", "add", "-q", "../linked")
    (project.folder.parent / "linked" / "file").write_text(token(2))
    done = project.run("git", "-C", "../linked", "commit", "-a", "-m", "leak")
    blocked(done, "file:1:1  datadog-pat", 2)


def test_a_merge_passes_unless_it_adds_a_token(project):
    project.must("git", "checkout", "-q", "-b", "side")
    project.stage("other", token(3))
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    project.must("git", "checkout", "-q", "main")
    project.stage("file", "edited\n")
    project.must("git", "commit", "-q", "-m", "main goes on")
    project.must("git", "merge", "--no-edit", "side")
    project.must("git", "reset", "-q", "--hard", "HEAD~1")
    project.must("git", "merge", "--no-edit", "--no-commit", "side")
    project.stage("file", token(4))
    output = blocked(project.run("git", "commit", "--no-edit"), "file:1:1  datadog-pat", 4)
    assert "other" not in output and "a merge is in progress" in output


def test_a_push_with_a_token_is_blocked_and_a_clean_one_passes(project):
    project.must("git", "init", "-q", "--bare", "../server.git")
    project.must("git", "remote", "add", "origin", "../server.git")
    project.must("git", "push", "-q", "origin", "main")
    project.stage("file", token(4))
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    project.stage("file", "removed\n")
    project.must("git", "commit", "-q", "--no-verify", "-m", "removed")
    blocked(project.run("git", "push", "origin", "main"), "file:1:1  datadog-pat", 4)
    blocked(project.run("git", "push", "origin", "main:topic"), "file:1:1  datadog-pat", 4)
    project.must("git", "reset", "-q", "--hard", "HEAD~2")
    project.stage("file", "clean\n\n")
    project.must("git", "commit", "-q", "-m", "clean")
    project.must("git", "push", "-q", "origin", "main")


def test_unpushed_tokens_of_other_branches_are_listed_and_pass(project):
    project.must("git", "init", "-q", "--bare", "../server.git")
    project.must("git", "remote", "add", "origin", "../server.git")
    project.must("git", "push", "-q", "origin", "main")
    # pre-commit shows the output of a hook that passes only if it is verbose.
    text = (project.folder / ".pre-commit-config.yaml").read_text()
    push = "      - id: ddpatrol-push-system\n"
    assert push in text
    project.write(".pre-commit-config.yaml", text.replace(push, push + "        verbose: true\n"))
    project.must("git", "checkout", "-q", "-b", "aaa")
    project.must("git", "commit", "-q", "-a", "-m", "verbose")
    project.must("git", "checkout", "-q", "-b", "zzz")
    project.stage("file", token(5))
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    done = project.run("git", "push", "-q", "origin", "aaa", "zzz")
    output = done.stdout + done.stderr
    assert done.returncode == 0 and "also unpushed" in output and token(5)[:29] in output, output
    assert token(5)[30:] not in output
    done = project.run("git", "push", "-q", "--dry-run", "origin", "aaa:refs/heads/x")
    assert done.returncode == 0 and "also unpushed" not in done.stdout + done.stderr
    project.must("git", "init", "-q", "--bare", "../public.git")
    project.must("git", "remote", "add", "public", "../public.git")
    blocked(project.run("git", "push", "-q", "public", "zzz"), "file:1:1  datadog-pat", 5)


def test_the_first_push_of_a_root_commit_is_scanned(project):
    project.must("git", "init", "-q", "--bare", "../server.git")
    project.must("git", "remote", "add", "origin", "../server.git")
    project.stage("file", token(5))
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    blocked(project.run("git", "push", "origin", "main"), "file:1:1  datadog-pat", 5)


def places(done):
    """Returns the locations of proven tokens in the output of a run."""
    lines = (done.stdout + done.stderr).splitlines()
    return [line.split("  datadog-pat ")[0].strip() for line in lines if "  datadog-pat " in line]


def test_all_files_finds_a_committed_token(project):
    project.stage("leak", token(7))
    project.stage("--fail-on=never", "a file name is not an option\n")
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    blocked(project.run("pre-commit", "run", "--all-files"), "leak:1:1  datadog-pat", 7)
    blocked(project.run("pre-commit", "run", "--files", "leak"), "leak:1:1  datadog-pat", 7)
    project.must("pre-commit", "run", "--files", "file")
    project.must("git", "rm", "-q", "leak")
    project.must("git", "commit", "-q", "-m", "a commit that only deletes")
    project.must("pre-commit", "run", "--all-files")


def test_files_and_exclude_of_the_pre_commit_configuration_apply(project):
    configuration = project.folder / ".pre-commit-config.yaml"
    text = configuration.read_text()
    excluding = text.replace("- id: ddpatrol-system", "- id: ddpatrol-system\n        exclude: ^fixtures/")
    project.stage(".pre-commit-config.yaml", excluding)
    (project.folder / "fixtures").mkdir()
    project.stage("fixtures/token", token(8))
    project.must("git", "commit", "-q", "-m", "a fixture")
    project.stage("fixtures/token", token(9))
    project.stage("file", "edited\n")
    project.must("git", "commit", "-q", "-m", "another fixture")
    project.must("pre-commit", "run", "--all-files")


def test_a_range_is_scanned_commit_by_commit(project):
    project.must("git", "checkout", "-q", "-b", "topic")
    project.stage("file", token(10))
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    project.stage("file", "removed\n")
    project.stage("other", "clean\n")
    project.must("git", "commit", "-q", "-m", "removed")
    done = project.run("pre-commit", "run", "--from-ref", "main", "--to-ref", "HEAD")
    blocked(done, "file:1:1  datadog-pat", 10)
    project.must("pre-commit", "run", "--from-ref", "HEAD~1", "--to-ref", "HEAD")


def test_renames_links_and_empty_commits_pass_and_link_targets_are_scanned(project):
    project.must("git", "mv", "file", "renamed")
    project.must("git", "commit", "-q", "-m", "a rename")
    project.must("git", "commit", "-q", "--allow-empty", "-m", "empty")
    (project.folder / "link").symlink_to("renamed")
    project.must("git", "add", "-A")
    project.must("git", "commit", "-q", "-m", "a link")
    (project.folder / "leak").symlink_to(token(11))
    project.must("git", "add", "-A")
    blocked(project.run("git", "commit", "-m", "leak"), "leak:1:1  datadog-pat", 11)


def test_many_files_are_scanned_once_each(project):
    """pre-commit splits long lists over several invocations."""
    for number in range(3000):
        folder = project.folder / f"a-folder-with-a-rather-long-name-{number % 50}"
        folder.mkdir(exist_ok=True)
        (folder / f"a-file-with-a-rather-long-name-{number}").write_text(f"{number}\n")
    project.write("leak", token(12))
    project.must("git", "add", "-A")
    done = project.run("git", "commit", "-q", "-m", "leak")
    blocked(done, "leak:1:1  datadog-pat", 12)
    assert places(done) == ["leak:1:1"], done.stdout
    project.must("git", "commit", "-q", "--no-verify", "-m", "leak")
    assert places(project.run("pre-commit", "run", "--all-files")) == ["leak:1:1"]


def test_a_push_that_passes_shows_the_summary(project):
    project.must("git", "init", "-q", "--bare", "../server.git")
    project.must("git", "remote", "add", "origin", "../server.git")
    done = project.run("git", "push", "origin", "main")
    assert done.returncode == 0, done.stderr
    assert "ddpatrol-push-system" in done.stdout + done.stderr
    assert "No proven tokens" in done.stdout + done.stderr


@pytest.fixture
def plain(tmp_path, program, hooks):
    """A project that uses pre-commit without ddpatrol."""
    made = Project(tmp_path, program, hooks)
    made.stage(".pre-commit-config.yaml", "repos: []\n")
    made.must("git", "commit", "-q", "-m", "configuration")
    return made


def test_a_hook_moved_by_pre_commit_still_runs_and_is_uninstalled(plain):
    own = plain.folder / ".git" / "hooks" / "pre-commit"
    own.write_text('#!/bin/sh\nbasename "$0" >> .git/ran\n')
    own.chmod(0o755)
    plain.must("ddpatrol", "hook", "install")
    plain.must("pre-commit", "install")
    plain.stage("file", token(13))
    blocked(plain.run("git", "commit", "-m", "leak"), "file:1:1  datadog-pat", 13)
    assert (plain.folder / ".git" / "ran").read_text() == "pre-commit\n"
    output = plain.must("ddpatrol", "hook", "status")
    assert f"2. ddpatrol staged, from {own}.legacy\n" in output, output
    assert f"3. the hooks of pre-commit, from {plain.folder}/.pre-commit-config.yaml\n" in output
    plain.must("ddpatrol", "hook", "install")
    output = plain.must("ddpatrol", "hook", "uninstall")
    assert "pre-commit.legacy" in output
    plain.must("git", "commit", "-q", "-m", "ddpatrol is gone")
    plain.must("pre-commit", "uninstall")
    assert "basename" in own.read_text(), "the first hook is back"


def test_the_pre_commit_hook_is_unchanged_and_the_printed_lines_work(plain):
    plain.must("pre-commit", "install")
    path = plain.folder / ".git" / "hooks" / "pre-commit"
    text = path.read_text()
    done = plain.run("ddpatrol", "hook", "install")
    assert done.returncode == 2 and "managed by pre-commit" in done.stderr, done.stderr
    assert path.read_text() == text
    start, *lines = done.stdout.splitlines()
    command = start.split("`")[1]
    assert lines[0].endswith("/ddpatrol/ddpatrol") and lines[1].startswith("    rev: v"), lines
    lines[0] = f"  - repo: file://{plain.hooks}"
    lines[1] = f"    rev: {plain.hooks_revision()}"
    plain.stage(".pre-commit-config.yaml", "\n".join(["repos:", *lines, ""]))
    plain.must("git", "commit", "-q", "-m", "ddpatrol")
    plain.must(*command.split())
    plain.stage("file", token(14))
    blocked(plain.run("git", "commit", "-m", "leak"), "file:1:1  datadog-pat", 14)
    plain.must("git", "reset", "-q", "--hard")
    done = plain.run("git", "commit", "--allow-empty", "-m", token(15))
    blocked(done, "COMMIT_EDITMSG:1:1  datadog-pat", 15)
    done = plain.run("ddpatrol", "hook", "uninstall")
    assert "ddpatrol still runs as pre-commit" in done.stderr, done.stderr


def test_pre_commit_is_installed_together_with_global_hooks(plain):
    output = plain.must("ddpatrol", "hook", "install", "--global")
    assert "`pre-commit install` fails" in output
    assert plain.run("pre-commit", "install").returncode != 0
    plain.must("env", "GIT_CONFIG_GLOBAL=/dev/null", "pre-commit", "install")
    plain.stage("file", "edited\n")
    (plain.folder / ".pre-commit-config.yaml").write_text(
        "repos: [{repo: local, hooks: [{id: x, name: x, entry: touch .git/ran, language: system}]}]"
    )
    plain.must("git", "add", "-A")
    plain.must("git", "commit", "-q", "-m", "clean")
    assert (plain.folder / ".git" / "ran").exists()
    plain.stage("file", token(16))
    blocked(plain.run("git", "commit", "-m", "leak"), "file:1:1  datadog-pat", 16)


def test_try_repo_builds_and_runs_the_program(tmp_path, program, hooks):
    """pre-commit builds the program itself, with a fast profile."""
    assert shutil.which("ddpatrol") is None, "an installed program would run instead"
    project = Project(tmp_path, program, hooks)
    project.stage("file", token(6))
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    done = project.run(
        "pre-commit",
        "try-repo",
        str(hooks),
        "ddpatrol",
        "--verbose",
        CARGO_TARGET_DIR=os.path.join(target, "pre-commit"),
        CARGO_PROFILE_RELEASE_LTO="off",
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS="16",
        CARGO_PROFILE_RELEASE_OPT_LEVEL="1",
        PATH=os.environ["PATH"],
    )
    blocked(done, "file:1:1  datadog-pat", 6)
