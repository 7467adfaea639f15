"""A hosted repository, an author who pushes to it, and a runner that checks it out and runs the step."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import runner

ROOT = Path(__file__).resolve().parents[2]
EVENTS = Path(__file__).parent / "events"
ZEROS = "0" * 40


class Hosting:
    """A server, an author and a workspace in one folder."""

    def __init__(self, folder, binary):
        self.folder = folder
        self.binary = binary
        self.server = folder / "server.git"
        self.author = folder / "author"
        self.workspace = folder / "work space"
        self.temporary = folder / "temp"
        self.temporary.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ada Example",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada Example",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        self.git("init", "-q", "--bare", "-b", "main", self.server, at=folder)
        # As on GitHub, which serves any commit by its id.
        self.git("config", "uploadpack.allowAnySHA1InWant", "true", at=self.server)
        self.git("config", "uploadpack.allowFilter", "true", at=self.server)
        self.git("init", "-q", "-b", "main", self.author, at=folder)
        self.git("remote", "add", "origin", self.server.as_uri())

    def git(self, *arguments, at=None, environment=None):
        """Runs git, by default as the author, and returns its output."""
        ran = subprocess.run(
            ["git", *map(str, arguments)],
            cwd=at or self.author,
            env=self.environment | (environment or {}),
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def commit(self, files=None, message="Change something", **environment):
        """Commits files (None removes one) and returns the commit."""
        for name, content in (files or {}).items():
            file = self.author / name
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, environment=environment)
        return self.git("rev-parse", "HEAD")

    def submodule(self, path, commit):
        """Commits a submodule whose repository does not exist."""
        (self.author / path).mkdir(parents=True, exist_ok=True)
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        self.git("commit", "-q", "-m", "Move the submodule")

    def history(self, count, name="log.txt"):
        """Creates `count` commits of one line each."""
        for number in range(count):
            self.commit({name: f"line {number}\n"}, f"Line {number}")

    def push(self, *refspecs):
        """Force-pushes."""
        self.git("push", "-q", "--force", "origin", *refspecs)

    def pull_request(self, base="main", head="feature"):
        """Opens pull request 7 as GitHub does: its head and its merge are references of the server."""
        ids = [self.git("rev-parse", name) for name in (base, head)]
        self.git("checkout", "-q", "--detach", base)
        self.git("merge", "-q", "--no-ff", "-m", "Merge the head into the base", head)
        self.push(f"{base}:refs/heads/main", f"{head}:refs/pull/7/head", "HEAD:refs/pull/7/merge")
        self.git("checkout", "-q", head)
        return ids

    def checkout(self, reference, depth=1, folder=None, sparse=None):
        """Checks out a reference of the server, or a folder of it, as actions/checkout does."""
        at = folder or self.workspace
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        self.git("init", "-q", at, at=at)
        self.git("remote", "add", "origin", self.server.as_uri(), at=at)
        commit = self.git("rev-parse", f"{reference}^{{commit}}", at=self.server)
        local = reference.replace("refs/heads/", "refs/remotes/origin/")
        local = local.replace("refs/pull/", "refs/remotes/pull/")
        fetch = ["fetch", "-q", "--no-recurse-submodules"]
        if sparse:
            fetch.append("--filter=blob:none")
        if depth:
            self.git(*fetch, "--no-tags", f"--depth={depth}", "origin", f"+{commit}:{local}", at=at)
        else:
            everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
            self.git(*fetch, "origin", *everything, at=at)
            self.git(*fetch, "origin", f"+{commit}:{local}", at=at)
        if sparse:
            self.git("sparse-checkout", "set", sparse, at=at)
        self.git("checkout", "-q", "--force", "--detach", local, at=at)

    def event(self, name, base=None, head=None, change=None):
        """Writes the payload of an event and returns the environment that the runner sets for it."""
        payload = (EVENTS / f"{name}.json").read_text()
        payload = json.loads(payload.replace("BASE", base or "").replace("HEAD", head or ""))
        if change:
            change(payload)
        file = self.folder / "event.json"
        file.write_text(json.dumps(payload))
        return {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(file)}

    def step(self, event, environment=None, script=None, **inputs):
        """Runs the step for an event in the workspace, as the runner does."""
        files = {name: self.folder / name for name in ("output", "summary")}
        for file in files.values():
            file.write_text("")
        given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
        ran = subprocess.run(
            ["bash", str(script or ROOT / "scripts" / "action.sh")],
            cwd=self.workspace,
            env=self.environment
            | {
                "DDPATROL_BINARY": str(self.binary),
                "GITHUB_ACTIONS": "true",
                "GITHUB_OUTPUT": str(files["output"]),
                "GITHUB_STEP_SUMMARY": str(files["summary"]),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_SERVER_URL": "https://github.com",
                "RUNNER_TEMP": str(self.temporary),
            }
            | event
            | given
            | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        log = ran.stdout.decode()
        return runner.Step(
            ran.returncode,
            log,
            runner.outputs(files["output"].read_text()),
            files["summary"].read_text(),
            runner.commands(log),
        )

    def count_in(self, revisions):
        """Returns the number of commits of a revision range in the workspace."""
        return int(self.git("rev-list", "--count", revisions, at=self.workspace))


def report(step):
    """Returns the JSON report of a step."""
    return json.loads(Path(step.outputs["report-json"]).read_text())
