"""Packages built from the programs, and environments without Rust in which they are installed.

DDPATROL, DDPATROL_SWEEP and DDPATROLD are the paths of the built debug programs.
"""

import functools
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402


def must(*command, **options):
    """Runs a command that must succeed, and returns its standard output."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


# The programs that scripts of git run.
GIT = ["sh", "git", "basename", "cat", "dirname", "sed", "tr", "uname"]


class Machine:
    """A machine whose PATH has only git and the named programs: no Rust, no compiler."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        for name in programs:
            self.add(name, shutil.which(name))
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "npm_config_", "UV_"))}
        self.environment = {
            **kept,
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{who}_NAME"] = "Ada"
            self.environment[f"GIT_{who}_EMAIL"] = "ada@example.org"
        assert self.run("sh", "-c", "command -v cargo rustc cc").returncode != 0

    def add(self, name, path):
        """Puts a program into PATH."""
        assert path, f"{name} is not installed"
        # A script finds its own folder through its path, so it is called, not linked.
        (self.bin / name).write_text(f'#!/bin/sh\nexec "{path}" "$@"\n')
        (self.bin / name).chmod(0o755)

    def run(self, *command, **options):
        environment = {**self.environment, **options.pop("env", {})}
        command = [shutil.which(command[0], path=environment["PATH"]) or command[0], *command[1:]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, **options)

    def must(self, *command, **options):
        done = self.run(*command, **options)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def repository(self):
        """Creates a repository whose history contains a token."""
        folder = self.folder / "repository"
        folder.mkdir()
        self.must("git", "init", "-q", "-b", "main", cwd=folder)
        (folder / "leaked.env").write_text(f"KEY={token(1)}\n")
        self.must("git", "add", "-A", cwd=folder)
        self.must("git", "commit", "-q", "-m", "leak", cwd=folder)
        return folder


def assert_found(done):
    """Asserts that a scan found the planted token and did not print it."""
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "leaked.env" in output and token(1)[:29] in output, output
    assert token(1)[30:] not in output


def assert_sweeps(made, *ddpatrol):
    """Asserts that `ddpatrol sweep` scans a repository and reports its token."""
    repository = made.folder / "repository"
    if not repository.exists():
        made.repository()
    store = str(made.folder / "store")
    done = made.run(*ddpatrol, "sweep", "run", "--store", store, input=f"{repository}\n")
    assert done.returncode == 0 and "1 of 1 repository completely scanned" in done.stderr, done.stderr
    report = made.must(*ddpatrol, "sweep", "report", "--store", store, "--format", "csv")
    assert "leaked.env" in report and token(1)[:29] in report and token(1)[30:] not in report, report


@pytest.fixture
def machine(tmp_path):
    """Creates a machine with git, a POSIX shell and the named programs."""
    return lambda *programs: Machine(tmp_path, [*GIT, *programs])


@pytest.fixture(scope="session")
def programs():
    """The built programs."""
    names = ("ddpatrol", "ddpatrol-sweep", "ddpatrold")
    paths = {name: pathlib.Path(os.environ[name.upper().replace("-", "_")]) for name in names}
    for path in paths.values():
        assert path.is_file(), f"{path} is not built"
    return paths


@pytest.fixture(scope="session")
def version(programs):
    """The version of the programs."""
    return must(programs["ddpatrol"], "--version").split()[-1]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory, programs):
    """A folder with the wheels of both programs, built with the profile of the debug programs."""
    folder = tmp_path_factory.mktemp("wheels")
    scripts = ROOT / "target" / "wheel-data" / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    shutil.copy(programs["ddpatrol-sweep"], scripts)
    for name in ("ddpatrol", "ddpatrold"):
        command = ["maturin", "build", "--profile", "dev", "--compatibility", "linux", "--out", str(folder)]
        must(*command, cwd=ROOT / "packaging" / "python" / name)
    return folder


@pytest.fixture(scope="session")
def index(wheels, tmp_path_factory):
    """The URL of a package index (PEP 503) that has only the wheels."""
    folder = tmp_path_factory.mktemp("index")
    for wheel in wheels.iterdir():
        project = folder / "simple" / wheel.name.split("-")[0]
        project.mkdir(parents=True)
        (project / wheel.name).symlink_to(wheel)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
