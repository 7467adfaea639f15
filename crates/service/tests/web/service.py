"""The real `ddpatrold` as a child process, with its database, and requests to its API."""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

from databases import environment

LISTENING = re.compile(r"ddpatrold: listening on (http://127\.0\.0\.1:\d+)")
START_SECONDS = 30
ADMINISTRATOR = "admin@localhost"


class Service:
    """`ddpatrold serve` on a free port."""

    def __init__(self, program, database, *options, listen="127.0.0.1:0"):
        self.program, self.database = program, database
        # The first start leaves the administrator's token and link in the current folder.
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [program, "serve", "--listen", listen, "--database", database, "--no-rate-limit", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
            cwd=self.folder.name,
        )
        self.url, self.errors = None, []
        listening = threading.Event()

        def read():
            for line in self.process.stderr:
                self.errors.append(line)
                if found := LISTENING.search(line):
                    self.url = found.group(1)
                    listening.set()
            listening.set()

        threading.Thread(target=read, daemon=True).start()
        listening.wait(START_SECONDS)
        assert self.url, "ddpatrold did not start:\n" + "".join(self.errors)

    def stop(self):
        """Stops the process."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.folder.cleanup()

    def admin(self, *arguments):
        """Runs `ddpatrold admin` on the same database and returns its standard output."""
        done = subprocess.run(
            [self.program, "admin", "--database", self.database, *arguments],
            capture_output=True, text=True, env=environment(), timeout=60, check=False,
        )
        assert done.returncode == 0, f"admin {arguments}: {done.stderr}"
        return done.stdout.strip()

    def add(self, email, *permissions, name=None):
        """Adds a user with permissions."""
        grants = [part for one in permissions for part in ("--permission", one)]
        self.admin("user", "add", email, *grants, *(["--name", name] if name else []))
        return email

    def link(self, user=ADMINISTRATOR):
        """Returns the address of a new sign-in link."""
        return self.admin("login-link", user, "--public-url", self.url)

    def issue(self, user=ADMINISTRATOR, name="by command line", scopes=(), expires_in="90d"):
        """Issues a token on the command line, with every scope by default."""
        wanted = [part for scope in scopes for part in ("--scope", scope)] or ["--all-scopes"]
        return self.admin(
            "token", "issue", "--user", user, "--name", name, *wanted, "--expires-in", expires_in
        )

    def call(self, path, token=None, body=None, headers=None, method=None):
        """Sends a request to the API. Returns its status and its body as JSON."""
        headers = {"authorization": f"Bearer {token}"} | (headers or {}) if token else dict(headers or {})
        data = None
        if body is not None:
            data, headers["content-type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None

    def leak(self, token, source="ddpatrol", url="https://git.example.com/shop/blob/main/.env", location=".env:2"):
        """Reports a token as leaked."""
        entry = {"token": token, "source": source, "url": url, "location": location}
        return self.call("/leaks/v1/reports", body={"reports": [entry]})
