"""Compares the service's response times to known and unknown identifiers of tokens.

    python3 scripts/timing.py [PROGRAM] [REQUESTS]

Each pair of requests differs only in whether the service has issued a token with the identifier; the caller
does not have the whole token. Requests of a pair alternate on one connection. The overlap is the probability
that a response to a known identifier takes longer than one to an unknown identifier: 0.5 means that response
times reveal nothing.
"""

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right

from mint import token

PAIRS = ("bearer", "leak report", "RFC 7009", "another's token")


class Service:
    """A running `ddpatrold` without rate limits, and tokens that it has issued."""

    def __init__(self, program, folder):
        self.program, self.database = program, f"sqlite:{folder}/timing.db"
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--print-admin-token", "--no-rate-limit",
             "--database", self.database],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for line in self.process.stderr:
            if found := re.search(r"listening on http://(\S+)", line):
                self.address = found.group(1)
                break
        self.connection = http.client.HTTPConnection(self.address)
        self.admin = self.process.stdout.readline().strip()
        self.run("user", "add", "ada@example.com")
        self.own = self.issue("ada@example.com")

    def run(self, *arguments):
        command = [self.program, "admin", "--database", self.database, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def issue(self, owner):
        return self.run("token", "issue", "--user", owner, "--name", "t", "--scope", "user_app_keys")

    def ask(self, method, path, bearer=None, body=None, media="application/json"):
        """Sends a request; returns its response time in microseconds and its status."""
        headers = {"Content-Type": media} if body else {}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        started = time.perf_counter_ns()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        response.read()
        return (time.perf_counter_ns() - started) / 1000, response.status


def with_other_secret(known, seed):
    """Returns a valid token with the identifier of another one."""
    return known[:29] + token(seed)[29:]


def identifier(service, whole):
    """Returns the UUID of a token."""
    listed = service.run("token", "list").splitlines()
    return next(line.split("\t")[0] for line in listed if line.split("\t")[1] == whole[6:28])


def pair(service, kind):
    """Returns functions that send a request about a known and about an unknown identifier."""
    number = iter(range(10**9))
    known = service.issue("admin@localhost")
    # Its owner uses the token all the time.
    presented = lambda is_known: with_other_secret(known, next(number)) if is_known else token(next(number))
    keep = lambda: service.ask("GET", "/api/v2/validate_keys", known)
    if kind == "bearer":
        send = lambda is_known: service.ask("GET", "/api/v2/validate_keys", presented(is_known))
    elif kind == "leak report":
        send = lambda is_known: service.ask(
            "POST", "/leaks/v1/reports", None, json.dumps({"reports": [{"token": presented(is_known)}]})
        )
    elif kind == "RFC 7009":
        send = lambda is_known: service.ask(
            "POST", "/oauth2/revoke", None, f"token={presented(is_known)}", "application/x-www-form-urlencoded"
        )
    else:
        issued, path = identifier(service, known), "/api/v2/personal_access_tokens/"
        unknown = "00000000-0000-4000-8000-000000000000"
        send = lambda is_known: service.ask("GET", path + (issued if is_known else unknown), service.own)
    return send, keep


def overlap(left, right):
    """Returns the probability that a value of `left` is larger than one of `right`."""
    ordered = sorted(right)
    larger = sum(bisect_left(ordered, it) + bisect_right(ordered, it) for it in left)
    return larger / 2 / len(left) / len(right)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/debug/ddpatrold"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    with tempfile.TemporaryDirectory() as folder:
        service = Service(program, folder)
        print(f"{'request':16} {'known, us':>10} {'unknown, us':>12} {'overlap':>8}")
        for kind in PAIRS:
            send, keep = pair(service, kind)
            times, statuses = ([], []), (set(), set())
            for step in range(2 * count):
                if step % 8 == 0:
                    keep()
                which = (step + step // 8) % 2
                taken, status = send(which == 0)
                times[which].append(taken)
                statuses[which].add(status)
            assert statuses[0] == statuses[1], statuses
            medians = [statistics.median(it) for it in times]
            print(f"{kind:16} {medians[0]:10.1f} {medians[1]:12.1f} {overlap(*times):8.3f}", flush=True)
        service.process.terminate()
        service.process.wait()


main()
