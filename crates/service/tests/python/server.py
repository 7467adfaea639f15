"""The real `ddpatrold` as a child process, and plain HTTP requests to it."""

import os
import re
import signal
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

import requests

LISTENING = re.compile(r"ddpatrold: listening on (http://127\.0\.0\.1:\d+)")
TOKENS = "/api/v2/personal_access_tokens"
VALIDATE = "/api/v2/validate_keys"
EVENTS = "/api/v2/audit/events"
JSON_API = "application/vnd.api+json"
START_SECONDS = 30


def in_days(days):
    """Returns the time in a number of days, as a client formats it."""
    ahead = datetime.now(timezone.utc) + timedelta(days=days)
    return ahead.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def creation(name, scopes=("dashboards_read",), expires_at=None):
    """Returns the body of a request that creates a token."""
    attributes = {"name": name, "scopes": list(scopes), "expires_at": expires_at or in_days(30)}
    return {"data": {"type": "personal_access_tokens", "attributes": attributes}}


def environment():
    """Returns the environment without variables that configure the service or a client."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("DD_", "DDPATROLD_", "DATABASE_"))}


class Server:
    """`ddpatrold serve` on a free port, and its state."""

    def __init__(self, binary, database, *options):
        self.binary, self.database, self.options = binary, database, options
        self.process = self.url = self.admin_token = None
        self.errors = []
        self.session = requests.Session()
        self.session.trust_env = False

    def start(self):
        """Starts the process and waits until it accepts connections."""
        self.process = subprocess.Popen(
            [self.binary, "serve", "--listen", "127.0.0.1:0", "--print-admin-token", "--database", self.database]
            + list(self.options),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )
        listening = threading.Event()
        self.errors, self.output = [], []

        def read_errors(stream):
            for line in stream:
                self.errors.append(line)
                found = LISTENING.search(line)
                if found:
                    self.url = found.group(1)
                    listening.set()
            listening.set()

        def read_output(stream):
            for line in stream:
                self.output.append(line.strip())

        threading.Thread(target=read_errors, args=(self.process.stderr,), daemon=True).start()
        threading.Thread(target=read_output, args=(self.process.stdout,), daemon=True).start()
        listening.wait(START_SECONDS)
        if self.url is None or self.process.poll() is not None:
            self.process.kill()
            raise AssertionError("ddpatrold did not start:\n" + "".join(self.errors))
        if self.admin_token is None:
            self.admin_token = self._first_token()
        return self

    def _first_token(self):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if self.output:
                assert len(self.output) == 1, "only the token is on standard output"
                return self.output[0]
            time.sleep(0.01)
        raise AssertionError("the administrator's token is not on standard output")

    def stop(self, how=signal.SIGTERM):
        """Stops the process and returns its status."""
        if self.process is None:
            return None
        self.process.send_signal(how)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.process = self.url = None
        self.session.close()
        return status

    def admin(self, *arguments):
        """Runs `ddpatrold admin` on the same database and returns its standard output."""
        done = subprocess.run(
            [self.binary, "admin", "--database", self.database, *arguments],
            capture_output=True, text=True, env=environment(), timeout=60,
        )
        assert done.returncode == 0, f"admin {arguments}: {done.stderr}"
        return done.stdout.strip()

    def person(self, email, permissions=(), scopes=("dashboards_read",), expires_in="300d"):
        """Adds a user with permissions and returns a token issued on the command line."""
        grants = [part for name in permissions for part in ("--permission", name)]
        self.admin("user", "add", email, *grants)
        return self.issue(email, scopes, expires_in)

    def issue(self, user, scopes, expires_in="300d", name="by command line"):
        """Issues a token to a user on the command line."""
        wanted = [part for scope in scopes for part in ("--scope", scope)]
        return self.admin(
            "token", "issue", "--user", user, "--name", name, *wanted, "--expires-in", expires_in
        )

    def request(self, method, path, token=None, **options):
        """Sends a request with a Bearer token, by default the administrator's (`token=False`: without one)."""
        headers = dict(options.pop("headers", {}))
        if token is None:
            token = self.admin_token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.session.request(
            method, self.url + path, headers=headers, timeout=30, allow_redirects=False, **options
        )

    def get(self, path, token=None, **options):
        return self.request("GET", path, token, **options)

    def post(self, path, token=None, **options):
        return self.request("POST", path, token, **options)

    def create(self, name, token=None, **options):
        """Creates a token, checks for success, and returns its resource with the key."""
        answer = self.post(TOKENS, token, json=creation(name, **options))
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    def is_accepted(self, token):
        """Returns `True` if a token is live; any status but 200 and 401 is a failure."""
        status = self.get(VALIDATE, token).status_code
        assert status in (200, 401), status
        return status == 200

    def report_leaks(self, *entries):
        """Sends a leak report and returns its results."""
        answer = self.post("/leaks/v1/reports", False, json={"reports": list(entries)})
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def events(self, query="", token=None, **parameters):
        """Returns all events that match a query, from every page."""
        found, cursor = [], None
        while True:
            params = {"filter[query]": query, "page[limit]": 100, **parameters}
            if cursor:
                params["page[cursor]"] = cursor
            answer = self.get(EVENTS, token, params=params)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            found += body["data"]
            cursor = (body["meta"].get("page") or {}).get("after")
            if not cursor:
                return found

    def wait_for_events(self, query, count, seconds=10):
        """Returns the events of a query once there are `count` of them: uses are written in batches."""
        end = time.monotonic() + seconds
        while True:
            found = self.events(query)
            if len(found) >= count or time.monotonic() > end:
                return found
            time.sleep(0.05)
