"""A realistic repository with tokens in files, in the history, on a branch, in a message, in hostile names,
and allowed ones; and a stub issuer that accepts some of them.
"""

import json
import os
import random
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from oracle.tokens import mint

HOSTILE = "\"><img src=x onerror=alert(1)>\u202e`|@everyone.env"
PEOPLE = ["Ada Example", "Ben Example", "Chidi Example", "</code><script>alert(2)</script>"]


class Demo:
    """The repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.live: list[str] = []
        self._source = random.Random(5)
        self._moment = datetime(2024, 3, 4, 9, 30, tzinfo=UTC)
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, author: str = PEOPLE[0]) -> None:
        """Runs git as `author`, at the date of the simulated clock."""
        date = self._moment.isoformat()
        known = {key: os.environ[key] for key in ("PATH",)}
        who = {"NAME": author, "EMAIL": "who@example.com", "DATE": date}
        env = {f"GIT_{role}_{key}": it for role in ("AUTHOR", "COMMITTER") for key, it in who.items()}
        env |= known | {"HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": os.devnull}
        env |= {"GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", "-C", self.folder, *arguments], check=True, env=env)

    def token(self, rule: str = "datadog-pat", *, live: bool = False) -> str:
        """Mints a token."""
        token = mint(rule, self._source).decode()
        if live:
            self.live.append(token)
        return token

    def commit(self, files: dict[str, str | None], subject: str, who: int = 0, days: int = 23) -> None:
        """Commits files (`None` removes one), `days` after the last commit."""
        self._moment += timedelta(days=days, hours=3, minutes=7)
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if content is None else path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject, author=PEOPLE[who])

    def fill(self) -> None:
        """Creates the history."""
        deploy, client = self.token(live=True), self.token("github-pat")
        self.commit({"README.md": "# shop\n"}, "Begin")
        text = f'class Client:\n    def __init__(self):\n        token = "{client}"  # remove me\n'
        self.commit({"src/client.py": text}, "Try the client against production", 1)
        self.commit({"src/client.py": "import os\n"}, "Take the token from the environment", 1, 2)
        self.commit({"deploy/prod.env": f"DD_SITE=eu\nDD_APP_KEY={deploy}\n"}, "Deploy with Datadog")
        copies = {f"services/{name}/.env": f"DD_APP_KEY={deploy}\n" for name in ("cart", "mail", "pay", "web")}
        self.commit(copies, "Copy the settings to every service", 2)
        self.commit({".npmrc": f"//registry.npmjs.org/:_authToken={self.token('npm-token')}\n"}, "Publish", 1, 60)
        self.commit({".npmrc": None}, "Publish from the pipeline", 1, 4)
        self.git("checkout", "-q", "-b", "try/<b>preview</b>")
        self.commit({"vercel.json": '{"token": "%s"}\n' % self.token("vercel-pat")}, "Preview", 2, 80)
        self.git("checkout", "-q", "main")
        self.commit({HOSTILE: f"KEY={self.token(live=True)}\n"}, "::error::](javascript:alert(3))<!--", 3, 9)
        self.commit({"notes.txt": "x\n"}, f"Use {self.token('github-pat')} from now on", 2, 30)
        allowed = f"TOKEN = '{self.token()}'  # ddpatrol:allow a sample for the documentation\n"
        self.commit({"docs/sample.py": allowed}, "Document the format", 0, 11)
        more = f"OTHER = '{self.token('github-pat')}'  # ddpatrol:allow revoked, kept for <b>tests</b>\n"
        self.commit({"tests/data.py": more}, "Keep a token that is revoked", 1, 7)
        long = "/".join(["a-rather-long-folder-name"] * 5) + "/settings.production.yaml"
        self.commit({long: f"datadog: {{ application_key: {self.token()} }}\n"}, "Settings " * 14, 1, 100)
        self.commit({long: "datadog: {}\n"}, "Rotate", 0, 12)

    def fill_much(self, commits: int, each: int) -> None:
        """Creates a long history of many tokens, half of which are removed again."""
        for at in range(commits):
            name = f"batch/{at:04}.env"
            lines = "".join(f"KEY_{n}={self.token()}\n" for n in range(each))
            self.commit({name: lines}, f"Batch {at}", at % 3, 3)
            if at % 2:
                self.commit({name: None}, f"Without batch {at}", at % 3, 1)


class Issuer:
    """A stub server that accepts some tokens and rejects the others, as Datadog does."""

    def __init__(self, live: list[str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
                is_live = bearer in live
                body = json.dumps({"status": "ok"} if is_live else {"errors": ["Unauthorized"]})
                self.send_response(200 if is_live else 401)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
