"""Sweeps of real repositories: the built programs, git, and a server that speaks git over HTTP.

DDPATROL and DDPATROL_SWEEP are the paths of the built programs.
"""

import base64
import dataclasses
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402

PROGRAM = os.environ["DDPATROL_SWEEP"]
DDPATROL = os.environ["DDPATROL"]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "AWS_"))},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada Example",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Example",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder, *words):
    """Runs git, and returns its output."""
    done = subprocess.run(["git", "-C", folder, *words], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout.strip()


def repository(folder, seeds=(), commits=1):
    """Creates a repository with a token for each seed and further commits."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for number in range(commits):
        (folder / "notes.txt").write_text(f"line {number} of {folder.name}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"notes {number}")
    for seed in seeds:
        leak(folder, seed)
    return folder


def leak(folder, seed):
    """Commits a token."""
    (folder / f"settings-{seed}.env").write_text(f"DD_APP_KEY={token(seed)}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", f"settings {seed}")


@dataclasses.dataclass
class Sweeper:
    """A store, a cache, and the program that uses them."""

    folder: pathlib.Path
    cached: bool = True
    scanner: str = DDPATROL

    @property
    def store(self):
        return self.folder / "store"

    def words(self, command, *words):
        """Returns a command line."""
        line = [PROGRAM, command, "--store", str(self.store)]
        if command in ("run", "task"):
            line += ["--scanner", self.scanner]
            line += ["--cache", str(self.folder / "cache")] if self.cached else []
        return [*line, *map(str, words)]

    def execute(self, command, *words, input="", **options):
        """Runs a command to its end; tokens must be in none of its output."""
        options.setdefault("env", ENVIRONMENT)
        done = subprocess.run(
            self.words(command, *words), input=input, capture_output=True, text=True, timeout=300, **options
        )
        assert "panicked" not in done.stderr, done.stderr
        return done

    def run(self, repositories, *words, **options):
        """Sweeps repositories, given by paths or URLs."""
        return self.execute("run", *words, input="".join(f"{it}\n" for it in repositories), **options)

    def report(self, *words):
        """Returns the merged report."""
        done = self.execute("report", "--format", "json", *words)
        assert done.returncode in (0, 2), done.stderr
        return json.loads(done.stdout)

    def fingerprints(self, *words):
        """Returns the tokens of the merged report, each with the URLs of its repositories."""
        report = self.report(*words)
        urls = [it["url"] for it in report["repositories"]]
        return {
            it["fingerprint"]: sorted(urls[at["repository"]] for at in it["repositories"]) for it in report["tokens"]
        }

    def statuses(self, *words):
        """Returns the status and the reason of each repository by its URL."""
        rows = self.report(*words)["repositories"]
        return {it["url"]: (it["status"], it["reason"] or "") for it in rows}

    def results(self):
        """Returns the objects of results in the store."""
        return sorted(self.store.glob("sweeps/*/repositories/*"))


@pytest.fixture
def sweeper(tmp_path):
    """An empty store with a cache."""
    return Sweeper(tmp_path / "sweep")


class GitServer:
    """Repositories over HTTP: `git http-backend` behind a web server, with a password for some of them."""

    PASSWORD = "s3cret-passw0rd"

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.hanging = threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def log_message(self, *_):
                pass

            def serve(self):
                owner.serve(self)

            do_GET = do_POST = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, request):
        """Answers one request."""
        path, _, query = request.path.partition("?")
        if path.startswith("/hang/"):
            self.hanging.set()
            time.sleep(600)
            return
        if path.startswith("/private/"):
            expected = base64.b64encode(f"ada:{self.PASSWORD}".encode()).decode()
            if request.headers.get("Authorization") != f"Basic {expected}":
                request.send_response(401)
                request.send_header("WWW-Authenticate", 'Basic realm="git"')
                request.end_headers()
                return
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        environment = {
            **ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


@pytest.fixture
def git_server(tmp_path):
    """A server of repositories over HTTP."""
    server = GitServer(tmp_path / "served")
    yield server
    server.server.shutdown()
